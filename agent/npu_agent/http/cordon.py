"""Cordon, uncordon and drain over HTTP."""

from __future__ import annotations

from typing import Any, Optional

from starlette.requests import Request
from starlette.responses import Response

from npu_agent import api, schema
from npu_agent.http import reply
from npu_agent.http.endpoint import Endpoint, Query
from npu_agent.http.service import Service
from npu_agent.problem import ProblemError, invalid

_LARGEST_NPU = 65535
_OWNER_LIMIT = 128


async def cordons(service: Service, _request: Request) -> Response:
    return reply.answer((await service.call(service.workloads.cordons.told)).to_dict())


async def cordon(service: Service, request: Request) -> Response:
    asked = await _read("cordon", request)
    await service.call(
        lambda: service.workloads.cordons.put(asked["owner"], asked.get("reason", ""), asked.get("npus", ()))
    )
    await service.call(service.changed)
    return await cordons(service, request)


async def uncordon(service: Service, request: Request) -> Response:
    owner, force = _owner(request)
    npu = reply.whole_number(request, "npu", None, largest=_LARGEST_NPU)
    await service.call(lambda: service.workloads.uncordon(owner, () if npu is None else (npu,), force=force))
    await service.call(service.changed)
    return await cordons(service, request)


async def drain(service: Service, _request: Request) -> Response:
    npus = service.published().npus
    return reply.answer((await service.call(lambda: service.workloads.drain.told(npus))).to_dict())


async def start_drain(service: Service, request: Request) -> Response:
    asked = await _read("drain", request)
    mode = asked.get("mode", api.DRAIN_ALLOW_COMPLETION)
    deadline_s: Optional[int] = asked.get("deadline_s")
    await service.call(lambda: service.workloads.drain.put(asked["owner"], asked.get("reason", ""), mode, deadline_s))
    await service.call(service.changed)
    return await drain(service, request)


async def cancel_drain(service: Service, request: Request) -> Response:
    owner, force = _owner(request)
    await service.call(lambda: service.workloads.drain.cancel(owner, force=force))
    await service.call(service.changed)
    return await drain(service, request)


async def _read(kind: str, request: Request) -> Any:
    document = await reply.read_json(request)
    try:
        schema.check(kind, document)
    except schema.SchemaError as error:
        raise invalid(error.field, str(error)) from None
    return document


def _owner(request: Request) -> tuple[str, bool]:
    force = reply.flag(request, "force")
    owner = request.query_params.get("owner")
    if owner is None and not force:
        raise ProblemError(
            422, api.CODE_BAD_REQUEST, "Nothing says whose cordon it is.", "Give owner, or force=1.", field="owner"
        )
    if owner is not None and not 1 <= len(owner) <= _OWNER_LIMIT:
        words = f"owner has 1 to {_OWNER_LIMIT} letters."
        raise ProblemError(400, api.CODE_BAD_REQUEST, words, "Give the owner who cordoned.", field="owner")
    return owner or "force", force


OWNER = Query(
    "owner", "Who cordoned; may be left out with force.", {"type": "string", "minLength": 1, "maxLength": _OWNER_LIMIT}
)
FORCE = Query("force", "1 lifts it whoever's it is.", {"type": "string", "enum": ["0", "1", "true", "false"]})
NPU = Query(
    "npu", "One NPU's cordon instead of the node's.", {"type": "integer", "minimum": 0, "maximum": _LARGEST_NPU}
)
_CHANGE = (400, 408, 409, 413, 422, 503)
ENDPOINTS = (
    Endpoint("GET", "/v1/cordon", api.SCOPE_VIEW, cordons, "cordons", "Who has cordoned what", {200: "Cordons"}),
    Endpoint(
        "PUT", "/v1/cordon", api.SCOPE_OPERATE, cordon, "cordon", "Give no new work to the node, or to some NPUs",
        {200: "Cordons"}, _CHANGE, takes="CordonRequest",
    ),
    Endpoint(
        "DELETE", "/v1/cordon", api.SCOPE_OPERATE, uncordon, "uncordon",
        "Lift one's own cordon, and end one's own drain with it",
        {200: "Cordons"}, (400, 409, 422, 503), (OWNER, NPU, FORCE),
    ),
    Endpoint("GET", "/v1/drain", api.SCOPE_VIEW, drain, "drain", "How far the drain is", {200: "Drain"}),
    Endpoint(
        "PUT", "/v1/drain", api.SCOPE_OPERATE, start_drain, "start-drain", "Cordon the node and empty it",
        {200: "Drain"}, _CHANGE, takes="DrainRequest",
    ),
    Endpoint(
        "DELETE", "/v1/drain", api.SCOPE_OPERATE, cancel_drain, "cancel-drain", "End the drain; the cordon stays",
        {200: "Drain"}, (400, 409, 422, 503), (OWNER, FORCE),
    ),
)  # fmt: skip
