"""Workloads over HTTP: list, show, put, restart, delete, logs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from npu_agent import api
from npu_agent.engine import EngineError, LogStream, NotFoundError
from npu_agent.generations import Condition, tag
from npu_agent.http import reply
from npu_agent.http.endpoint import Endpoint, Link, Query
from npu_agent.http.service import Service
from npu_agent.problem import ProblemError, docker_unreachable
from npu_agent.reservations import check_name

GRACE_LIMIT_S = 3600
TAIL_DEFAULT = 200
TAIL_LIMIT = 100_000


async def everything(service: Service, _request: Request) -> Response:
    return reply.answer({"workloads": [workload.to_dict() for workload in service.workloads.all()]})


async def one(service: Service, request: Request) -> Response:
    name = request.path_params["name"]
    return _tagged(await service.call(lambda: service.workloads.look(name)))


def _tagged(workload: api.Workload, status: int = 200) -> Response:
    headers = {"ETag": tag(workload.generation, workload.spec_sha256)}
    return reply.answer(workload.to_dict(), status, headers)


def _condition(request: Request) -> Condition:
    return Condition(request.headers.get("if-match"), request.headers.get("if-none-match"))


async def put(service: Service, request: Request) -> Response:
    name, only = request.path_params["name"], _condition(request)
    document = await reply.read_json(request)
    if reply.flag(request, "dry_run"):
        return reply.answer((await service.call(lambda: service.workloads.rehearse(name, document))).to_dict())
    reservation = request.query_params.get("reservation")
    if reservation is not None:
        check_name(reservation)
    try:
        workload, created = await service.call(lambda: service.workloads.put(name, document, reservation, only))
    finally:
        await service.call(service.changed)
    return _tagged(workload, 201 if created else 200)


async def restart(service: Service, request: Request) -> Response:
    name, only = request.path_params["name"], _condition(request)
    try:
        workload = await service.call(lambda: service.workloads.restart(name, only))
    finally:
        await service.call(service.changed)
    return _tagged(workload)


async def delete(service: Service, request: Request) -> Response:
    name, only = request.path_params["name"], _condition(request)
    grace_s = reply.whole_number(request, "grace_s", None, largest=GRACE_LIMIT_S)
    try:
        workload = await service.call(lambda: service.workloads.delete(name, grace_s, only))
    finally:
        await service.call(service.changed)
    return reply.answer(workload.to_dict())


async def logs(service: Service, request: Request) -> Response:
    name = request.path_params["name"]
    tail = reply.whole_number(request, "tail", TAIL_DEFAULT, largest=TAIL_LIMIT)
    asked = Asked(
        tail, reply.moment(request, "since"), reply.flag(request, "follow"), reply.flag(request, "timestamps")
    )
    service.followers.check()
    stream = await service.call(lambda: _open(service, name, asked))
    return StreamingResponse(
        service.followers.read(stream), media_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-store"}
    )


@dataclass(frozen=True)
class Asked:
    """Which part of a log is wanted."""

    tail: Optional[int]
    since_s: Optional[float]
    follow: bool
    timestamps: bool


def _open(service: Service, name: str, asked: Asked) -> LogStream:
    container = service.workloads.look(name).container_id
    if container is None:
        raise _no_logs(name)
    try:
        return service.workloads.engine.logs(
            container, tail=asked.tail, follow=asked.follow, since_s=asked.since_s, timestamps=asked.timestamps
        )
    except NotFoundError:
        raise _no_logs(name) from None
    except EngineError as error:
        raise docker_unreachable(error) from error


def _no_logs(name: str) -> ProblemError:
    return ProblemError(
        404, api.CODE_NOT_FOUND, f"The workload {name} has no container, so it has no logs.", "See its reason."
    )


PATH = "/v1/workloads/{name}"
GRACE = Query(
    "grace_s",
    "Seconds between the stop signal and the kill; the spec's stop_grace_s when absent.",
    {"type": "integer", "minimum": 0, "maximum": GRACE_LIMIT_S},
)
RESERVATION = Query(
    "reservation",
    "The reservation whose NPUs the workload gets; it is used up.",
    {"type": "string", "minLength": 1, "maxLength": 128},
)
DRY_RUN = Query(
    "dry_run",
    "1 changes nothing and tells which container it would be.",
    {"type": "string", "enum": ["0", "1", "true", "false"]},
)
TAIL = Query(
    "tail", "The last so many lines.", {"type": "integer", "minimum": 0, "maximum": TAIL_LIMIT, "default": TAIL_DEFAULT}
)
_FLAG = {"type": "string", "enum": ["0", "1", "true", "false"]}
FOLLOW = Query("follow", "1 keeps the answer open for new lines.", _FLAG)
TIMESTAMPS = Query("timestamps", "1 puts its moment before each line.", _FLAG)
SINCE = Query(
    "since",
    "Only lines since this moment: seconds since 1970, or ISO 8601 such as 2026-01-31T12:00:00Z.",
    {
        "oneOf": [
            {"type": "integer", "minimum": 0, "maximum": 99_999_999_999},
            {"type": "string", "format": "date-time"},
        ]
    },
)
_TAGS = {"type": "string"}
IF_MATCH = Query("If-Match", "Only if the workload is as its last answer's ETag says; else 412.", _TAGS)
IF_NONE_MATCH = Query("If-None-Match", "* makes it only where no workload has the name; else 412.", _TAGS)
_NAME = {"name": "$response.body#/name"}
_LINKS = tuple(Link(operation, _NAME) for operation in ("workload", "logs", "restart-workload", "delete-workload"))
ENDPOINTS = (
    Endpoint(
        "GET", "/v1/workloads", api.SCOPE_VIEW, everything, "workloads", "Every workload of the node",
        {200: "Workloads"},
        links=(Link("workload", {"name": "$response.body#/workloads/0/name"}),),
    ),
    Endpoint(
        "GET", PATH, api.SCOPE_VIEW, one, "workload", "One workload", {200: "Workload"}, (404,),
        links=_LINKS, tagged=True,
    ),
    Endpoint(
        "PUT", PATH, api.SCOPE_OPERATE, put, "put-workload",
        "Make it so: created now, or unchanged because it is so already",
        {200: "Workload|Plan", 201: "Workload"}, (400, 408, 409, 412, 413, 422, 503), (RESERVATION, DRY_RUN),
        takes="WorkloadSpec", headers=(IF_MATCH, IF_NONE_MATCH), links=_LINKS, tagged=True,
    ),
    Endpoint(
        "POST", PATH + ":restart", api.SCOPE_OPERATE, restart, "restart-workload",
        "Stop it and start its container again on the same NPUs",
        {200: "Workload"}, (404, 409, 412, 422, 503), headers=(IF_MATCH,), tagged=True,
    ),
    Endpoint(
        "DELETE", PATH, api.SCOPE_OPERATE, delete, "delete-workload",
        "Stop, remove and only then give the NPUs back",
        {200: "Workload"}, (400, 404, 409, 412, 503), (GRACE,), headers=(IF_MATCH,),
    ),
    Endpoint(
        "GET", PATH + "/logs", api.SCOPE_VIEW, logs, "logs", "What the container prints",
        {200: "text/plain"}, (400, 404, 503), (TAIL, SINCE, FOLLOW, TIMESTAMPS),
    ),
)  # fmt: skip
