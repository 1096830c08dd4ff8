"""Commands that ask the running agent."""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from npu_agent import api
from npu_agent.cli import client
from npu_agent.cli.result import FAILED, UNREACHABLE, Result, failure, table

Command = Callable[[argparse.Namespace], Result]


def _asks(command: Command) -> Command:
    @functools.wraps(command)
    def asked(arguments: argparse.Namespace) -> Result:
        try:
            return command(arguments)
        except client.AgentDownError as error:
            return failure(str(error), "agent-unreachable", exit_code=UNREACHABLE)

    return asked


@_asks
def status(arguments: argparse.Namespace) -> Result:
    node = client.get(arguments.socket, "/v1/node")
    verdict = client.get(arguments.socket, "/v1/health")
    cards = client.get(arguments.socket, "/v1/npus")
    jobs = client.get(arguments.socket, "/v1/workloads")
    document = {
        "node": node,
        "ready": verdict["ready"],
        "reasons": verdict["reasons"],
        "npus": cards["npus"],
        "workloads": jobs["workloads"],
    }
    head = f"{node['node']}  {'ready' if verdict['ready'] else 'NOT READY'}  agent {node['agent_version']}"
    head += f"  {node['chip'] or 'chip unknown'}  driver {node['driver_version'] or 'unknown'}"
    parts = [head, *(f"  {reason}" for reason in verdict["reasons"]), "", _npu_table(cards)]
    if jobs["workloads"]:
        parts += ["", _workload_table(jobs)]
    return Result(document, "\n".join(parts))


@_asks
def health(arguments: argparse.Namespace) -> Result:
    verdict = client.get(arguments.socket, "/v1/health")
    rows = [[c["name"], c["state"], c["since"], c["action"], c["reason"]] for c in verdict["components"]]
    text = table(["COMPONENT", "STATE", "SINCE", "ACTION", "REASON"], rows)
    return Result(verdict, text, 0 if verdict["ready"] else FAILED)


@_asks
def npus(arguments: argparse.Namespace) -> Result:
    cards = client.get(arguments.socket, "/v1/npus")
    return Result(cards, _npu_table(cards))


@_asks
def workloads(arguments: argparse.Namespace) -> Result:
    jobs = client.get(arguments.socket, "/v1/workloads")
    return Result(jobs, _workload_table(jobs) if jobs["workloads"] else "There are no workloads on this node.")


@_asks
def logs(arguments: argparse.Namespace) -> Result:
    name = quote(arguments.name, safe="")
    target = f"/v1/workloads/{name}/logs?tail={max(arguments.tail, 0)}&follow={int(arguments.follow)}"
    chunks = client.stream(arguments.socket, target, follow=arguments.follow)
    if arguments.json:
        return Result({"workload": arguments.name, "logs": b"".join(chunks).decode("utf-8", "replace")})
    for chunk in chunks:
        sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
    return Result()


def _npu_table(cards: dict[str, Any]) -> str:
    rows = [_npu_row(api.Npu.from_dict(item)) for item in cards["npus"]]
    head = ["NPU", "NAME", "STATE", "HEALTH", "TEMP C", "POWER W", "AICORE %", "HBM MB", "HELD BY", "REASON"]
    return table(head, rows) if rows else "No NPU is known."


def _npu_row(npu: api.Npu) -> list[object]:
    used, total = npu.hbm_used_mb, npu.hbm_total_mb
    hbm = None if used is None or total is None else f"{used:g}/{total:g}"
    readings = [
        None if value is None else f"{value:g}" for value in (npu.temperature_c, npu.power_w, npu.aicore_percent)
    ]
    holder = npu.holder.sentence() if npu.holder else None
    return [npu.npu, npu.name, npu.state, npu.health, *readings, hbm, holder, npu.reason]


def _workload_table(jobs: dict[str, Any]) -> str:
    found = [api.Workload.from_dict(item) for item in jobs["workloads"]]
    rows = [[w.name, w.state, ",".join(map(str, w.npus)), w.spec.get("image"), w.exit_code, w.reason] for w in found]
    return table(["WORKLOAD", "STATE", "NPUS", "IMAGE", "EXIT", "REASON"], rows)
