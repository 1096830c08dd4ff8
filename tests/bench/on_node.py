"""Runs on the node itself, where no network and no SSH is between the clock and what it measures: stdlib only.

Reads one document from stdin, does what its `do` says, and prints one document.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

asked: dict[str, Any] = json.load(sys.stdin)
CURL = ["curl", "-sS", "--fail-with-body", "--cacert", asked["ca"], "-H", "Authorization: Bearer " + asked["token"]]


def curl(method: str, path: str, *more: str) -> Any:
    """As an operator would, with a process and a connection of its own for each request."""
    done = subprocess.run(
        [*CURL, "-X", method, *more, asked["url"] + path], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{method} {path}: {done.stdout}{done.stderr}")
    return json.loads(done.stdout)


def get(path: str) -> Any:
    """Over the agent's own socket; raises OSError while nobody listens."""
    connection = Local("localhost", timeout=20)
    try:
        connection.request("GET", path)
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


class Local(http.client.HTTPConnection):
    def connect(self) -> None:
        import socket

        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect("/run/npufleet/agent.sock")


def put(spec: dict[str, Any]) -> Any:
    return curl("PUT", "/v1/workloads/" + spec["name"], "-d", json.dumps(spec))


def delete(spec: dict[str, Any]) -> Any:
    return curl("DELETE", f"/v1/workloads/{spec['name']}?grace_s=0")


def timed(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def through_the_agent() -> float:
    told: dict[str, Any] = {}
    seconds = timed(lambda: told.update(put(asked["spec"])))
    if told["state"] != "running":
        raise SystemExit(f"told to be {told['state']}: {told['reason']}")
    delete(asked["spec"])
    return seconds


def beside_it() -> float:
    seconds = timed(lambda: subprocess.run(asked["docker"], check=True, stdout=subprocess.DEVNULL))
    subprocess.run(["docker", "rm", "-f", asked["docker_name"]], check=True, stdout=subprocess.DEVNULL)
    return seconds


def pairs() -> dict[str, Any]:
    """By turns, and each of them first every other time."""
    found = []
    for number in range(asked["rounds"] + 1):
        first, second = (through_the_agent, beside_it) if number % 2 else (beside_it, through_the_agent)
        one = {first.__name__: first(), second.__name__: second()}
        found.append((one["through_the_agent"], one["beside_it"]))
    return {"pairs": found[1:]}  # the first ones load what is loaded late


def containers() -> dict[str, list[Any]]:
    ids = subprocess.run(["docker", "ps", "-aq"], check=True, capture_output=True, text=True).stdout.split()
    told = subprocess.run(["docker", "inspect", *ids], check=True, capture_output=True, text=True).stdout
    return {
        one["Name"]: [one["Id"], one["State"]["StartedAt"], one["State"]["Pid"], one["RestartCount"]]
        for one in json.loads(told)
    }


def adopted() -> bool:
    try:
        states = [one["state"] for one in get("/v1/workloads")["workloads"]]
    except (OSError, http.client.HTTPException):
        return False
    return len([state for state in states if state == "running"]) == int(asked["containers"])


def restarts() -> dict[str, Any]:
    """From the command to the moment when the next agent has seen every container run."""
    specs = [{**asked["spec"], "name": f"kept-{npu}", "npus": [npu]} for npu in range(asked["containers"])]
    for spec in specs:
        put(spec)
    before, seconds = containers(), []
    for _ in range(asked["rounds"]):
        began = time.perf_counter()
        subprocess.run(["systemctl", "restart", "npu-agent"], check=True)
        while not adopted():
            time.sleep(0.01)
        seconds.append(time.perf_counter() - began)
        time.sleep(3)
    untouched = containers() == before
    for spec in specs:
        delete(spec)
    return {"seconds": seconds, "untouched": untouched}


def footprint() -> dict[str, int]:
    """Of the agent's process, when it has had time to tidy up."""
    time.sleep(15)
    shown = subprocess.run(
        ["systemctl", "show", "-p", "MainPID", "--value", "npu-agent"], check=True, capture_output=True, text=True
    )
    pid = int(shown.stdout)
    with open(f"/proc/{pid}/status", encoding="utf-8") as stream:  # noqa: PTH123 - one small file of the kernel's
        lines = dict(line.split(":", 1) for line in stream if ":" in line)
    return {
        "pid": pid,
        "resident_kib": int(lines["VmRSS"].split()[0]),
        "threads": int(lines["Threads"]),
        "descriptors": len(os.listdir(f"/proc/{pid}/fd")),  # noqa: PTH208 - see above
        "leases": len(get("/v1/leases")["leases"]),
        "workloads": len(get("/v1/workloads")["workloads"]),
    }


def many() -> dict[str, Any]:
    seconds, looks = [], {}
    for number in range(1, asked["rounds"] + 1):
        seconds.append(timed(lambda: put(asked["spec"])))
        delete(asked["spec"])
        if number in asked["look_at"]:
            looks[number] = footprint()
    return {"seconds": seconds, "looks": looks}


print(json.dumps({"pairs": pairs, "restarts": restarts, "many": many}[asked["do"]]()))
