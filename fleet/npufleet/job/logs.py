"""The logs of all ranks as one: by the engine's time of each line, or as lines come; each begins with its rank."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator

from npufleet.agent_client import AgentClient
from npufleet.errors import AgentError
from npufleet.fleet import Fleet
from npufleet.sweep import Answer
from npufleet.workloads import Found


def prefix(job: Found, node: str) -> str:
    return f"{job.ranks.get(node, node)} | "


def together(fleet: Fleet, job: Found, tail: int) -> tuple[str, list[Answer[str]]]:
    """The last lines of each rank, sorted by time, and the answers of nodes that gave none."""
    answers = fleet.ask(lambda client: client.logs(job.name, tail, timestamps=True), job.nodes)
    lines: list[tuple[str, str]] = []
    for answer in answers:
        moment, before = "", prefix(job, answer.node.name)
        for line in (answer.value or "").splitlines():
            stamp, space, said = line.partition(" ")
            moment, said = (stamp, said) if space and stamp[:1].isdecimal() else (moment, line)
            lines.append((moment, before + said))
    lines.sort(key=lambda pair: pair[0])  # stable: lines of one rank keep their order
    return "".join(f"{line}\n" for _, line in lines), [answer for answer in answers if answer.problem is not None]


def follow(fleet: Fleet, job: Found, tail: int) -> Iterator[str]:
    """Whole lines of all ranks as they come; a rank whose log breaks off says so in its place."""
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    for node in job.nodes:
        work = (fleet.client(node), job.name, prefix(job, node), tail, lines)
        threading.Thread(target=_pass_on, args=work, name="logs", daemon=True).start()
    left = len(job.nodes)
    while left:
        line = lines.get()
        if line is None:
            left -= 1
        else:
            yield line


def _pass_on(client: AgentClient, name: str, before: str, tail: int, lines: queue.SimpleQueue[str | None]) -> None:
    rest = ""
    try:
        for chunk in client.follow_logs(name, tail):
            *whole, rest = (rest + chunk).split("\n")
            for line in whole:
                lines.put(f"{before}{line}\n")
    except AgentError as error:
        lines.put(f"{before}(the log breaks off: {error})\n")
    finally:
        if rest:
            lines.put(f"{before}{rest}\n")
        lines.put(None)
