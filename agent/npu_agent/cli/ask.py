"""Commands that ask the running agent."""

from __future__ import annotations

import argparse
import functools
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import quote

from npu_agent import api
from npu_agent.cli import client
from npu_agent.cli.result import FAILED, UNREACHABLE, Result, failure, table

_GAP = "(what came between is no longer kept)"
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
    found = [api.Component.from_dict(item) for item in verdict["components"]]
    rows = [[c.name, c.state, c.since, c.action, "; ".join(filter(None, (c.reason, c.advice)))] for c in found]
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


@_asks
def events(arguments: argparse.Namespace) -> Result:
    after = max(arguments.after, 0)
    if arguments.follow:
        for event in _followed(client.stream(arguments.socket, f"/v1/events?after={after}&follow=1", follow=True)):
            print(json.dumps(event, ensure_ascii=False) if arguments.json else _event_line(event), flush=True)
        return Result()
    page = client.get(arguments.socket, f"/v1/events?after={after}")
    lines = [_GAP] if page["gap"] else []
    return Result(page, "\n".join([*lines, *map(_event_line, page["events"])]) or "Nothing has happened.")


def _followed(chunks: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """Take server-sent events apart: an empty line ends one, comments are passed over."""
    waiting = b""
    for chunk in chunks:
        *blocks, waiting = (waiting + chunk).split(b"\n\n")
        for block in blocks:
            lines = [line[6:] for line in block.split(b"\n") if line.startswith(b"data: ")]
            if lines:
                yield json.loads(b"\n".join(lines))


def _event_line(event: dict[str, Any]) -> str:
    return f"{event['seq']}  {event['at']}  {event['kind']:<8}  {event['message']}" if "seq" in event else _GAP


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
