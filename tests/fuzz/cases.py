"""The fuzz targets. Each takes a source of chance and fails where a parser raises or invents something.

It returns whether there was anything to hold the values against; that nothing raises is held in any case.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

from fuzz import damage, layouts, oracle
from npu_agent import probe
from npu_agent.probe import document, hccn, host, parse_info, recognise, topology, uda

_CASES = Path(__file__).resolve().parents[1] / "cases" / "npu_smi_parse"
RECORDED = [path.read_text(encoding="utf-8") for path in sorted(_CASES.glob("*/*.txt"))]
READERS: tuple[Callable[[str], Any], ...] = (
    probe.parse_health, probe.parse_board, probe.parse_list, probe.parse_numbers, probe.parse_proc_mem,
    probe.parse_tool_version, probe.parse_mapping, probe.classify_text, topology.parse_topology, topology.parse_hccs,
    hccn.parse_hccn_ip, hccn.parse_hccn_link, hccn.parse_hccn_ports, hccn.parse_hccn_net_health,
    hccn.parse_hccn_link_stat, hccn.parse_hccn_optical, hccn.parse_hccn_stat, hccn.parse_hccn_gateway,
    hccn.parse_hccn_netdetect, hccn.parse_hccn_tls, hccn.parse_hccn_status, hccn.parse_hccn_conf,
    host.parse_properties, host.parse_ranges, host.parse_lspci, uda.parse_udevice, uda.parse_namespaces,
)  # fmt: skip


def harmless(random: Random) -> bool:
    """Wrapped, coloured or indented, a table says the same."""
    sample = layouts.make(random)
    oracle.exact(sample, parse_info(random.choice(damage.HARMLESS)(random, sample.text)))
    return True


def one_hit(random: Random) -> bool:
    """After one hit every value is right or unknown."""
    sample = layouts.make(random)
    text = random.choice(damage.ONE)(random, sample.text)
    found = parse_info(text)
    held = _named(sample, text)
    if held:
        oracle.right_or_unknown(sample, found, text)
    return held


def several_hits(random: Random) -> bool:
    """After several hits what is not right stands literally at its place."""
    sample = layouts.make(random)
    text = sample.text
    for _ in range(random.randint(1, 5)):
        text = random.choice(damage.ANY)(random, text)
    found = parse_info(text)
    held = _named(sample, text)
    if held:
        oracle.literal(sample, found, text)
    return held


def _named(sample: layouts.Sample, text: str) -> bool:
    """Tell whether the columns still have names, or stand in the order which every known version prints."""
    lines = {line.strip() for line in text.splitlines()}
    return not sample.shuffled or lines.issuperset(sample.headers)


def tables_in_a_row(random: Random) -> bool:
    """Of several tables the last one is read, and it is no whole answer."""
    before, last = layouts.make(random), layouts.make(random)
    text = before.text + random.choice(("", "\n", damage.PROMPT)) + last.text
    found = parse_info(text)
    oracle.right_or_unknown(last, found, text)
    assert len(found.chips) == len(last.chips)
    assert not found.complete
    assert not found.chips_complete
    return True


def recorded(random: Random) -> bool:
    """A recorded output that was hit gives the same values, none, or what stands there."""
    whole = random.choice(RECORDED)
    text = whole
    for _ in range(random.randint(1, 3)):
        text = random.choice(damage.ANY)(random, text)
    known = recognise.recognise(whole)
    for reader in READERS:
        reader(text)
    found = document(text)
    json.dumps(found)
    now = recognise.recognise(text)
    if known is None or now is None or known.output != now.output:
        return False
    truth = dict(leaves(known.values))
    for path, value in leaves(now.values):
        assert value is None or truth.get(path) == value or stands(value, text), (known.output, path, value)
    return True


def nonsense(random: Random) -> bool:
    """Text that no tool prints is nobody's answer, and no parser raises."""
    signs = "|+-=: \n\t0123456789/.,[]()_%xAOKNPUChipBus-IdHealthProcess\x1b\x00\u4e2d"
    text = "".join(random.choice(signs) for _ in range(random.randint(0, 300)))
    for reader in READERS:
        reader(text)
    assert not document(text)["complete"]
    return True


TARGETS: tuple[Callable[[Random], bool], ...] = (
    harmless, one_hit, several_hits, tables_in_a_row, recorded, nonsense,
)  # fmt: skip


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    if isinstance(value, dict):
        for key, part in value.items():
            yield from leaves(part, (*path, key))
    elif isinstance(value, list | tuple):
        for index, part in enumerate(value):
            yield from leaves(part, (*path, index))
    else:
        yield path, value


def stands(value: Any, text: str) -> bool:
    """Tell whether a value stands in the text, in whichever way a tool may write it."""
    if isinstance(value, bool):
        return True
    folded = text.expandtabs().casefold()
    if isinstance(value, str):
        return value.expandtabs().casefold() in folded or any(part.casefold() in folded for part in value.split())
    forms = {str(value), f"{value:x}" if isinstance(value, int) else ""}
    return any(form and form in folded for form in forms) or _as_decimal(value, folded)


def _as_decimal(value: Any, text: str) -> bool:
    """1.414 may be printed as 1.4140, and 7 as 007."""
    return any(_same(word, value) for word in text.replace("[", " ").replace("]", " ").replace(":", " ").split())


def _same(word: str, value: Any) -> bool:
    try:
        return bool(float(word) == value)
    except ValueError:
        return False
