"""The marks, colours and small texts that all views share: a sign for each state, so that colour is never alone."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions
from rich.text import Text

from npu_agent import api


@dataclass(frozen=True)
class Mark:
    sign: str
    plain: str  # for terminals that know only ASCII
    style: str

    def text(self, *, ascii_only: bool = False) -> Text:
        """As a span, so that what is appended keeps its own colour."""
        return Text.assemble((self.plain if ascii_only else self.sign, self.style))


OK = Mark("●", "o", "green")
WARN = Mark("▲", "!", "yellow")
BAD = Mark("✖", "x", "red")
DUNNO = Mark("?", "?", "magenta")
OFF = Mark("○", "-", "dim")
ADVICE = Mark("→", "->", "cyan")

_BY_STATE = {
    api.HEALTHY: OK,
    api.DEGRADED: WARN,
    api.UNHEALTHY: BAD,
    api.RUNNING: OK,
    api.PENDING: WARN,
    api.EXITED: OFF,
    api.REMOVED: OFF,
    api.FAILED: BAD,
    "ready": OK,
    "not-ready": BAD,
    "unreachable": BAD,
}


def of(state: str) -> Mark:
    """Whatever is not known to be fine gets the question mark."""
    return _BY_STATE.get(state, DUNNO)


def ascii_only(console: Console, options: ConsoleOptions) -> bool:
    return options.ascii_only or not console.encoding.lower().startswith("utf")


_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?")


def clean(value: object) -> str:
    """Take terminal controls out of what a node says: its words must not move the operator's cursor."""
    text = _ESCAPES.sub("", str(value)).replace("\n", " ").replace("\t", " ")
    return "".join(c for c in text if unicodedata.category(c) not in {"Cc", "Cf"})


_ADVICE = {
    "restart-workload": "restart the workload",
    "reset-npu-when-idle": "reset the NPU once nothing runs on it",
    "reset-npu": "stop what runs on the NPU and reset it",
    "reboot-node": "reboot the node",
    "replace-hardware": "take the node out of service and have the hardware replaced",
    "fix-configuration": "correct the node's configuration: npufleet preflight shows what is amiss",
    "check-driver": "check the driver on the node: npu-smi info, dmesg",
}


def advice(action: str) -> str:
    """What to do, in words; nothing for `none`."""
    return "" if action == "none" else _ADVICE.get(action, clean(action))


def arrow(told: str, *, ascii_only: bool) -> Text:
    return Text.assemble(ADVICE.text(ascii_only=ascii_only), " ", (told, ADVICE.style))


def counted(number: int, one: str, many: str | None = None) -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
