"""The OpenAPI 3.1 document, made from the table that routes and the schemas that validate."""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any, Union

from npu_agent import __version__, api, api_events, api_plan, schema
from npu_agent.http.endpoint import Endpoint

_PLAIN: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    Any: {},
}
_ENUMS = {
    ("Component", "state"): api.HEALTH_STATES,
    ("Component", "action"): api.ACTIONS,
    ("Npu", "state"): api.HEALTH_STATES,
    ("Npu", "action"): api.ACTIONS,
    ("HealthReport", "state"): api.HEALTH_STATES,
    ("Workload", "state"): api.WORKLOAD_STATES,
    ("Holder", "kind"): api.HOLDER_KINDS,
    ("Event", "kind"): api_events.KINDS,
    ("FaultInfo", "state"): api.HEALTH_STATES,
    ("FaultInfo", "action"): api.ACTIONS,
    ("ProbeStatus", "state"): api.HEALTH_STATES,
    ("Drain", "state"): api.DRAIN_STATES,
}
_TYPES = (
    api.Problem, api.Holder, api.Component, api.HealthReport, api.Npu, api.NpuReport, api.Node,
    api.Mount, api.Resolved, api.Workload, api.Lease, api.ProbeStatus, api.Progress, api.Reservation,
    api.Cordon, api.Cordons, api.Drain, api.Overview,
    api.TextFile, api_plan.Plan,
    api_events.Event, api_events.EventPage, api_events.FaultInfo,
)  # fmt: skip
_OPTIONAL_KEYS = {"Problem"}  # a problem document leaves out what does not apply
_NO_CREDENTIAL = "Needs no credential."
_TAG = {"description": "Names the spec: for If-Match.", "schema": {"type": "string"}}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _of_hint(hint: Any) -> dict[str, Any]:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Union or origin is getattr(types, "UnionType", Union):
        inner = _of_hint(next(a for a in arguments if a is not type(None)))
        return {"oneOf": [inner, {"type": "null"}]} if "$ref" in inner else {**inner, "type": [inner["type"], "null"]}
    if origin is list:
        return {"type": "array", "items": _of_hint(arguments[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": _of_hint(arguments[1])}
    if isinstance(hint, type) and issubclass(hint, api.Wire):
        return _ref(hint.__name__)
    return dict(_PLAIN[hint])


def _of_type(cls: type[api.Wire]) -> dict[str, Any]:
    hints = typing.get_type_hints(cls)
    names = [f.name for f in dataclasses.fields(cls)]  # type: ignore[arg-type]  # every wire type is a dataclass
    properties = {name: _of_hint(hints[name]) for name in names}
    for name in names:
        if (cls.__name__, name) in _ENUMS:
            properties[name]["enum"] = list(_ENUMS[cls.__name__, name])
    required = ["type", "title", "status", "detail", "code"] if cls.__name__ in _OPTIONAL_KEYS else names
    return {"type": "object", "properties": properties, "required": required}


# What the addresses may hold; what does not fit is not there.
_PATHS: dict[str, dict[str, Any]] = {
    "name": {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,62}$", "description": "A workload's name."},
    "reservation": {
        "type": "string",
        "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$",
        "description": "A reservation's name.",
    },
    "code": {
        "type": "string",
        "pattern": "^([0-9A-Fa-f]{8}|[0-9]{10})$",
        "description": "Eight hexadecimal digits, or the ten decimal ones that npu-exporter prints.",
    },
}


def _listing(**items: str) -> dict[str, Any]:
    lists = {key: {"type": "array", "items": _ref(item)} for key, item in items.items()}
    return {"type": "object", "properties": lists, "required": list(items)}


# What a request may hold: the schema that is published is the one that validates.
_REQUESTS = {
    "WorkloadSpec": "workload",
    "ReservationRequest": "reservation",
    "CordonRequest": "cordon",
    "DrainRequest": "drain",
}


def schemas() -> dict[str, Any]:
    found: dict[str, Any] = {cls.__name__: _of_type(cls) for cls in _TYPES}
    for name, kind in _REQUESTS.items():
        found[name] = {key: value for key, value in schema.load(kind).items() if key != "$schema"}
    found["Workloads"] = _listing(workloads="Workload")
    found["Leases"] = _listing(leases="Lease", reservations="Reservation")
    found["Cancelled"] = {
        "type": "object",
        "properties": {"reservation": {"type": "string"}, "cancelled": {"type": "boolean"}},
        "required": ["reservation", "cancelled"],
    }
    found["Liveness"] = {
        "type": "object",
        "properties": {"status": {"type": "string", "enum": ["ok", "stuck"]}, "cycle_age_s": {"type": "number"}},
        "required": ["status", "cycle_age_s"],
    }
    found["Readiness"] = {
        "type": "object",
        "properties": {"ready": {"type": "boolean"}, "reasons": {"type": "array", "items": {"type": "string"}}},
        "required": ["ready", "reasons"],
    }
    return found


def _answer(name: str) -> dict[str, Any]:
    """`name` is a schema or a media type, or several of them with a bar between."""
    content: dict[str, Any] = {}
    for part in name.split("|"):
        if "/" in part:
            content[part] = {"schema": {"type": "string"}}
        else:
            before = content.get("application/json")
            content["application/json"] = {
                "schema": {"oneOf": [before["schema"], _ref(part)]} if before else _ref(part)
            }
    description = next((part for part in name.split("|") if "/" not in part), "Text")
    return {"description": description, "content": content}


def _told(endpoint: Endpoint, name: str) -> dict[str, Any]:
    answer = _answer(name)
    if endpoint.tagged:
        answer["headers"] = {"ETag": _TAG}
    if endpoint.links:
        answer["links"] = {
            link.operation: {"operationId": link.operation, "parameters": dict(link.parameters)}
            for link in endpoint.links
        }
    return answer


def _refusal(status: int) -> dict[str, Any]:
    return {"description": f"Refused ({status})", "content": {api.PROBLEM_MEDIA_TYPE: {"schema": _ref("Problem")}}}


def _parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    names = re.findall(r"{(\w+)}", endpoint.path)
    path = [{"name": name, "in": "path", "required": True, "schema": _PATHS[name]} for name in names]
    query = [
        {"name": q.name, "in": "query", "required": False, "description": q.description, "schema": dict(q.schema)}
        for q in endpoint.query
    ]
    headers = [
        {"name": h.name, "in": "header", "required": False, "description": h.description, "schema": dict(h.schema)}
        for h in endpoint.headers
    ]
    return [*path, *query, *headers]


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    statuses = {*endpoint.refusals, *((401, 403, 429) if endpoint.scope else ())}
    operation: dict[str, Any] = {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "description": f"Needs the scope {endpoint.scope}." if endpoint.scope else _NO_CREDENTIAL,
        "security": [{"token": []}, {"certificate": []}] if endpoint.scope else [],
        "responses": {str(status): _told(endpoint, name) for status, name in sorted(endpoint.answers.items())},
    }
    operation["responses"].update({str(status): _refusal(status) for status in sorted(statuses)})
    parameters = _parameters(endpoint)
    if parameters:
        operation["parameters"] = parameters
    if endpoint.takes:
        body = {"application/json": {"schema": _ref(endpoint.takes)}}
        operation["requestBody"] = {"required": True, "content": body}
    return operation


def document(endpoints: Iterable[Endpoint]) -> Mapping[str, Any]:
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "npufleet node agent",
            "version": __version__,
            "description": "Runs NPU containers on one node and tells the truth about its NPUs. Errors are RFC 9457"
            " problem documents whose `code` is stable.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}, "certificate": {"type": "mutualTLS"}},
        },
    }
