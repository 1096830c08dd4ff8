"""The chip families the simulated tools know: how many, where they sit, what an idle one shows."""

from __future__ import annotations

from dataclasses import dataclass

# Layouts of `npu-smi info`: "hbm" is the 910 family's table, "device" the 310 family's.
HBM = "hbm"
DEVICE = "device"


@dataclass(frozen=True)
class ChipFamily:
    """`places` gives each card's id and the bus addresses of its chips; a card may carry two."""

    name: str  # as the table prints it
    map_name: str  # as `info -m` prints it
    layout: str
    places: tuple[tuple[int, tuple[str, ...]], ...]
    pci_device: str
    power: str | None  # None: the chip does not report power, the table prints NA
    temperature: int
    memory: tuple[int, int]
    hbm: tuple[int, int]
    aicore_count: int
    aicore_mhz: tuple[int, int]  # at full speed, and idle
    phy_id: bool = False  # the table and `info -m` carry a Phy-ID column
    mcu: bool = True
    roce: bool = True
    ring: int = 8  # so many NPUs a reset of one takes along

    def npu_count(self) -> int:
        return sum(len(chips) for _, chips in self.places)


def _single(*buses: str) -> tuple[tuple[int, tuple[str, ...]], ...]:
    return tuple((card, (f"0000:{bus}:00.0",)) for card, bus in enumerate(buses))


def _two_on_a_card(buses: dict[int, tuple[str, str]]) -> tuple[tuple[int, tuple[str, ...]], ...]:
    return tuple((card, tuple(f"0000:{bus}:00.0" for bus in pair)) for card, pair in buses.items())


FAMILIES = {
    "910B3": ChipFamily(
        name="910B3", map_name="Ascend 910B3", layout=HBM, pci_device="d802", power="93.4", temperature=46,
        places=_single("C1", "C2", "81", "82", "01", "02", "41", "42"),
        memory=(0, 0), hbm=(3401, 65536), aicore_count=20, aicore_mhz=(1800, 800),
    ),
    "910A": ChipFamily(
        name="910A", map_name="Ascend 910A", layout=HBM, pci_device="d801", power="73.1", temperature=37,
        places=_single("61", "DB", "B2", "3E", "60", "DA", "B1", "3D"),
        memory=(920, 13553), hbm=(0, 32768), aicore_count=30, aicore_mhz=(900, 900), mcu=False, ring=4,
    ),
    # Two chips a card share one bus address, and card ids have holes: they follow the PCIe slot.
    "310P3": ChipFamily(
        name="310P3", map_name="Ascend 310P3", layout=DEVICE, pci_device="d500", power=None, temperature=49,
        places=_two_on_a_card({0: ("01", "01"), 96: ("03", "03"), 128: ("81", "81"), 224: ("84", "84")}),
        memory=(1448, 44278), hbm=(0, 0), aicore_count=8, aicore_mhz=(1080, 1080), roce=False, ring=1,
    ),
    "A3": ChipFamily(
        name="Ascend910", map_name="Ascend910", layout=HBM, pci_device="d803", power="163.6", temperature=30,
        places=_two_on_a_card({
            0: ("9D", "9F"), 1: ("99", "9B"), 2: ("95", "97"), 3: ("91", "93"),
            4: ("8D", "8F"), 5: ("89", "8B"), 6: ("85", "87"), 7: ("81", "83"),
        }),
        memory=(0, 0), hbm=(3180, 65536), aicore_count=24, aicore_mhz=(1800, 800), phy_id=True, ring=2,
    ),
}  # fmt: skip
