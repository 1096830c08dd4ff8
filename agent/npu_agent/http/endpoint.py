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
class Endpoint:
    """`answers` maps a status to the name of a schema, or to a media type where the answer is not JSON."""

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
