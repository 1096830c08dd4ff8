"""Recorded outputs, and tables in the real format made from a few words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

CASES = Path(__file__).resolve().parents[2] / "cases" / "npu_smi_parse"

_RULE = "+" + "=" * 27 + "+" + "=" * 15 + "+" + "=" * 52 + "+"
_TOP = _RULE.replace("=", "-")
_FULL = "+" + "-" * 96 + "+"


def read(name: str) -> str:
    return (CASES / name).read_text(encoding="utf-8")


def names(folder: str) -> list[str]:
    return sorted(path.stem for path in (CASES / folder).glob("*.txt"))


def first_row(npu: int, health: str = "OK", power: str = "93.2", temp: str = "47", name: str = "910B3") -> str:
    return f"| {npu:<5} {name:<19} | {health:<13} | {power:<11} {temp:<17} {'0    / 0':<20} |"


def second_row(bus: str = "0000:C1:00.0", hbm: str = "4096 / 65536", chip: int = 0) -> str:
    return f"| {chip:<25} | {bus:<13} | {'0':<11} {'0    / 0':<17} {hbm:<20} |"


def table(rows: Sequence[tuple[str, ...]], idle: Sequence[int] = ()) -> str:
    """Print the table of a 910B with 24.1.0 around chips, each a tuple of its rows."""
    lines = [
        _FULL,
        f"| npu-smi 24.1.0                   Version: 24.1.0{' ' * 47}|",
        _TOP,
        "| NPU   Name                | Health        | Power(W)    Temp(C)           Hugepages-Usage(page)|",
        "| Chip                      | Bus-Id        | AICore(%)   Memory-Usage(MB)  HBM-Usage(MB)        |",
        _RULE,
    ]
    for chip in rows:
        lines += [*chip, _RULE]
    lines += [
        _TOP,
        "| NPU     Chip              | Process id    | Process name             | Process memory(MB)      |",
        _RULE,
    ]
    for npu in idle:
        lines += [f"| No running processes found in NPU {npu:<61}|", _RULE]
    return "\n".join(lines) + "\n"


def healthy_table(count: int = 8, **health: str) -> str:
    """Print `count` chips; `n3="Alarm"` gives NPU 3 another word."""
    rows = [
        (first_row(npu, health.get(f"n{npu}", "OK")), second_row(f"0000:{npu + 1:02X}:00.0")) for npu in range(count)
    ]
    return table(rows, idle=range(count))
