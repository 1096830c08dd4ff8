"""What the loop has published: liveness, readiness, metrics, health, NPUs."""

from __future__ import annotations

import dataclasses
import json
from typing import Optional

from starlette.requests import Request
from starlette.responses import Response

from npu_agent import api
from npu_agent.http import reply
from npu_agent.http.endpoint import Endpoint
from npu_agent.http.service import Published, Service

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
NOT_YET = "no complete probe yet"


async def healthz(service: Service, _request: Request) -> Response:
    age = round(service.pulse.age_s(), 3)
    fine = age <= service.pulse.limit_s
    return reply.answer({"status": "ok" if fine else "stuck", "cycle_age_s": age}, 200 if fine else 503)


async def readyz(service: Service, _request: Request) -> Response:
    report = _report(service)
    reasons = list(report.reasons) if service.published().complete else [NOT_YET]
    ready = service.published().complete and report.ready
    return reply.answer({"ready": ready, "reasons": reasons}, 200 if ready else 503)


async def metrics(service: Service, _request: Request) -> Response:
    from npu_agent.metrics import age_lines  # noqa: PLC0415  # its library is loaded after the first answer

    now = service.published()
    return reply.text(now.metrics + age_lines(_age_s(service, now)), METRICS_TYPE)


async def node(service: Service, _request: Request) -> Response:
    return reply.answer(service.published().node.to_dict())


async def health(service: Service, _request: Request) -> Response:
    return reply.answer(_report(service).to_dict())


def _report(service: Service) -> api.HealthReport:
    """What was published last, as long as the loop turns: a picture that nobody renews is no news of the node."""
    report, age_s = service.published().health, service.pulse.age_s()
    if age_s <= service.pulse.limit_s:
        return report
    reason = f"agent: unknown: its loop has not turned for {age_s:.0f} s; see its journal"
    return dataclasses.replace(report, ready=False, state=api.UNKNOWN, reasons=[reason, *report.reasons])


async def npus(service: Service, _request: Request) -> Response:
    now = service.published()
    return reply.answer(api.NpuReport(now.observed_at, _age_s(service, now), list(now.npus)).to_dict())


async def overview(service: Service, _request: Request) -> Response:
    """Everything that a sweep over the fleet asks for, in one answer and of one moment."""
    now, report = service.published(), _report(service)
    told = now if report is now.health else dataclasses.replace(now, health=report)
    end = b',"age_s":' + json.dumps(_age_s(service, now)).encode() + b"}}"
    return reply.text(told.overview + end, "application/json")


def _age_s(service: Service, now: Published) -> Optional[float]:
    return None if now.observed_monotonic is None else round(service.monotonic() - now.observed_monotonic, 3)


VIEW = api.SCOPE_VIEW
ENDPOINTS = (
    Endpoint(
        "GET", "/healthz", None, healthz, "healthz", "Whether the agent's loop turned lately",
        {200: "Liveness", 503: "Liveness"},
    ),
    Endpoint(
        "GET", "/readyz", None, readyz, "readyz", "Whether the node may be given work, and if not, why",
        {200: "Readiness", 503: "Readiness"},
    ),
    Endpoint("GET", "/metrics", VIEW, metrics, "metrics", "Metrics for Prometheus", {200: "text/plain"}),
    Endpoint("GET", "/v1/node", VIEW, node, "node", "The node and its agent", {200: "Node"}),
    Endpoint("GET", "/v1/health", VIEW, health, "health", "Every judged part of the node", {200: "HealthReport"}),
    Endpoint("GET", "/v1/npus", VIEW, npus, "npus", "Every NPU: state, readings, holder", {200: "NpuReport"}),
    Endpoint(
        "GET", "/v1/overview", VIEW, overview, "overview", "Node, health, NPUs and workloads of one moment",
        {200: "Overview"},
    ),
)  # fmt: skip
