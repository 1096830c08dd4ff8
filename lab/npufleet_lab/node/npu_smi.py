"""The simulated `npu-smi`: the same words, the same complaints, the same exit statuses; its NPUs live in a file."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from . import board, misbehave, queries, reset, table
from .state import State, read, visible, write

_USAGE = "Usage: npu-smi info <watch|proc|-h|-m|-l|-t type> [Options...]\n"
_BAD_PARAMETER_STATUS = 255
_UNSUPPORTED = ("hccs", "p2p-enable", "product", "spod-info", "sio-info", "sensors", "volt", "flash")
Answer = tuple[str, int]

_BY_NPU: dict[str, Callable[[State, dict[str, Any]], str]] = {
    "ecc": queries.ecc, "usages": queries.usages, "common": queries.common, "memory": queries.memory,
    "power": queries.power, "temp": queries.temperature, "proc-mem": queries.process_memory,
    "err-count": queries.error_count,
}  # fmt: skip


def answer(arguments: list[str], state: State) -> Answer:
    """What the tool prints and returns for a command line, faults of the whole tool aside."""
    refused = misbehave.refusal(state)
    if refused is not None:
        return refused
    if arguments in (["-v"], ["--version"]):
        return f"npu-smi version: {state['tool']}\n", 0
    if arguments[:1] != ["info"]:
        return f"Error parameter of {arguments[0] if arguments else ''}\n" + _USAGE, _BAD_PARAMETER_STATUS
    return _info(arguments[1:], state)


def _info(arguments: list[str], state: State) -> Answer:
    if not arguments:
        return table.render(state), 0
    if arguments == ["-l"]:
        return queries.count_list(state), 0
    if arguments == ["-m"]:
        return queries.mapping(state), 0
    if arguments == ["-h"]:
        return _USAGE, 0
    options = _options(arguments)
    if options is None or "-t" not in options:
        return f"Error parameter of {arguments[0]}\n" + _USAGE, _BAD_PARAMETER_STATUS
    return _typed(options, state)


def _options(arguments: list[str]) -> dict[str, str] | None:
    """`-t health -i 0 -c 0`, in any order; None when the words do not pair up."""
    if len(arguments) % 2 or any(key not in {"-t", "-i", "-c"} for key in arguments[::2]):
        return None
    return dict(zip(arguments[::2], arguments[1::2]))


def _typed(options: dict[str, str], state: State) -> Answer:
    kind = options["-t"]
    if kind == "topo":
        return board.topology(state), 0
    if kind in _UNSUPPORTED:
        return f"This device does not support querying {kind}.\n", 0
    if kind not in _BY_NPU and kind not in {"health", "board"}:
        return "Error parameter of -t\n", _BAD_PARAMETER_STATUS
    npus = [npu for npu in visible(state) if str(npu["card"]) == options.get("-i")]
    if not npus:
        return "Invalid card id.\nError parameter of -i\n" + _USAGE, _BAD_PARAMETER_STATUS
    if "-c" in options:
        npus = [npu for npu in npus if str(npu["chip"]) == options["-c"]]
        if not npus:
            return "Invalid chip id.\nError parameter of -c\n" + _USAGE, _BAD_PARAMETER_STATUS
    return _for_npus(kind, npus, state, of_chip="-c" in options), 0


def _for_npus(kind: str, npus: list[dict[str, Any]], state: State, of_chip: bool) -> str:
    if kind == "board":
        return board.chip(state, npus[0]) if of_chip else board.card(state, npus[0])
    if kind == "health":
        return "\n".join(queries.health(state, npu, of_chip) for npu in npus)
    return "\n".join(_BY_NPU[kind](state, npu) for npu in npus)


def change(arguments: list[str], reply: str, state: State) -> tuple[str, int, State]:
    """`npu-smi set`: what it prints and returns, and the state after it."""
    refused = misbehave.refusal(state)
    if refused is not None:
        return (*refused, state)
    done = reset.answer(arguments, reply, state)
    return done or (f"Error parameter of {' '.join(arguments)}\n" + _USAGE, _BAD_PARAMETER_STATUS, state)


def main() -> int:
    state = misbehave.delay(read)
    if sys.argv[1:2] == ["set"]:
        output, status, after = change(sys.argv[2:], sys.stdin.readline(), state)
        if after is not state:
            write(after)
    else:
        output, status = answer(sys.argv[1:], state)
    misbehave.emit(output, state)
    return status
