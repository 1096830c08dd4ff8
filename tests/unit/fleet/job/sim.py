"""Agents that keep reservations and workloads, for jobs over several nodes; a fault may strike before any call."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import requests

from npu_agent import api
from npufleet.fleet import Fleet
from npufleet.inventory import Inventory
from npufleet.testing import Handler, MemoryAgent, Reply, memory_fleet
from unit.fleet.samples import make_facts, make_node, make_npu, problem, replies_of

SPEC = api.WorkloadSpec("job", "img:1", 2)
Fault = Callable[[str], Reply | None]


@dataclass
class Agent:
    """`fault` is asked before each call; its answer takes the place of the agent's own."""

    name: str
    number: int
    reservations: dict[str, list[int]] = field(default_factory=dict)
    workloads: dict[str, api.Workload] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    fault: Fault = lambda _call: None
    addresses: bool = True

    def facts(self) -> Any:
        held = {npu: name for name, npus in self.reservations.items() for npu in npus}
        held |= {npu: w.name for w in self.workloads.values() for npu in w.npus}
        ips = [f"192.168.{self.number}.{npu + 1}" if self.addresses else None for npu in range(8)]
        npus = [make_npu(npu, holder=held.get(npu), device_ip=ips[npu]) for npu in range(8)]
        return make_facts(self.name, npus=npus, workloads=list(self.workloads.values()))

    def adapter(self) -> MemoryAgent:
        agent = self

        class Table(dict[str, Reply | Handler]):
            def get(self, key: str, _default: Any = None) -> Any:
                return lambda request: agent.answer(key, request)

        return MemoryAgent(Table())

    def answer(self, key: str, request: requests.PreparedRequest) -> Reply:
        self.calls.append(key)
        struck = self.fault(key)
        if struck is not None:
            return struck
        method, path = key.split(" ")
        name = path.rpartition("/")[2]
        body = json.loads(request.body or "null")
        if path.startswith("/v1/leases/"):
            return self._lease(method, name, body)
        if path.startswith("/v1/workloads/"):
            return self._workload(method, name, body, str(request.url))
        reply = replies_of(self.facts()).get(key) or problem(404, api.CODE_NOT_FOUND, "There is nothing here.")
        assert isinstance(reply, Reply)
        return reply

    def _lease(self, method: str, name: str, body: Any) -> Reply:
        if method == "DELETE":
            return Reply({"reservation": name, "cancelled": self.reservations.pop(name, None) is not None})
        free = [npu.npu for npu in self.facts().npus.npus if npu.holder is None]
        wanted = body["spec"]["npus"]
        if len(free) < wanted:
            return problem(409, api.CODE_NPU_HELD, "NPU 0 is held by workload other.")
        self.reservations[name] = free[:wanted]
        return Reply(api.Reservation(name, free[:wanted]).to_dict(), status=201)

    def _workload(self, method: str, name: str, body: Any, url: str) -> Reply:
        if method == "PUT":
            kept = self.reservations.pop(url.rpartition("reservation=")[2], None)
            if kept is None:
                return problem(409, api.CODE_RESERVATION_GONE, "There is no such reservation.")
            self.workloads[name] = api.Workload(name, body, npus=kept, state=api.RUNNING)
            return Reply(self.workloads[name].to_dict(), status=201)
        found = self.workloads.get(name)
        if found is None:
            return problem(404, api.CODE_NOT_FOUND, f"There is no workload {name} on this node.")
        if method == "DELETE":
            del self.workloads[name]
            found = replace(found, state=api.REMOVED)
        return Reply(found.to_dict())

    @property
    def empty(self) -> bool:
        return not self.reservations and not self.workloads

    def end(self, code: int, name: str = "job") -> None:
        reason = f"it ended with exit code {code}"
        self.workloads[name] = replace(self.workloads[name], state=api.EXITED, exit_code=code, reason=reason)


@dataclass
class Site:
    agents: dict[str, Agent]

    @classmethod
    def of(cls, count: int) -> Site:
        return cls({f"n{number}": Agent(f"n{number}", number) for number in range(1, count + 1)})

    def fleet(self) -> Fleet:
        nodes = [make_node(agent.name, f"192.0.2.{agent.number}") for agent in self.agents.values()]
        adapters = {name: agent.adapter() for name, agent in self.agents.items()}
        return memory_fleet(nodes, adapters, Inventory(Path("inventory/test"), ()))


def refuse(part: str, reply: Reply) -> Fault:
    return lambda call: reply if call.startswith(part) else None
