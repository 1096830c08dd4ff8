"""Which tool's answer a text is, and what it says: for recorded outputs that are not `npu-smi info`."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Optional

from npu_agent.probe import detail, hccn, host, mapping, table, topology, uda
from npu_agent.probe.blocks import first_values

_INFO = re.compile(r"Bus-Id|Process id|\bHealth\b")
_DAVINCI = re.compile(r"(?<![\w-])(?:/dev/)?davinci(\d{1,4})(?!\w)", re.ASCII)


@dataclass(frozen=True)
class Understood:
    """`output` is the question that prints such an answer, `values` its parts as plain data."""

    output: str
    values: Any


Reader = Callable[[str], Any]


def recognise(text: str) -> Optional[Understood]:
    """Name the answer, None where no known tool prints such a text. The first answer of several counts."""
    keys = first_values(text)
    for output, fits, read in _KINDS:
        if fits(text, keys):
            return Understood(output, read(text))
    return None


Keys = Mapping[str, str]
Fits = Callable[[str, Keys], bool]


def _with(*wanted: str) -> Fits:
    """Fit where one of these keys is there; several joined by + must be there together."""
    groups = [group.split("+") for group in wanted]
    return lambda _text, keys: any(all(key in keys for key in group) for group in groups)


def _holds(pattern: str) -> Fits:
    compiled = re.compile(pattern, re.ASCII | re.MULTILINE)
    return lambda text, _keys: compiled.search(text) is not None


def _plain(read: Reader) -> Reader:
    """Turn a record into plain data."""
    return lambda text: dataclasses.asdict(read(text))


def _named(name: str, read: Reader) -> Reader:
    return lambda text: {name: read(text)}


def _mapping(text: str) -> list[dict[str, Any]]:
    return [{**dataclasses.asdict(row), "npu": row.npu} for row in mapping.parse_mapping(text).rows]


def _topology(text: str) -> dict[str, Any]:
    found = topology.parse_topology(text)
    matrix = [[found.links.get((label, other)) for other in found.labels] for label in found.labels]
    return {"labels": list(found.labels), "links": matrix, "cpus": dict(found.cpus), "complete": found.complete}


def _fault_events(text: str) -> list[dict[str, Any]]:
    return [dataclasses.asdict(event) for event in detail.parse_fault_events(text)]


def _conf(text: str) -> dict[str, Any]:
    return {str(device): dataclasses.asdict(found) for device, found in hccn.parse_hccn_conf(text).items()}


def _link(text: str) -> dict[str, Any]:
    ports = {str(port): word for port, word in hccn.parse_hccn_ports(text).items()}
    return {"link": hccn.parse_hccn_link(text), "ports": ports}


def _lspci(text: str) -> list[dict[str, Any]]:
    return [dataclasses.asdict(device) for device in host.parse_lspci(text)]


def _udevice(text: str) -> dict[str, Any]:
    return {str(npu): list(users) for npu, users in uda.parse_udevice(text).items()}


def _namespaces(text: str) -> dict[str, Any]:
    return {str(namespace): tgid for namespace, tgid in uda.parse_namespaces(text).items()}


def _davinci(text: str) -> list[int]:
    return sorted({int(match.group(1)) for match in _DAVINCI.finditer(text)})


# The order matters where one answer holds the keys of another.
_KINDS: tuple[tuple[str, Fits, Reader], ...] = (
    ("npu-smi info -m", lambda text, _: bool(mapping.parse_mapping(text).rows), _mapping),
    ("npu-smi info -t topo", lambda text, _: bool(topology.parse_topology(text).links), _topology),
    ("npu-smi info -l", _with("total count", "card count"), _plain(detail.parse_list)),
    ("npu-smi -v", _with("npu-smi version"), _named("tool_version", detail.parse_tool_version)),
    ("npu-smi info -t proc-mem", _holds(r"Process id:\d+\s+Process name:"), detail.parse_proc_mem),
    (
        "npu-smi info -t health",
        _with("health status", "health+error code", "npu id+health"),
        _plain(detail.parse_health),
    ),
    ("npu-smi info -t hccs", _with("hccs health status"), _plain(topology.parse_hccs)),
    (
        "npu-smi info -t board",
        _with("software version", "pcie bus info", "chip type+chip name", "chip name+chip version"),
        _plain(detail.parse_board),
    ),
    ("npu-smi info -t common", _with("aicore count", "aicore usage rate(%)+temperature(c)"), detail.parse_numbers),
    ("npu-smi info -t usages", _with("aicore usage rate(%)", "npu utilization(%)"), detail.parse_numbers),
    ("npu-smi info -t ecc", _with("hbm single bit error count", "ddr single bit error count"), detail.parse_numbers),
    ("npu-smi info -t memory", _with("hbm capacity(mb)", "ddr capacity(mb)"), detail.parse_numbers),
    ("npu-smi info -t power", _with("npu real-time power(w)", "power dissipation(w)"), detail.parse_numbers),
    ("npu-smi info -t volt", _with("voltage(v)", "voltage (v)"), detail.parse_numbers),
    ("npu-smi info -t sensors", _with("ndie temperature (c)", "soc max temperature (c)"), detail.parse_numbers),
    ("npu-smi info -t temp", _with("npu temperature (c)", "temperature (c)", "temperature(c)"), detail.parse_numbers),
    ("npu-smi info -t sio-info", _with("tx error count+rx error count"), detail.parse_numbers),
    ("npu-smi info -t current-fault-event", _with("fault event count"), _fault_events),
    ("npu-smi info -t phyid-remap", _with("chip phy-id+npu id"), detail.parse_numbers),
    ("npu-smi info -t err-count", _holds(r"(?i)^\s*(?:\w+ )*err(?:or)? count\s*:"), detail.parse_numbers),
    ("/etc/hccn.conf", _holds(r"^\s*address_\d{1,3}\s*="), _conf),
    ("hccn_tool -ip -g", _with("ipaddr"), _plain(hccn.parse_hccn_ip)),
    ("hccn_tool -optical -g", _with("optical info", "present"), _plain(hccn.parse_hccn_optical)),
    ("hccn_tool -net_health -g", _with("net health status"), _named("net_health", hccn.parse_hccn_net_health)),
    ("hccn_tool -link_stat -g", _with("link up count"), _plain(hccn.parse_hccn_link_stat)),
    ("hccn_tool -link -g", _with("link status"), _link),
    ("hccn_tool -stat -g", _with("packet statistics"), hccn.parse_hccn_stat),
    ("hccn_tool -gateway -g", _with("default gateway"), _named("gateway", hccn.parse_hccn_gateway)),
    ("hccn_tool -netdetect -g", _holds(r"(?i)^\s*net ?detect"), _named("netdetect", hccn.parse_hccn_netdetect)),
    ("hccn_tool -tls -g", _holds(r"tls switch\["), _named("tls", hccn.parse_hccn_tls)),
    ("hccn_tool -status -g", _with("link detected"), _plain(hccn.parse_hccn_status)),
    ("hccn_tool table", lambda text, _: not _INFO.search(text) and bool(table.grids(text)), table.grids),
    ("lspci", lambda text, _: bool(host.parse_lspci(text)), _lspci),
    ("/proc/uda/udevice", _holds(r"^\s*udevid \d+ type\("), _udevice),
    ("/proc/uda/namespace_node", _holds(r"^\s*ns_id \d+ identify "), _namespaces),
    ("ascend_install.info", _holds(r"^\s*(?:Driver|Firmware)_Install_Path_Param="), host.parse_properties),
    ("version.info", _holds(r"^\s*Version=\S"), host.parse_properties),
    ("ls /dev", _holds(r"(?<![\w-])(?:/dev/)?davinci\d{1,4}(?!\w)"), _davinci),
)
