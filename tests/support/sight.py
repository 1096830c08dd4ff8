"""One look at a node for the invariants: its engine and its agent, each asked directly over its own socket."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from support.nodes import Node

ACTIVE = {"running", "paused", "restarting"}
LABEL = "io.npufleet.workload"
_NPU = re.compile(r"/dev/davinci(\d+)")

# Runs on the node. The engine is asked before and after the agent: what both lists show was so in between.
LOOK = r"""
import http.client, json, socket, sys

class Local(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=20)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)

def get(path, address):
    connection = Local(path)
    try:
        connection.request("GET", address)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()

def containers():
    status, listed = get("/var/run/docker.sock", "/containers/json?all=1")
    assert status == 200, listed
    found = {}
    for item in listed:
        status, told = get("/var/run/docker.sock", "/containers/%s/json" % item["Id"])
        if status == 200:
            found[item["Id"]] = {
                "name": told["Name"].lstrip("/"),
                "state": told["State"]["Status"],
                "started_at": told["State"]["StartedAt"],
                "pid": told["State"]["Pid"],
                "labels": told["Config"]["Labels"] or {},
                "devices": [device["PathOnHost"] for device in told["HostConfig"]["Devices"] or ()],
                "privileged": told["HostConfig"]["Privileged"],
            }
    return found

def agent(asked, labelled):
    def read(address):
        status, document = get("/run/npufleet/agent.sock", address)
        assert status == 200, document
        return document

    node = read("/v1/node")
    leases = read("/v1/leases")["leases"]
    listed = {workload["name"]: workload for workload in read("/v1/workloads")["workloads"]}
    workloads = {}
    for name in sorted({*asked, *labelled, *listed, *(lease["workload"] for lease in leases)}):
        status, document = get("/run/npufleet/agent.sock", "/v1/workloads/" + name)
        assert status in (200, 404), document
        workloads[name] = document if status == 200 else None
    assert read("/v1/node")["started_at"] == node["started_at"], "another agent answers"
    return {"life": node["started_at"], "leases": leases, "listed": sorted(listed), "workloads": workloads}

def attempt(function, *arguments):
    try:
        return function(*arguments)
    except (OSError, ValueError, http.client.HTTPException, AssertionError, KeyError) as error:
        print("%s: %r" % (function.__name__, error), file=sys.stderr)
        return None

first = attempt(containers)
labelled = {one["labels"].get("io.npufleet.workload") for one in (first or {}).values()} - {None}
told = attempt(agent, sys.argv[1:], labelled)
print(json.dumps({"first": first, "agent": told, "second": attempt(containers)}))
"""


@dataclass(frozen=True)
class Seen:
    """A container as Docker tells it."""

    id: str
    name: str
    state: str
    started_at: str
    workload: str | None
    npus: frozenset[int]

    @property
    def active(self) -> bool:
        return self.state in ACTIVE


@dataclass(frozen=True)
class AgentSight:
    """`life` differs with every start of the agent; a workload that it does not know is None."""

    life: str
    leases: list[dict[str, Any]] = field(default_factory=list)
    workloads: Mapping[str, dict[str, Any] | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Sight:
    """None is what did not answer."""

    first: dict[str, Seen] | None
    agent: AgentSight | None
    second: dict[str, Seen] | None


def parse(document: Mapping[str, Any]) -> Sight:
    told = document["agent"]
    agent = AgentSight(told["life"], told["leases"], told["workloads"]) if told else None
    return Sight(_containers(document["first"]), agent, _containers(document["second"]))


def _containers(told: Mapping[str, Any] | None) -> dict[str, Seen] | None:
    if told is None:
        return None
    return {key: _container(key, one) for key, one in told.items()}


def _container(key: str, told: Mapping[str, Any]) -> Seen:
    matches = (_NPU.fullmatch(path) for path in told["devices"])
    npus = frozenset(int(match[1]) for match in matches if match)
    if told["privileged"]:
        npus = frozenset(range(16))
    return Seen(key, told["name"], told["state"], told["started_at"], told["labels"].get(LABEL), npus)


def look(node: Node, names: Iterable[str]) -> Sight:
    """Whatever does not answer is None in it; only a node that cannot be reached is an error."""
    command = f"python3 -c {shlex.quote(LOOK)} {' '.join(map(shlex.quote, names))}"
    return parse(json.loads(node.run(command, timeout_s=120)))
