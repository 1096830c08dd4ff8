"""How the API's plain data becomes JSON and comes back: standard library only."""

from __future__ import annotations

import dataclasses
import functools
import typing
from collections.abc import Mapping
from typing import Any, TypeVar, Union

W = TypeVar("W", bound="Wire")


@functools.cache
def _hints(cls: Any) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _encode(value: Any) -> Any:
    if isinstance(value, Wire):
        return value.to_dict()
    if isinstance(value, Mapping):
        return {str(key): _encode(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_encode(item) for item in value]
    return value


def _decode(hint: Any, value: Any) -> Any:
    """Build what the annotation says; plain values pass as they came (the JSON Schemas check them at the door)."""
    if value is None:
        return None
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Union and len(arguments) == 2 and type(None) in arguments:
        return _decode(next(a for a in arguments if a is not type(None)), value)
    if origin in (list, tuple) and isinstance(value, (list, tuple)):
        items = [_decode(arguments[0], item) for item in value]
        return items if origin is list else tuple(items)
    if isinstance(hint, type) and issubclass(hint, Wire) and isinstance(value, Mapping):
        return hint.from_dict(value)
    return value


class Wire:
    """A dataclass that goes over the wire as a JSON object.

    Keys nobody knows are passed over, so that an old reader understands a newer writer.
    """

    def to_dict(self) -> dict[str, Any]:
        return {f.name: _encode(getattr(self, f.name)) for f in dataclasses.fields(self)}  # type: ignore[arg-type]  # every subclass is a dataclass

    @classmethod
    def from_dict(cls: type[W], data: Mapping[str, Any]) -> W:  # noqa: PYI019  # typing.Self is newer than Python 3.9
        """Raise TypeError where a required key is missing."""
        hints = _hints(typing.cast("Any", cls))
        known = {f.name for f in dataclasses.fields(cls)}  # type: ignore[arg-type]  # every subclass is a dataclass
        return cls(**{key: _decode(hints[key], value) for key, value in data.items() if key in known})
