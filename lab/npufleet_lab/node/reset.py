"""`npu-smi set -t reset`: asks, resets the chip and all that share its ring, and takes with it what a reset heals.

Question and answer are those of the vendor's manual. What the real tool says where it refuses is not recorded anywhere
that we know of, but that `Status` is then `Fail`.
"""

from __future__ import annotations

from typing import Any

from .queries import pair
from .state import State, family, initial, visible

QUESTION = (
    "Resetting the standard PCIe card or NPU chip may cause a system hang or abnormal reset during service running.\n"
    "Are you sure you want to continue resetting?(Y/N)\n"
)
# The driver's code for a reset that failed, -8015, as an exit status.
FAILED_STATUS = 177
# What the chip has counted for good, so that only another chip is free of it.
_STAYS = ("80E18402",)
Answer = tuple[str, int, State]


def answer(arguments: list[str], reply: str, state: State) -> Answer | None:
    """What is printed, the exit status and the state afterwards; None where the words are not understood."""
    options = _options(arguments)
    if options is None or options.get("-t") != "reset":
        return None
    named = [npu for npu in visible(state) if str(npu["card"]) == options.get("-i")]
    if "-c" in options:
        named = [npu for npu in named if str(npu["chip"]) == options["-c"]]
    if not named:
        return None
    if reply.strip().lower() not in {"y", "yes"}:
        return QUESTION, 0, state
    ring = ring_of(state, named[0])
    told = QUESTION + pair("Message", "resetting ...")
    if any(process["npu"] in ring for process in state["processes"]):
        return told + pair("Status", "Fail") + pair("Message", "Reset card failed."), FAILED_STATUS, state
    return told + pair("Status", "OK") + pair("Message", "Reset card successfully."), 0, _healed(state, ring)


def ring_of(state: State, npu: dict[str, Any]) -> set[int]:
    """The chips of one card where the card is the ring, else the group of so many."""
    size, others = family(state).ring, visible(state)
    of_card = {other["npu"] for other in others if other["card"] == npu["card"]}
    if size == 1 or len(of_card) == size:
        return of_card if size > 1 else {npu["npu"]}
    return {other["npu"] for other in others if other["npu"] // size == npu["npu"] // size}


def _healed(state: State, ring: set[int]) -> State:
    """Cables and cooling are none of a reset's business."""
    fresh = initial(state["chip"], state["driver"], state["number"])["npus"]
    npus = []
    for npu, new in zip(state["npus"], fresh):
        left = [code for code in npu["codes"] if code in _STAYS]
        kept = {"roce": npu["roce"], "temperature": npu["temperature"], "codes": left}
        npus.append({**new, **kept} if npu["npu"] in ring else npu)
    return {**state, "npus": npus}


def _options(arguments: list[str]) -> dict[str, str] | None:
    """`-t reset -i 0 [-c 0] [-m 1]`."""
    if len(arguments) % 2 or any(key not in {"-t", "-i", "-c", "-m"} for key in arguments[::2]):
        return None
    return dict(zip(arguments[::2], arguments[1::2]))
