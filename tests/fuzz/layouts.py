"""Tables of `npu-smi info` as the tool prints them, of any chip family and width, together with what they say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

FIRST_LABELS = ("Power(W)", "Temp(C)", "Hugepages-Usage(page)")
FIELDS = {
    "Power(W)": ("power_w",),
    "Temp(C)": ("temperature_c",),
    "Hugepages-Usage(page)": ("hugepages_used", "hugepages_total"),
    "AICore(%)": ("aicore_percent",),
    "NPU Util(%)": ("npu_util_percent",),
    "Memory-Usage(MB)": ("memory_used_mb", "memory_total_mb"),
    "HBM-Usage(MB)": ("hbm_used_mb", "hbm_total_mb"),
    "Clock(MHz)": (),
}
NAMES = ("910A", "910B", "910ProB", "910B3", "910B4-1", "Ascend910", "310", "310P3", "310B4", "Ascend950PR")
VERSIONS = ("22.0.4", "23.0.rc3", "23.0.2.1", "24.1.0", "25.3.rc1.b020", "26.0.rc1")
PROCESS_NAMES = ("python", "python3.11", "VLLMEngineCor", "", "a b", "ray::IDLE", "x|y", "||", "npu-smi", "OK")


@dataclass(frozen=True)
class Family:
    """`ids` heads the first cell of a chip's second row; None is the newest layout, which has none there."""

    ids: str | None
    labels: tuple[str, ...]
    chips: int = 1
    always_processes: bool = True


FAMILIES = (
    Family("Chip", ("AICore(%)", "Memory-Usage(MB)", "HBM-Usage(MB)")),
    Family("Chip  Phy-ID", ("AICore(%)", "Memory-Usage(MB)", "HBM-Usage(MB)"), chips=2),
    Family("Chip  Device", ("AICore(%)", "Memory-Usage(MB)"), chips=2, always_processes=False),
    Family(None, ("NPU Util(%)", "Memory-Usage(MB)", "HBM-Usage(MB)")),
)


@dataclass
class Sample:
    """`chips` are the fields of each chip as printed; a process is (card, chip, pid, name, MB)."""

    text: str = ""
    family: Family = FAMILIES[0]
    chips: list[dict[str, Any]] = field(default_factory=list)
    processes: list[tuple[Any, ...]] = field(default_factory=list)
    idle: list[int] = field(default_factory=list)
    versions: tuple[str, str] = ("", "")
    process_table: bool = True
    shuffled: bool = False
    headers: tuple[str, ...] = ()

    def key(self, chip: dict[str, Any]) -> tuple[Any, Any]:
        return chip["npu_id"], chip.get("chip_id")


def make(random: Random) -> Sample:
    """Print a table whose widths and columns differ from those of any recorded one."""
    family = random.choice(FAMILIES)
    sample = Sample(family=family, versions=(random.choice(VERSIONS), random.choice(VERSIONS)))
    sample.process_table = family.always_processes or random.random() < 0.5
    cards = sorted(random.sample(range(8) if random.random() < 0.7 else range(2200), random.randint(1, 3)))
    per_card = random.randint(1, family.chips)
    for card in cards:
        for chip in range(per_card):
            sample.chips.append(_chip(random, family, card, chip, len(sample.chips)))
    printer = _Printer(random, sample)
    printer.chips()
    if sample.process_table:
        printer.processes(cards, per_card)
    sample.text = "\n".join(printer.lines) + "\n"
    return sample


def _chip(random: Random, family: Family, card: int, chip: int, index: int) -> dict[str, Any]:
    found: dict[str, Any] = {
        "npu_id": card,
        "name": random.choice(NAMES),
        "health": random.choice(("OK", "OK", "Warning", "Alarm", "Critical", "UNKNOWN")),
        "bus_id": random.choice((None, f"0000:{random.randint(1, 255):02X}:00.0")),
        "power_w": random.choice((None, round(random.uniform(1, 400), 1))),
        "temperature_c": random.randint(1, 99),
    }
    if family.ids is not None:
        found["chip_id"] = chip
    if family.ids and "Phy-ID" in family.ids:
        found["phy_id"] = index + 8
    if family.ids and "Device" in family.ids:
        found["device"] = index
    for label in ("Hugepages-Usage(page)", *family.labels):
        names = FIELDS[label]
        if len(names) == 2:
            total = random.choice((15, 969, 15665, 65536, 131072))
            found.update(zip(names, (random.randint(0, total), total), strict=True))
        else:
            found[names[0]] = random.randint(0, 100)
    return found


class _Printer:
    def __init__(self, random: Random, sample: Sample) -> None:
        self.random = random
        self.sample = sample
        self.lines: list[str] = []
        self.first = self._shuffled(FIRST_LABELS)
        self.second = self._shuffled(sample.family.labels)
        sample.shuffled = (*self.first, *self.second) != (*FIRST_LABELS, *sample.family.labels)
        slots = max(len(self.first), len(self.second))
        self.slot = random.randint(22, 26)
        new = sample.family.ids is None
        self.widths = [*((8, random.randint(14, 20)) if new else (random.randint(22, 32),)), 15, slots * self.slot + 1]

    def _shuffled(self, labels: Sequence[str]) -> list[str]:
        """Real columns come in one order; a version to come may have another, and one more."""
        found = list(labels)
        if self.random.random() < 0.3:
            self.random.shuffle(found)
        if self.random.random() < 0.2:
            found.insert(self.random.randint(0, len(found)), "Clock(MHz)")
        return found

    def rule(self, sign: str, widths: Sequence[int]) -> None:
        self.lines.append("+" + "+".join(sign * width for width in widths) + "+")

    def row(self, *cells: str, widths: Sequence[int] | None = None) -> None:
        pairs = zip(cells, widths or self.widths, strict=True)
        self.lines.append("|" + "|".join(f" {cell:<{width - 1}}" for cell, width in pairs) + "|")

    def values(self, labels: Sequence[str], chip: dict[str, Any]) -> str:
        return "".join(f"{self._value(label, chip):<{self.slot}}" for label in labels).rstrip()

    def _value(self, label: str, chip: dict[str, Any]) -> str:
        names = FIELDS[label]
        if len(names) == 2:
            gap = self.random.choice(("", " ", "   "))
            return f"{chip[names[0]]}{gap}/ {chip[names[1]]}"
        if not names:
            return "1800"
        value = chip[names[0]]
        return self.random.choice(("NA", "-")) if value is None else str(value)

    def chips(self) -> None:
        whole, new = sum(self.widths) + len(self.widths) - 1, self.sample.family.ids is None
        tool, driver = self.sample.versions
        self.rule("-", [whole])
        self.row(f"npu-smi {tool:<24} Version: {driver}", widths=[whole])
        self.rule("-", self.widths)
        head = ("NPU ID", "Name") if new else ("NPU   Name",)
        blank = ("", "") if new else (self.sample.family.ids or "",)
        self.row(*head, "Health", "".join(f"{label:<{self.slot}}" for label in self.first).rstrip())
        self.row(*blank, "Bus-Id", "".join(f"{label:<{self.slot}}" for label in self.second).rstrip())
        self.sample.headers = tuple(self.lines[-2:])
        self.rule("=", self.widths)
        for index, chip in enumerate(self.sample.chips):
            self._chip(chip, new=new)
            following = self.sample.chips[index + 1 : index + 2]
            self.rule("-" if following and following[0]["npu_id"] == chip["npu_id"] else "=", self.widths)

    def _chip(self, chip: dict[str, Any], *, new: bool) -> None:
        card = str(chip["npu_id"])
        head = (card, chip["name"]) if new else (f"{card:<5} {chip['name']}",)
        self.row(*head, chip["health"], self.values(self.first, chip))
        ids = "     ".join(str(chip[name]) for name in ("chip_id", "phy_id", "device") if name in chip)
        self.row(*(("", "") if new else (ids,)), chip["bus_id"] or "NA", self.values(self.second, chip))

    def processes(self, cards: Sequence[int], per_card: int) -> None:
        new, wide = self.sample.family.ids is None, self.random.random() < 0.3
        widths = [self.random.randint(20, 26), 15, 26, self.random.randint(22, 26), *((25,) if wide else ())]
        heads = ["NPU ID" if new else "NPU     Chip", "Process id", "Process name", "Process memory(MB)"]
        self.rule("-", widths)
        self.row(*heads, *(("Process id in container",) if wide else ()), widths=widths)
        self.rule("=", widths)
        for card in cards:
            if self.random.random() < 0.5:
                self.sample.idle.append(card)
                self.row(f"No running processes found in NPU {card}", widths=[sum(widths) + len(widths) - 1])
            for _ in range(0 if card in self.sample.idle else self.random.randint(1, 2)):
                chip = None if new else self.random.randrange(per_card)
                name = self.random.choice(PROCESS_NAMES)
                process = (card, chip, self.random.randint(2, 4194304), name or None, self.random.randint(0, 65536))
                self.sample.processes.append(process)
                owner = str(card) if new else f"{card:<7} {chip}"
                more = ("NA",) if wide else ()
                self.row(owner, str(process[2]), name, str(process[4]), *more, widths=widths)
            self.rule("=", widths)
