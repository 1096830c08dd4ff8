"""The ASGI application: the table becomes routes, every refusal a problem document, every change a line in the log."""

from __future__ import annotations

import functools
import json
import logging
from collections.abc import Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from npu_agent import api, auth
from npu_agent.http import cordon, events, faults, leases, node, openapi, reply, workloads
from npu_agent.http.endpoint import Endpoint
from npu_agent.http.service import Service
from npu_agent.problem import ProblemError

log = logging.getLogger(__name__)
audit = logging.getLogger("npu_agent.audit")

SAFE = frozenset({"GET", "HEAD"})


async def _document(_service: Service, _request: Request) -> Response:
    return reply.text(_document_bytes(), "application/json")


@functools.cache
def _document_bytes() -> bytes:
    return json.dumps(openapi.document(ENDPOINTS), separators=(",", ":")).encode()


ENDPOINTS: tuple[Endpoint, ...] = (
    *node.ENDPOINTS,
    *workloads.ENDPOINTS,
    *events.ENDPOINTS,
    *faults.ENDPOINTS,
    *leases.ENDPOINTS,
    *cordon.ENDPOINTS,
    Endpoint("GET", "/openapi.json", None, _document, "openapi", "This document", {200: "application/json"}),
)


class _Dispatcher:
    """All methods of one path: authorise, run, and log who changed what with which result."""

    def __init__(self, service: Service, endpoints: Mapping[str, Endpoint], *, trusted: bool) -> None:
        self._service = service
        self._endpoints = endpoints
        self._trusted = trusted

    async def __call__(self, request: Request) -> Response:
        endpoint = self._endpoints["GET" if request.method == "HEAD" else request.method]
        caller = self._authorise(request, endpoint)
        if request.method in SAFE:
            return await endpoint.handler(self._service, request)
        status = 500
        try:
            response = await endpoint.handler(self._service, request)
            status = response.status_code
        except ProblemError as error:
            status = error.problem.status
            raise
        finally:
            audit.info("%s %s by %s from %s: %s", request.method, _shown(request), caller, _client(request), status)
        return response

    def _authorise(self, request: Request, endpoint: Endpoint) -> str:
        if endpoint.scope is None:
            return "anyone"
        if self._trusted:
            return auth.LOCAL_ROOT.name
        header = request.headers.get("authorization")
        return self._service.authenticator.authorise(header, _client(request), endpoint.scope).name


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


def make_app(service: Service, *, trusted: bool) -> ASGIApp:
    """With trusted=True everybody who reaches the socket is root on this node: only for the unix socket."""
    by_path: dict[str, dict[str, Endpoint]] = {}
    for endpoint in ENDPOINTS:
        by_path.setdefault(endpoint.path, {})[endpoint.method] = endpoint
    routes = [
        Route(path, _as_function(_Dispatcher(service, table, trusted=trusted)), methods=list(table))
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
