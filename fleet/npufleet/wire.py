"""Reads an agent's JSON into the API's types and holds every value against its annotation: nodes are not trusted."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar, Union

from npu_agent import api

W = TypeVar("W", bound=api.Wire)


class WireError(Exception):
    """The document is not what the API promises; the text says where."""


def read(wire: type[W], document: object) -> W:
    if not isinstance(document, Mapping):
        raise WireError(f"{wire.__name__} is not an object")
    try:
        value = wire.from_dict(document)
    except (TypeError, AttributeError) as error:
        raise WireError(f"{wire.__name__}: {error}") from None
    _check(wire, value, wire.__name__)
    return value


def read_list(wire: type[W], document: object, key: str) -> list[W]:
    items = document.get(key) if isinstance(document, Mapping) else None
    if not isinstance(items, list):
        raise WireError(f"there is no list {key}")
    return [read(wire, item) for item in items]


@cache
def _fields(wire: type) -> dict[str, Any]:
    return typing.get_type_hints(wire)


def _is_wire(hint: object) -> bool:
    return isinstance(hint, type) and issubclass(hint, api.Wire)


def _check(hint: Any, value: object, path: str) -> None:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        if value is not None or type(None) not in arguments:
            _check(next(a for a in arguments if a is not type(None)), value, path)
    elif origin is list:
        _expect(value, list, path)
        for index, item in enumerate(typing.cast("list[object]", value)):
            _check(arguments[0], item, f"{path}[{index}]")
    elif origin is dict:
        _expect(value, dict, path)
        for key, item in typing.cast("dict[str, object]", value).items():
            _check(arguments[1], item, f"{path}.{key}")
    elif _is_wire(hint):
        _expect(value, hint, path)
        for name, inner in _fields(hint).items():
            _check(inner, getattr(value, name), f"{path}.{name}")
    elif isinstance(hint, type) and hint is not Any:
        _expect(value, hint, path)


def _expect(value: object, kind: type, path: str) -> None:
    """JSON has one kind of number, and its truth values are no numbers."""
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise WireError(f"{path} is {type(value).__name__}, not {kind.__name__}")
