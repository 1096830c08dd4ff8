"""`npu-smi info -l | -m | -t TYPE`: lists of keys and values, padded as the real tool pads them."""

from __future__ import annotations

from typing import Any

from . import events
from .chips import ChipFamily
from .state import State, family, health_word, visible

Npu = dict[str, Any]
_MCU_TEMPERATURE = 38
_WIDE_KEYS = 40  # only ECC has them; every other list pads to 30


def pair(key: str, value: object, width: int = 30) -> str:
    return f"\t{key:<{width}} : {value}\n"


def count_list(state: State) -> str:
    npus = visible(state)
    cards = list(dict.fromkeys(npu["card"] for npu in npus))
    text = pair("Total Count", len(cards))
    for card in cards:
        text += "\n" + pair("NPU ID", card) + pair("Chip Count", sum(npu["card"] == card for npu in npus))
    return text


def mapping(state: State) -> str:
    chips = family(state)
    heads = ["NPU ID", "Chip ID", "Chip Logic ID", *(["Chip Phy-ID"] if chips.phy_id else []), "Chip Name"]
    # Drivers with an MCU row pad the last column too.
    pad = (lambda cells: "".join(f"{cell:<31}" for cell in cells).rstrip()) if not chips.mcu else _map_row
    lines = [pad(heads)]
    npus = visible(state)
    for index, npu in enumerate(npus):
        row = [npu["card"], npu["chip"], npu["npu"], *([npu["npu"]] if chips.phy_id else []), chips.map_name]
        lines.append("".join(f"{cell:<31}" for cell in row).rstrip())
        last_of_card = index + 1 == len(npus) or npus[index + 1]["card"] != npu["card"]
        if chips.mcu and last_of_card:
            lines.append(pad([npu["card"], npu["chip"] + 1, "-", *(["-"] if chips.phy_id else []), "Mcu"]))
    return "".join(f"\t{line}\n" for line in lines)


def _map_row(cells: list[Any]) -> str:
    return " ".join(f"{cell:<30}" for cell in cells)


def health(state: State, npu: Npu, of_chip: bool) -> str:
    if not of_chip:
        text = pair("NPU ID", npu["card"]) + pair("Chip Count", _chips_of(state, npu)) + "\n"
        text += pair("Health", health_word(npu)) + pair("Chip ID", npu["chip"])
        return text + (_mcu_block(state, pair("Health", "OK")) if family(state).mcu else "")
    word = health_word(npu)
    if not npu["codes"]:
        # Without a captured event the real tool says OK here, whatever the table says.
        word = word if word == "UNKNOWN" else "OK"
        return pair("Health Status", word) + pair("Error Code", "NA") + pair("Error Information", "NA")
    texts = [events.text(code) for code in npu["codes"]]
    listing = pair("Health Status", word) + pair("Error Code", " ".join(npu["codes"]))
    return listing + pair("Error Information", texts[0]) + "".join("\n" + pair("", text) for text in texts[1:])


def ecc(state: State, npu: Npu) -> str:
    text = pair("NPU ID", npu["card"], _WIDE_KEYS) + pair("Chip Count", _chips_of(state, npu), _WIDE_KEYS) + "\n"
    broken = {"HBM": int("80E01801" in npu["codes"]), "DDR": 0}
    for memory in ("DDR", "HBM"):
        for kind in ("Single Bit Error Count", "Double Bit Error Count"):
            text += pair(f"{memory} {kind}", broken[memory] if "Double" in kind else 0, _WIDE_KEYS)
        for kind in ("Single", "Double"):
            count = broken[memory] if kind == "Double" else 0
            text += pair(f"{memory} {kind} Bit Aggregate Total Err Cnt", count, _WIDE_KEYS)
        for kind in ("Single", "Double"):
            text += pair(f"{memory} {kind} Bit Isolated Pages Count", 0, _WIDE_KEYS)
    return text + pair("Chip ID", npu["chip"], _WIDE_KEYS)


def usages(state: State, npu: Npu) -> str:
    text = pair("NPU ID", npu["card"]) + pair("Chip Count", _chips_of(state, npu)) + "\n"
    for memory, key in (("DDR", "memory"), ("HBM", "hbm")):
        used, total = npu[key]
        text += pair(f"{memory} Capacity(MB)", total) + pair(f"{memory} Usage Rate(%)", _percent(used, total))
        if memory == "DDR":
            text += pair("DDR Hugepages Total(page)", npu["hugepages"][1])
            text += pair("DDR Hugepages Usage Rate(%)", _percent(*npu["hugepages"]))
    for name, value in (("Aicore", npu["aicore"]), ("Aicpu", 0), ("Ctrlcpu", 0)):
        text += pair(f"{name} Usage Rate(%)", value)
    text += pair("DDR Bandwidth Usage Rate(%)", 0) + pair("HBM Bandwidth Usage Rate(%)", 0)
    return text + pair("Chip ID", npu["chip"])


def common(state: State, npu: Npu) -> str:
    chips = family(state)
    full, idle = chips.aicore_mhz
    text = pair("NPU ID", npu["card"]) + pair("Chip Count", _chips_of(state, npu)) + "\n"
    text += pair("Chip ID", npu["chip"]) + pair("Memory Usage Rate(%)", _percent(*npu["memory"]))
    text += pair("HBM Usage Rate(%)", _percent(*npu["hbm"])) + pair("Aicore Usage Rate(%)", npu["aicore"])
    text += pair("Aicore Freq(MHZ)", full) + pair("Aicore curFreq(MHZ)", full if npu["aicore"] else idle)
    text += pair("Aicore Count", npu["aicore_count"]) + pair("Temperature(C)", npu["temperature"])
    text += pair("NPU Real-time Power(W)", npu["power"])
    return text + (_mcu_block(state, pair("Temperature(C)", _MCU_TEMPERATURE)) if chips.mcu else "")


def memory(_state: State, npu: Npu) -> str:
    has_hbm = npu["hbm"][1] > 0
    text = pair("DDR Capacity(MB)", npu["memory"][1]) + pair("DDR Clock Speed(MHz)", 2666 if npu["memory"][1] else 0)
    if has_hbm:
        text += pair("HBM Capacity(MB)", npu["hbm"][1]) + pair("HBM Clock Speed(MHz)", 1600)
        text += pair("HBM Temperature(C)", npu["temperature"] + 2) + pair("HBM Manufacturer ID", "0x56")
    return text


def power(state: State, npu: Npu) -> str:
    return (
        pair("NPU ID", npu["card"])
        + pair("Chip Count", _chips_of(state, npu))
        + "\n"
        + pair("NPU Real-time Power(W)", npu["power"])
    )


def temperature(state: State, npu: Npu) -> str:
    text = pair("NPU ID", npu["card"]) + pair("Chip Count", _chips_of(state, npu)) + "\n"
    text += pair("NPU Temperature (C)", npu["temperature"]) + pair("Chip ID", npu["chip"])
    return text + (_mcu_block(state, pair("Temperature(C)", _MCU_TEMPERATURE)) if family(state).mcu else "")


def process_memory(state: State, npu: Npu) -> str:
    rows = [process for process in state["processes"] if process["npu"] == npu["npu"]]
    if not rows:
        return f"\tNo running processes found in NPU {npu['card']}\n"
    return "".join(
        f"\tProcess id:{row['pid']}  Process name:{row['name'][:15]:<18}Process memory(MB):{row['mb']}\n"
        for row in rows
    )


def error_count(state: State, npu: Npu) -> str:
    text = pair("NPU ID", npu["card"]) + pair("Chip Count", _chips_of(state, npu)) + "\n"
    return text + pair("Error Count", len(npu["codes"])) + pair("Chip ID", npu["chip"])


def _percent(used: int, total: int) -> int:
    return used * 100 // total if total else 0


def _chips_of(state: State, npu: Npu) -> int:
    return sum(other["card"] == npu["card"] for other in visible(state))


def _mcu_block(state: State, body: str) -> str:
    chips: ChipFamily = family(state)
    return "\n" + pair("Chip Name", "mcu") + body if chips.mcu else ""
