"""The verdict on one NPU: its error codes decide, the Health word is the fallback, and old news is unknown."""

from __future__ import annotations

from typing import Optional

from npu_agent import api
from npu_agent.health import faults
from npu_agent.health.verdict import Verdict, gravest
from npu_agent.probe import model
from npu_agent.snapshot import Sighting, Snapshot

_BY_WORD = {
    "OK": (api.HEALTHY, "none"),
    "Warning": (api.DEGRADED, "none"),
    "Alarm": (api.UNHEALTHY, "reset-npu-when-idle"),
    "Critical": (api.UNHEALTHY, "reset-npu"),
    "UNKNOWN": (api.UNKNOWN, "check-driver"),
}
_GRAVE_WORDS = ("Alarm", "Critical")
_ACTION_BY_ERROR = {
    model.OCCUPIED: "fix-configuration",
    model.PERMISSION: "fix-configuration",
    model.MISSING_TOOL: "fix-configuration",
    model.MISSING_LIBRARY: "check-driver",
    model.DRIVER_NOT_READY: "check-driver",
    model.TIMEOUT: "check-driver",
}


def judge(npu: int, snapshot: Snapshot) -> Verdict:
    name = f"npu/{npu}"
    sighting = snapshot.sightings.get(npu)
    if npu in snapshot.absent and not snapshot.stale:
        return Verdict(name, api.UNHEALTHY, _absence(npu, snapshot), "reboot-node")
    if sighting is None:
        return Verdict(name, api.UNKNOWN, _never_seen(snapshot), trouble_action(snapshot))
    if not snapshot.fresh(npu):
        age = snapshot.now - sighting.seen_at
        return Verdict(name, api.UNKNOWN, f"last seen {age:.0f} s ago{_because(snapshot)}", trouble_action(snapshot))
    return _judge_row(name, sighting)


def trouble_action(snapshot: Snapshot) -> str:
    if snapshot.unkillable:
        return "reboot-node"
    return _ACTION_BY_ERROR.get(snapshot.errors[0].kind, "none") if snapshot.errors else "none"


def _because(snapshot: Snapshot) -> str:
    return f": {snapshot.errors[0].message}" if snapshot.errors else ""


def _never_seen(snapshot: Snapshot) -> str:
    if snapshot.first_answer and snapshot.unmapped:
        return "npu-smi lists cards whose physical id is not known: npu-smi info -m did not map them"
    return (
        f"not seen yet{_because(snapshot)}" if snapshot.first_answer else f"no complete probe yet{_because(snapshot)}"
    )


def _absence(npu: int, snapshot: Snapshot) -> str:
    if npu not in snapshot.facts.devices:
        return f"npu-smi does not list it, and /dev/davinci{npu} does not exist: the card is off the bus"
    return f"npu-smi does not list it although /dev/davinci{npu} exists: the card has dropped out"


def _judge_row(name: str, sighting: Sighting) -> Verdict:
    chip, codes = sighting.chip, sighting.codes
    if not chip.readable and chip.health is None:
        reason = "npu-smi printed OK and only zeros, or the row twice: it could not read the chip"
        return Verdict(name, api.UNKNOWN, reason, "check-driver")
    if chip.health is None:
        return Verdict(name, api.UNKNOWN, "the health word in npu-smi's answer could not be read", "none")
    return by_codes(name, chip.health, codes.codes if codes else None, codes.information if codes else ())


def by_codes(name: str, word: str, codes: Optional[tuple[str, ...]], information: tuple[str, ...] = ()) -> Verdict:
    """Judge a chip that was read. Codes the table does not know leave it to the word."""
    known = [fault for fault in map(faults.lookup, codes or ()) if fault and fault.level]
    verdicts = [_by_fault(name, word, fault) for fault in known]
    explained = bool(known) and len(known) == len(codes or ()) and not _word_says_more(word, verdicts)
    if not explained:
        verdicts.append(_by_word(name, word, codes, information))
    return gravest(verdicts)


def _word_says_more(word: str, verdicts: list[Verdict]) -> bool:
    """Codes that need no handling never add up to an Alarm: something else is wrong that has no code here."""
    return word in _GRAVE_WORDS and all(verdict.state == api.HEALTHY for verdict in verdicts)


def _by_fault(name: str, word: str, fault: faults.Fault) -> Verdict:
    state, action = faults.LEVELS[fault.level or ""]
    return Verdict(name, state, f"npu-smi reports {word}, code {fault.code} ({fault.sentence()})", action)


def _by_word(name: str, word: str, codes: Optional[tuple[str, ...]], information: tuple[str, ...]) -> Verdict:
    state, action = _BY_WORD[word]
    if word == "OK" and not codes:
        return Verdict(name, state)
    listed = f", code {' '.join(codes)}" if codes else ", without an error code" if codes == () else ""
    told = f" ({information[0][:120]})" if information else ""
    return Verdict(name, state, f"npu-smi reports {word}{listed}{told}", action)
