"""The faults a person can ask for, in the words of `npufleet lab fault`, and what they do to the state."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from . import pci
from . import state as state_file
from .events import SEVERITIES
from .state import NO_FAULTS, State, initial

HEALTH_WORDS = (*SEVERITIES, "UNKNOWN")
GARBAGE_KINDS = ("truncated", "binary", "empty")
_CODE = re.compile(r"^[0-9A-F]{8,9}$")
_DURATION = re.compile(r"^(\d+(?:\.\d+)?)(ms|s|m)?$")
_UNIT_S = {"ms": 0.001, "s": 1.0, None: 1.0, "m": 60.0}
USAGE = (
    "npu=3 health=Alarm code=80E01801 | npu=3 link=DOWN | process npu=3 pid=4711 name=python mb=58593 | "
    "hang | slow 3s | garbage [truncated|binary|empty] | drop-card 5 | occupied | not-ready | cut | heal [npu=3]"
)


class FaultError(ValueError):
    """The words make no fault; the message says which word and what would do."""


@dataclass(frozen=True)
class Fault:
    """`kind` is the verb; NPU faults have no verb of their own and are kind "npu"."""

    kind: str
    npu: int | None = None
    values: dict[str, Any] = field(default_factory=dict)


def parse(words: Sequence[str]) -> Fault:
    if not words:
        raise FaultError(f"Say which fault: {USAGE}.")
    verb = words[0].lower()
    if "=" in verb:
        return _parse_npu(words)
    parser = _VERBS.get(verb)
    if parser is None:
        raise FaultError(f"There is no fault called {words[0]!r}. Faults are: {USAGE}.")
    return parser(list(words[1:]))


def apply(state: State, fault: Fault) -> State:
    """The state with the fault in it; the argument is left as it is."""
    changed: State = {**state, "faults": {**NO_FAULTS, **state["faults"]}, "npus": [dict(npu) for npu in state["npus"]]}
    changed["processes"] = list(state["processes"])
    if fault.npu is not None and not any(npu["npu"] == fault.npu for npu in changed["npus"]):
        known = ", ".join(str(npu["npu"]) for npu in changed["npus"])
        raise FaultError(f"This node has no NPU {fault.npu}; it has {known}.")
    _EFFECTS[fault.kind](changed, fault)
    return changed


def _pairs(words: Sequence[str], allowed: Sequence[str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for word in words:
        key, separator, value = word.partition("=")
        if not separator or key not in allowed:
            raise FaultError(f"{word!r} is not understood here: use {', '.join(f'{name}=...' for name in allowed)}.")
        values[key] = value
    return values


def _number(text: str, what: str) -> int:
    if not text.isdigit():
        raise FaultError(f"{what} must be a number, not {text!r}.")
    return int(text)


def _parse_npu(words: Sequence[str]) -> Fault:
    values: dict[str, Any] = dict(_pairs(words, ("npu", "health", "code", "link", "net_health", "temperature")))
    if "npu" not in values:
        raise FaultError("Say which NPU: npu=3.")
    npu = _number(values.pop("npu"), "npu")
    if "health" in values and values["health"] not in HEALTH_WORDS:
        raise FaultError(f"health is one of {', '.join(HEALTH_WORDS)}, not {values['health']!r}.")
    if "code" in values:
        values["code"] = [_code(part) for part in values["code"].split(",")]
    if "temperature" in values:
        values["temperature"] = _number(values["temperature"], "temperature")
    if not values:
        raise FaultError(f"Say what is wrong with NPU {npu}: health=Alarm, code=80E01801, link=DOWN.")
    return Fault("npu", npu, values)


def _code(text: str) -> str:
    code = text.upper().replace("0X", "")
    if not _CODE.match(code):
        raise FaultError(f"An error code has eight hexadecimal digits, as 80E01801; {text!r} has not.")
    return code


def _parse_slow(words: list[str]) -> Fault:
    match = _DURATION.match(words[0]) if len(words) == 1 else None
    if match is None:
        raise FaultError("Say how slow: slow 3s.")
    return Fault("slow", None, {"seconds": float(match.group(1)) * _UNIT_S[match.group(2)]})


def _parse_garbage(words: list[str]) -> Fault:
    kind = words[0] if words else "truncated"
    if kind not in GARBAGE_KINDS or len(words) > 1:
        raise FaultError(f"garbage is one of {', '.join(GARBAGE_KINDS)}.")
    return Fault("garbage", None, {"kind": kind})


def _parse_drop(words: list[str]) -> Fault:
    if len(words) != 1:
        raise FaultError("Say which NPU falls off the bus: drop-card 5.")
    return Fault("drop-card", _number(words[0].replace("npu=", ""), "drop-card"))


def _parse_process(words: list[str]) -> Fault:
    values = _pairs(words, ("npu", "pid", "name", "mb"))
    if not {"npu", "pid"} <= set(values):
        raise FaultError("A process needs at least npu= and pid=.")
    row = {
        "pid": _number(values["pid"], "pid"),
        "name": values.get("name", "python"),
        "mb": _number(values.get("mb", "1024"), "mb"),
    }
    return Fault("process", _number(values["npu"], "npu"), row)


def _parse_heal(words: list[str]) -> Fault:
    values = _pairs(words, ("npu",))
    return Fault("heal", _number(values["npu"], "npu") if values else None)


def _plain(kind: str) -> Any:
    def parse_plain(words: list[str]) -> Fault:
        if words:
            raise FaultError(f"{kind} takes no further words; {words[0]!r} is one too many.")
        return Fault(kind)

    return parse_plain


_VERBS: dict[str, Any] = {
    "hang": _plain("hang"), "slow": _parse_slow, "garbage": _parse_garbage, "drop-card": _parse_drop,
    "occupied": _plain("occupied"), "not-ready": _plain("not-ready"), "process": _parse_process,
    "cut": _plain("cut"), "heal": _parse_heal,
}  # fmt: skip


def _record(state: State, fault: Fault) -> dict[str, Any]:
    found: dict[str, Any] = next(npu for npu in state["npus"] if npu["npu"] == fault.npu)
    return found


def _apply_npu(state: State, fault: Fault) -> None:
    record = _record(state, fault)
    record["health"] = fault.values.get("health", record["health"])
    record["codes"] = fault.values.get("code", record["codes"])
    record["temperature"] = fault.values.get("temperature", record["temperature"])
    roce = {key: fault.values[key] for key in ("link", "net_health") if key in fault.values}
    record["roce"] = {**record["roce"], **roce}


def _apply_process(state: State, fault: Fault) -> None:
    state["processes"].append({"npu": fault.npu, **fault.values})


def _apply_heal(state: State, fault: Fault) -> None:
    fresh = initial(state["chip"], state["driver"], state["number"])
    if fault.npu is None:
        state.update({key: fresh[key] for key in ("npus", "processes", "faults")})
        return
    state["npus"] = [fresh["npus"][i] if npu["npu"] == fault.npu else npu for i, npu in enumerate(state["npus"])]
    state["processes"] = [process for process in state["processes"] if process["npu"] != fault.npu]
    state["faults"]["dropped"] = [npu for npu in state["faults"]["dropped"] if npu != fault.npu]


def _set(key: str, value_key: str = "") -> Any:
    def effect(state: State, fault: Fault) -> None:
        state["faults"][key] = fault.values[value_key] if value_key else True

    return effect


def _apply_drop(state: State, fault: Fault) -> None:
    """A card leaves the bus with all its chips."""
    card = _record(state, fault)["card"]
    gone = {npu["npu"] for npu in state["npus"] if npu["card"] == card}
    state["faults"]["dropped"] = sorted({*state["faults"]["dropped"], *gone})


_EFFECTS: dict[str, Any] = {
    "npu": _apply_npu, "process": _apply_process, "heal": _apply_heal, "drop-card": _apply_drop,
    "hang": _set("hang"), "slow": _set("slow_s", "seconds"), "garbage": _set("garbage", "kind"),
    "occupied": _set("occupied"), "not-ready": _set("not_ready"),
    "cut": _set("cut"),
}  # fmt: skip


def main() -> int:
    try:
        changed = apply(state_file.read(), parse(sys.argv[1:]))
    except FaultError as error:
        print(error, file=sys.stderr)
        return 2
    state_file.write(changed)
    pci.sync(changed)
    return 0
