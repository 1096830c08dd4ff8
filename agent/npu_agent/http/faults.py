"""The fault table over HTTP: what a code means here, with this node's rules."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from npu_agent import api
from npu_agent.health import explain
from npu_agent.http import reply
from npu_agent.http.endpoint import Endpoint
from npu_agent.http.service import Service
from npu_agent.problem import ProblemError


async def fault(service: Service, request: Request) -> Response:
    found = explain.explain(request.path_params["code"], service.rules())
    if found is None:
        raise ProblemError(
            404,
            api.CODE_NOT_FOUND,
            "That is no fault code.",
            "Give eight hexadecimal digits such as 80E01801, or the ten decimal ones that npu-exporter prints.",
        )
    return reply.answer(found.to_dict())


ENDPOINTS = (
    Endpoint(
        "GET", "/v1/faults/{code}", api.SCOPE_VIEW, fault, "fault", "What a fault code means, and what to do",
        {200: "FaultInfo"}, (404,),
    ),
)  # fmt: skip
