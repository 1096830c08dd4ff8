"""The verdict on one NPU: its error codes decide, the Health word is the fallback, and old news is unknown."""

from __future__ import annotations

from typing import Optional

from npu_agent import api
from npu_agent.health import faults, rules
from npu_agent.health.limits import by_limit
from npu_agent.health.rules import Judgement, Rules
from npu_agent.health.verdict import Verdict, gravest
from npu_agent.probe import model
from npu_agent.snapshot import Sighting, Snapshot

_GRAVE_WORDS = ("Alarm", "Critical")
_ACTION_BY_ERROR = {
    model.OCCUPIED: "fix-configuration",
    model.PERMISSION: "fix-configuration",
    model.MISSING_TOOL: "fix-configuration",
    model.MISSING_LIBRARY: "check-driver",
    model.DRIVER_NOT_READY: "check-driver",
    model.TIMEOUT: "check-driver",
}


def judge(npu: int, snapshot: Snapshot, by: Optional[Rules] = None) -> Verdict:
    name = f"npu/{npu}"
    sighting = snapshot.sightings.get(npu)
    if npu in snapshot.absent and not snapshot.stale:
        return Verdict(name, api.UNHEALTHY, _absence(npu, snapshot), "reboot-node", marks=("off-the-bus",))
    if sighting is None:
        return Verdict(name, api.UNKNOWN, _never_seen(snapshot), trouble_action(snapshot))
    if not snapshot.fresh(npu):
        age = snapshot.now - sighting.seen_at
        return Verdict(name, api.UNKNOWN, f"last seen {age:.0f} s ago{_because(snapshot)}", trouble_action(snapshot))
    return _judge_row(name, sighting, by or rules.shipped())


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


def _judge_row(name: str, sighting: Sighting, by: Rules) -> Verdict:
    chip, codes = sighting.chip, sighting.codes
    if not chip.readable and chip.health is None:
        reason = "npu-smi printed OK and only zeros, or the row twice: it could not read the chip"
        return Verdict(name, api.UNKNOWN, reason, "check-driver")
    if chip.health is None:
        return Verdict(name, api.UNKNOWN, "the health word in npu-smi's answer could not be read", "none")
    told = by_codes(name, chip.health, codes.codes if codes else None, codes.information if codes else (), by=by)
    return gravest([told, *_by_readings(name, sighting, by)])


def _by_readings(name: str, sighting: Sighting, by: Rules) -> list[Verdict]:
    chip, pages = sighting.chip, _isolated_pages(sighting)
    heat = None if chip.temperature_c is None else f"{chip.temperature_c:g} C: check fans, airflow and load"
    used = None
    if chip.hbm_used_mb is not None and chip.hbm_total_mb:
        used = 100.0 * chip.hbm_used_mb / chip.hbm_total_mb
    return [
        *by_limit(name, by, "npu-temperature-c", chip.temperature_c, f"the chip has {heat}", mark="hot"),
        *by_limit(name, by, "npu-hbm-used-percent", used, f"{used or 0:.0f} % of its HBM is used", mark="hbm-full"),
        *by_limit(name, by, "npu-isolated-pages", pages, f"{pages} pages of its memory are isolated", mark="isolated"),
    ]


def _isolated_pages(sighting: Sighting) -> Optional[int]:
    """Count pages taken out of use after multi-bit errors, as `-t ecc` tells them; None where it does not."""
    ecc = sighting.readings.get("ecc")
    found = [ecc.numbers.get(f"{kind} double bit isolated pages count") for kind in ("hbm", "ddr")] if ecc else []
    known = [int(number) for number in found if number is not None]
    return sum(known) if known else None


def by_codes(
    name: str,
    word: str,
    codes: Optional[tuple[str, ...]],
    information: tuple[str, ...] = (),
    *,
    by: Optional[Rules] = None,
) -> Verdict:
    """Judge a chip that was read. Codes the table does not know leave it to the word."""
    by = by or rules.shipped()
    verdicts = [verdict for code in codes or () for verdict in _by_code(name, word, code, by)]
    explained = bool(verdicts) and len(verdicts) == len(codes or ()) and not _word_says_more(word, verdicts)
    if not explained:
        verdicts.append(_by_word(name, word, codes, information, by.words[word]))
    return gravest(verdicts)


def _word_says_more(word: str, verdicts: list[Verdict]) -> bool:
    """Codes that need no handling never add up to an Alarm: something else is wrong that has no code here."""
    return word in _GRAVE_WORDS and all(verdict.state == api.HEALTHY for verdict in verdicts)


def _by_code(name: str, word: str, code: str, by: Rules) -> list[Verdict]:
    """One verdict, or none where neither the table nor the site has a level for the code."""
    fault = faults.lookup(code)
    level = by.codes.get(code.upper()) or (fault.level if fault else None)
    judgement = by.levels.get(level or "")
    if level is None or judgement is None:
        return []
    told = fault.sentence() if fault else faults.level_texts(level).get("meaning", {}).get("en", level)
    reason = f"npu-smi reports {word}, code {code} ({told})"
    return [Verdict(name, judgement.state, reason, judgement.action, marks=(code.upper(),))]


def _by_word(
    name: str, word: str, codes: Optional[tuple[str, ...]], information: tuple[str, ...], judgement: Judgement
) -> Verdict:
    if word == "OK" and not codes:
        return Verdict(name, judgement.state)
    listed = f", code {' '.join(codes)}" if codes else ", without an error code" if codes == () else ""
    told = f" ({information[0][:120]})" if information else ""
    marks = tuple(code.upper() for code in codes or ()) or (word,)
    return Verdict(name, judgement.state, f"npu-smi reports {word}{listed}{told}", judgement.action, marks=marks)
