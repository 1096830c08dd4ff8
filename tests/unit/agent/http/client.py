"""The API in one process: the real application and workloads, an engine in memory, no network."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from starlette.testclient import TestClient

from npu_agent import api
from npu_agent.audit import Trail
from npu_agent.auth import Authenticator, TokenFile
from npu_agent.http.app import make_app
from npu_agent.http.service import Published, Pulse, Service
from unit.agent.bench import Bench, npus

OPERATOR = "op"


def published() -> Published:
    report = api.HealthReport("n1", ready=True, state=api.HEALTHY, components=[api.Component("docker", api.HEALTHY)])
    node = api.Node("n1", "0.0.1", npu_count=8)
    return Published(node, report, npus(), "2026-01-01T00:00:00Z", 100.0, complete=True, metrics=b"a 1\n")


@dataclass
class Api:
    """`now` and `age` may be changed between requests."""

    bench: Bench
    now: Published = field(default_factory=published)
    age: float = 0.5
    changes: int = 0

    def open(self) -> Iterator[Api]:
        tokens = self.bench.folder / "tokens.json"
        known = {"op": ["view", "operate"], "view": ["view"]}
        listed = [{"name": n, "sha256": hashlib.sha256(n.encode()).hexdigest(), "scopes": s} for n, s in known.items()]
        tokens.write_text(json.dumps({"tokens": listed, "clients": [{"name": "alice", "scopes": ["view"]}]}))
        trail = self.bench.folder / "trail"
        trail.mkdir()
        with ThreadPoolExecutor(4) as executor:
            service = Service(
                published=lambda: self.now,
                pulse=Pulse(lambda: self.age, 15.0),
                workloads=self.bench.workloads,
                authenticator=Authenticator(TokenFile(tokens)),
                executor=executor,
                monotonic=lambda: 102.5,
                changed=self.changed,
                trail=Trail(trail),
            )
            self.service = service
            doors = (TestClient(make_app(service, trusted=trusted)) for trusted in (False, True))
            with next(doors) as self.outside, next(doors) as self.inside:
                yield self

    def changed(self) -> None:
        self.changes += 1

    def ask(self, method: str, path: str, token: str = OPERATOR, **more: Any) -> Any:
        headers = {"Authorization": f"Bearer {token}", **more.pop("headers", {})}
        return self.outside.request(method, path, headers=headers, **more)
