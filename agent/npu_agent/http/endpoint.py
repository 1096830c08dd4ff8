"""One row of the API's table: what routes, checks and documents an operation, in one place."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

from starlette.requests import Request
from starlette.responses import Response

from npu_agent.http.service import Service

Handler = Callable[[Service, Request], Awaitable[Response]]


@dataclass(frozen=True)
class Query:
    name: str
    description: str
    schema: Mapping[str, Any]


@dataclass(frozen=True)
class Link:
    """What may be asked next about what was answered: an operation's name, and its parameters from the answer."""

    operation: str
    parameters: Mapping[str, str]


@dataclass(frozen=True)
class Endpoint:
    """`answers` maps a status to the name of a schema, or to a media type where the answer is not JSON.

    `tagged` answers have an ETag.
    """

    method: str
    path: str
    scope: Optional[str]
    handler: Handler
    name: str
    summary: str
    answers: Mapping[int, str]
    refusals: tuple[int, ...] = ()
    query: tuple[Query, ...] = field(default_factory=tuple)
    takes: Optional[str] = None
    headers: tuple[Query, ...] = field(default_factory=tuple)
    links: tuple[Link, ...] = field(default_factory=tuple)
    tagged: bool = False
