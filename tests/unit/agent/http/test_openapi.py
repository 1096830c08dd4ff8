from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # its types are a package of their own

from npu_agent.http import openapi
from npu_agent.http.app import ENDPOINTS
from unit.agent.bench import spec
from unit.agent.http.client import Api

DOCUMENT: Any = openapi.document(ENDPOINTS)


def validator(name: str) -> Any:
    schema = {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    return Draft202012Validator(schema)


@pytest.mark.parametrize("name", sorted(DOCUMENT["components"]["schemas"]))
def test_every_schema_is_one(name: str) -> None:
    Draft202012Validator.check_schema(DOCUMENT["components"]["schemas"][name])


def test_every_endpoint_is_told_once() -> None:
    told = [(path, method) for path, methods in DOCUMENT["paths"].items() for method in methods]
    assert sorted(told) == sorted((e.path, e.method.lower()) for e in ENDPOINTS)
    names = [operation["operationId"] for methods in DOCUMENT["paths"].values() for operation in methods.values()]
    assert len(names) == len(set(names))


def test_the_spec_that_is_published_is_the_one_that_validates() -> None:
    published = validator("WorkloadSpec")
    assert published.is_valid(spec())
    assert not published.is_valid(spec(nups=1))


@pytest.mark.parametrize(
    ("path", "schema"),
    [
        ("/healthz", "Liveness"),
        ("/readyz", "Readiness"),
        ("/v1/node", "Node"),
        ("/v1/health", "HealthReport"),
        ("/v1/npus", "NpuReport"),
        ("/v1/leases", "Leases"),
        ("/v1/leases/kept", "Reservation"),
        ("/v1/cordon", "Cordons"),
        ("/v1/drain", "Drain"),
        ("/v1/workloads", "Workloads"),
        ("/v1/workloads/job", "Workload"),
        ("/v1/workloads/none", "Problem"),
    ],
)
def test_answers_are_as_documented(agent: Api, path: str, schema: str) -> None:
    agent.ask("PUT", "/v1/workloads/job", json=spec())
    agent.ask("PUT", "/v1/leases/kept", json={"npus": 1})
    agent.ask("PUT", "/v1/drain", json={"owner": "a"})
    assert list(validator(schema).iter_errors(agent.ask("GET", path).json())) == []


def test_it_is_served_and_tells_nothing_secret(agent: Api) -> None:
    assert agent.outside.get("/openapi.json").json() == DOCUMENT
