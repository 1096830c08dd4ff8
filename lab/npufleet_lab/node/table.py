"""`npu-smi info`: the table, column by column as the real tool prints it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .chips import DEVICE
from .state import State, family, health_word, visible

_MAX_PROCESSES_PER_CHIP = 8  # the real tool leaves the rest out without a word
_NAME_LENGTH = 15  # the kernel's own limit for a process name


@dataclass(frozen=True)
class Layout:
    """Widths of the cells between the bars, and of the fields inside them."""

    cells: tuple[int, int, int]
    version: int  # where "Version:" starts in the title row
    key: int  # width of the first field of a row
    power: int
    temperature: int
    used: int  # width of the first number of a "used / total" pair
    headers: tuple[tuple[str, str, str], tuple[str, str, str]]
    process: tuple[str, str, str]
    process_name: int


_PROCESS = ("NPU     Chip", "Process id")
HBM_LAYOUT = Layout(
    cells=(27, 15, 52), version=25, key=6, power=12, temperature=18, used=5, process_name=25,
    headers=(
        ("NPU   Name", "Health", "Power(W)    Temp(C)           Hugepages-Usage(page)"),
        ("Chip", "Bus-Id", "AICore(%)   Memory-Usage(MB)  HBM-Usage(MB)"),
    ),
    process=(*_PROCESS, "Process name             | Process memory(MB)"),
)  # fmt: skip
DEVICE_LAYOUT = Layout(
    cells=(31, 17, 54), version=41, key=8, power=13, temperature=18, used=6, process_name=25,
    headers=(
        ("NPU     Name", "Health", "Power(W)     Temp(C)           Hugepages-Usage(page)"),
        ("Chip    Device", "Bus-Id", "AICore(%)    Memory-Usage(MB)"),
    ),
    process=(*_PROCESS, "Process name             | Process memory(MB)"),
)  # fmt: skip


def render(state: State) -> str:
    layout = DEVICE_LAYOUT if family(state).layout == DEVICE else HBM_LAYOUT
    npus = visible(state)
    lines = _head(state, layout)
    for index, npu in enumerate(npus):
        lines += _rows(state, npu, layout)
        same_card = index + 1 < len(npus) and npus[index + 1]["card"] == npu["card"]
        lines.append(_chip_rule(layout) if same_card else _rule(layout, "="))
    return "\n".join(lines + _processes(state, npus, layout)) + "\n"


def _rule(layout: Layout, character: str) -> str:
    return "+" + "+".join(character * width for width in layout.cells) + "+"


def _chip_rule(layout: Layout) -> str:
    """Between two chips of a card the 910 family draws one line right through, the 310 family keeps the columns."""
    return _full_rule(layout) if layout is HBM_LAYOUT else _rule(layout, "-")


def _full_rule(layout: Layout) -> str:
    return "+" + "-" * (sum(layout.cells) + 2) + "+"


def _row(layout: Layout, cells: tuple[str, str, str]) -> str:
    return "|" + "|".join(f" {cell}".ljust(width) for cell, width in zip(cells, layout.cells)) + "|"


def _full_row(layout: Layout, text: str) -> str:
    return "|" + f" {text}".ljust(sum(layout.cells) + 2) + "|"


def _head(state: State, layout: Layout) -> list[str]:
    first, second = layout.headers
    if family(state).phy_id:
        second = ("Chip  Phy-ID", *second[1:])
    title = f"npu-smi {state['tool']}".ljust(layout.version + 8) + f"Version: {state['driver']}"
    return [
        _full_rule(layout), _full_row(layout, title), _rule(layout, "-"),
        _row(layout, first), _row(layout, second), _rule(layout, "="),
    ]  # fmt: skip


def _pair(values: list[int], width: int) -> str:
    return f"{values[0]}".ljust(width) + f"/ {values[1]}"


def _rows(state: State, npu: dict[str, Any], layout: Layout) -> list[str]:
    key, power, temperature = layout.key, layout.power, layout.temperature
    first = f"{npu['power']}".ljust(power) + f"{npu['temperature']}".ljust(temperature)
    # Hugepages keep a column of their own width in the 310 family's table; usages are one narrower there.
    usage = f"{npu['aicore']}".ljust(power)
    if layout is HBM_LAYOUT:
        usage += _pair(npu["memory"], layout.used).ljust(temperature) + _pair(npu["hbm"], layout.used)
        device = str(npu["npu"]) if family(state).phy_id else ""
    else:
        usage += _pair(npu["memory"], layout.used - 1)
        device = str(npu["npu"])
    return [
        _row(
            layout,
            (f"{npu['card']}".ljust(key) + npu["name"], health_word(npu), first + _pair(npu["hugepages"], layout.used)),
        ),
        _row(layout, (f"{npu['chip']}".ljust(key) + device, npu["bus_id"], usage)),
    ]


def _processes(state: State, npus: list[dict[str, Any]], layout: Layout) -> list[str]:
    lines = [_rule(layout, "-"), _row(layout, layout.process), _rule(layout, "=")]
    for card in dict.fromkeys(npu["card"] for npu in npus):
        lines += _card_processes(state, [npu for npu in npus if npu["card"] == card], layout)
        lines.append(_rule(layout, "="))
    return lines


def _card_processes(state: State, chips: list[dict[str, Any]], layout: Layout) -> list[str]:
    lines = []
    for chip in chips:
        held = [process for process in state["processes"] if process["npu"] == chip["npu"]]
        for process in held[:_MAX_PROCESSES_PER_CHIP]:
            name = process["name"][:_NAME_LENGTH].ljust(layout.process_name)
            place = f"{chip['card']}".ljust(8) + f"{chip['chip']}"
            lines.append(_row(layout, (place, str(process["pid"]), f"{name}| {process['mb']}")))
    return lines or [_full_row(layout, f"No running processes found in NPU {chips[0]['card']}")]
