"""Leases over HTTP: who has which NPU, and reservations, the first of two steps for a job over several nodes."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from npu_agent import api
from npu_agent.http import reply
from npu_agent.http.endpoint import Endpoint, Link
from npu_agent.http.service import Service
from npu_agent.problem import ProblemError
from npu_agent.reservations import check_name


async def everything(service: Service, _request: Request) -> Response:
    def read() -> tuple[list[api.Lease], list[api.Reservation]]:
        return service.workloads.store.leases(), service.workloads.reservations.all()

    leases, kept = await service.call(read)
    return reply.answer({"leases": [x.to_dict() for x in leases], "reservations": [x.to_dict() for x in kept]})


async def one(service: Service, request: Request) -> Response:
    name = request.path_params["reservation"]
    found = await service.call(lambda: service.workloads.reservations.get(name))
    if found is None:
        raise _unknown(name)
    return reply.answer(found.to_dict())


async def put(service: Service, request: Request) -> Response:
    name, document = request.path_params["reservation"], await reply.read_json(request)
    try:
        kept, created = await service.call(lambda: service.workloads.reserve(name, document))
    finally:
        await service.call(service.changed)
    return reply.answer(kept.to_dict(), 201 if created else 200)


async def delete(service: Service, request: Request) -> Response:
    """Cancelling what is not there is done already: the one who cancels may not have had its answer."""
    name = request.path_params["reservation"]
    check_name(name)
    cancelled = await service.call(lambda: service.workloads.reservations.cancel(name))
    await service.call(service.changed)
    return reply.answer({"reservation": name, "cancelled": cancelled})


def _unknown(name: str) -> ProblemError:
    return ProblemError(
        404, api.CODE_NOT_FOUND, f"There is no reservation {name[:128]} on this node.", "See GET /v1/leases."
    )


PATH = "/v1/leases/{reservation}"
_NAME = {"reservation": "$response.body#/reservation"}
_LINKS = tuple(Link(operation, _NAME) for operation in ("reservation", "delete-reservation"))
ENDPOINTS = (
    Endpoint(
        "GET", "/v1/leases", api.SCOPE_VIEW, everything, "leases", "Which workload has which NPU, and what is reserved",
        {200: "Leases"},
    ),
    Endpoint("GET", PATH, api.SCOPE_VIEW, one, "reservation", "One reservation", {200: "Reservation"}, (404,)),
    Endpoint(
        "PUT", PATH, api.SCOPE_OPERATE, put, "put-reservation",
        "Keep NPUs for a time; the same again renews the time limit",
        {200: "Reservation", 201: "Reservation"}, (400, 408, 409, 413, 422, 503),
        takes="ReservationRequest", links=_LINKS,
    ),
    Endpoint(
        "DELETE", PATH, api.SCOPE_OPERATE, delete, "delete-reservation", "Give the NPUs back",
        {200: "Cancelled"}, (422, 503),
    ),
)  # fmt: skip
