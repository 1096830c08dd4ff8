"""The ASGI application: the table becomes routes, every refusal a problem document, every change an audit entry."""

from __future__ import annotations

import dataclasses
import functools
import json
import logging
import re
from collections.abc import Mapping
from typing import Any, Optional

from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from npu_agent import api, auth
from npu_agent.audit import Entry
from npu_agent.http import cordon, events, faults, leases, node, openapi, peer, reply, workloads
from npu_agent.http.endpoint import Endpoint
from npu_agent.http.service import Service
from npu_agent.problem import ProblemError

log = logging.getLogger(__name__)

SAFE = frozenset({"GET", "HEAD"})


async def _document(_service: Service, _request: Request) -> Response:
    return reply.text(_document_bytes(), "application/json")


@functools.cache
def _document_bytes() -> bytes:
    return json.dumps(openapi.document(ENDPOINTS), separators=(",", ":")).encode()


async def _page(_service: Service, _request: Request) -> Response:
    body, headers = _page_bytes()
    return Response(body, media_type="text/html; charset=utf-8", headers=headers)


@functools.cache
def _page_bytes() -> tuple[bytes, Mapping[str, str]]:
    from npu_agent.http import docs  # noqa: PLC0415  # few ask, and the first one waits for it

    return docs.page(openapi.document(ENDPOINTS)).encode(), docs.HEADERS


ENDPOINTS: tuple[Endpoint, ...] = (
    *node.ENDPOINTS,
    *workloads.ENDPOINTS,
    *events.ENDPOINTS,
    *faults.ENDPOINTS,
    *leases.ENDPOINTS,
    *cordon.ENDPOINTS,
    Endpoint("GET", "/openapi.json", None, _document, "openapi", "This document", {200: "application/json"}),
    Endpoint("GET", "/docs", None, _page, "docs", "This API for people", {200: "text/html"}),
)


class _Dispatcher:
    """All methods of one path: authorise, run, and write down who changed what with which result."""

    def __init__(self, service: Service, endpoints: Mapping[str, Endpoint], *, trusted: bool) -> None:
        self._service = service
        self._endpoints = endpoints
        self._trusted = trusted

    async def __call__(self, request: Request) -> Response:
        endpoint = self._endpoints["GET" if request.method == "HEAD" else request.method]
        try:
            caller = self._authorise(request, endpoint)
        except ProblemError as error:
            await self._refused(request, error)
            raise
        if caller is None or request.method in SAFE:
            return await endpoint.handler(self._service, request)
        entry = _entry(request, caller, 500)
        try:
            response = await endpoint.handler(self._service, request)
            entry = dataclasses.replace(entry, status=response.status_code, spec=response.headers.get("etag"))
        except ProblemError as error:
            entry = dataclasses.replace(entry, status=error.problem.status, code=error.problem.code)
            raise
        finally:
            await self._service.call(lambda: self._service.trail.changed(entry))
        return response

    def _authorise(self, request: Request, endpoint: Endpoint) -> Optional[auth.Caller]:
        """Tell who asks; None where nobody has to say so."""
        if endpoint.scope is None:
            return None
        whose = peer.of_scope(request.scope)
        if self._trusted:
            return auth.local_root(whose.uid, whose.words(), is_root=whose.is_root)
        header = request.headers.get("authorization")
        client = peer.neighbourhood(_client(request))
        return self._service.authenticator.authorise(header, client, endpoint.scope, whose.certificate)

    async def _refused(self, request: Request, error: ProblemError) -> None:
        """A wrong credential is written down whatever it asked for, none at all only where it asked for a change."""
        whose = peer.of_scope(request.scope)
        if request.method in SAFE and "authorization" not in request.headers and whose == peer.NOBODY_KNOWN:
            return
        who = f"uid {whose.uid}" if whose.uid is not None else "unknown"
        if isinstance(error, auth.ForbiddenError):
            who = error.who
        entry = _entry(request, auth.Caller(who, frozenset(), "none"), error.problem.status)
        entry = dataclasses.replace(entry, code=error.problem.code)
        await self._service.call(lambda: self._service.trail.refused(entry))


def _entry(request: Request, caller: auth.Caller, status: int) -> Entry:
    what = f"{request.method} {request.scope['path']}"
    return Entry(caller.name, caller.via, _client(request), what, status)


def _client(request: Request) -> str:
    return request.client.host if request.client else "this node"


def _shown(request: Request) -> str:
    """A path of the outside world, on one line and not longer than a line."""
    return repr(request.scope["path"][:200])[1:-1]


async def _on_problem(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)
    return reply.problem(error.problem)


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    words = {404: f"There is nothing at {_shown(request)}.", 405: f"{request.method} is not possible here."}
    detail = words.get(error.status_code, str(error.detail))
    return reply.problem(reply.http_problem(error.status_code, detail), error.headers)


async def _on_unforeseen(_request: Request, _error: Exception) -> Response:
    failure = ProblemError(
        500, api.CODE_INTERNAL, "The agent failed in a way nobody foresaw.", "Its journal tells more."
    )
    return reply.problem(failure.problem)


class _LastResort:
    """Starlette answers an unforeseen failure and raises it again: here it ends, with a traceback in the journal."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answered = False

        async def watched(message: Any) -> None:
            nonlocal answered
            await send(message)
            answered = message["type"] == "http.response.body" and not message.get("more_body")

        try:
            await self._app(scope, receive, watched)
        except Exception:
            log.exception("an unforeseen failure in %r", scope.get("path"))
            if not answered:  # half an answer must not look like a whole one: the server closes the connection
                raise


class _Segment(Convertor[str]):
    """A name in an address: no slash, and no colon, so that a verb after a colon is no part of it."""

    regex = "[^/:]+"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("segment", _Segment())


def make_app(service: Service, *, trusted: bool) -> ASGIApp:
    """With trusted=True everybody who reaches the socket is root on this node: only for the unix socket."""
    by_path: dict[str, dict[str, Endpoint]] = {}
    for endpoint in ENDPOINTS:
        by_path.setdefault(endpoint.path, {})[endpoint.method] = endpoint
    routes = [
        Route(
            re.sub(r"{(\w+)}", r"{\1:segment}", path),
            _as_function(_Dispatcher(service, table, trusted=trusted)),
            methods=list(table),
        )
        for path, table in by_path.items()
    ]
    handlers = {ProblemError: _on_problem, HTTPException: _on_http, Exception: _on_unforeseen}
    app = Starlette(routes=routes, exception_handlers=handlers)
    app.router.redirect_slashes = False
    return _LastResort(app)


def _as_function(dispatcher: _Dispatcher) -> Any:
    """Starlette tells request handlers from ASGI applications by their being functions."""

    async def handle(request: Request) -> Response:
        return await dispatcher(request)

    return handle
