"""Reads an agent's JSON into the API's types and holds every value against its annotation: nodes are not trusted."""

from __future__ import annotations

import dataclasses
import sys
import types
import typing
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeVar, Union

from npu_agent import api

W = TypeVar("W", bound=api.Wire)
# Takes a decoded JSON value and where it stands; gives the value in the API's types, or raises WireError.
_Reader = Callable[[Any, str], Any]


_ALIKE = 32


class WireError(Exception):
    """The document is not what the API promises; the text says where."""


def read(wire: type[W], document: object) -> W:
    if not isinstance(document, Mapping):
        raise WireError(f"{wire.__name__} is not an object")
    hint: Any = wire
    return typing.cast("W", _reader(hint)(document, wire.__name__))


def read_list(wire: type[W], document: object, key: str) -> list[W]:
    items = document.get(key) if isinstance(document, Mapping) else None
    if not isinstance(items, list):
        raise WireError(f"there is no list {key}")
    return [read(wire, item) for item in items]


@cache
def _reader(hint: Any) -> _Reader:
    """Look at an annotation once: a sweep over a thousand nodes reads a million values."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        return _optional(_reader(next(a for a in arguments if a is not type(None))))
    if origin is list:
        return _list(_reader(arguments[0]))
    if origin is dict:
        return _dict(_reader(arguments[1]))
    if isinstance(hint, type) and issubclass(hint, api.Wire):
        return _object(hint)
    if hint is str:
        return _text
    return _anything if hint is Any else _plain(hint)


def _anything(value: Any, _path: str) -> Any:
    return value


def _optional(inner: _Reader) -> _Reader:
    return lambda value, path: None if value is None else inner(value, path)


def _list(inner: _Reader) -> _Reader:
    def read_items(value: Any, path: str) -> list[Any]:
        if type(value) is not list:
            raise _unlike(value, list, path)
        try:
            return [inner(item, path) for item in value]
        except WireError:
            for index, item in enumerate(value):  # again, to say which
                inner(item, f"{path}[{index}]")
            raise

    return read_items


def _dict(inner: _Reader) -> _Reader:
    def read_items(value: Any, path: str) -> dict[str, Any]:
        if type(value) is not dict:
            raise _unlike(value, dict, path)
        return value if inner is _anything else {key: inner(item, f"{path}.{key}") for key, item in value.items()}

    return read_items


def _object(wire: type) -> _Reader:
    hints = typing.get_type_hints(wire)
    fields = [(f.name, f"{wire.__name__}.{f.name}", _reader(hints[f.name])) for f in dataclasses.fields(wire)]

    def read_fields(value: Any, path: str) -> Any:
        if type(value) is not dict:
            raise _unlike(value, wire, path)
        known = {name: read_one(value[name], where) for name, where, read_one in fields if name in value}
        try:
            return wire(**known)
        except TypeError as error:
            raise WireError(f"{wire.__name__}: {error}") from None

    return read_fields


def _text(value: Any, path: str) -> str:
    """Keep one copy of what every node says alike: "healthy" comes ten thousand times in a sweep."""
    if type(value) is not str:
        raise _unlike(value, str, path)
    return sys.intern(value) if len(value) < _ALIKE else value


def _plain(kind: type) -> _Reader:
    """JSON has one kind of number, and its truth values are no numbers."""
    numbers = (int, float) if kind is float else (kind,)

    def check(value: Any, path: str) -> Any:
        if type(value) in numbers:
            return value
        raise _unlike(value, kind, path)

    return check


def _unlike(value: object, kind: type, path: str) -> WireError:
    return WireError(f"{path} is {type(value).__name__}, not {kind.__name__}")
