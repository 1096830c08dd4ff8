"""What npu-exporter serves of every chip as a gauge: names, units, and where the agent has the value from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Optional

from npu_agent.probe.hccn import LINK_GOOD, NET_HEALTH_GOOD, Optical
from npu_agent.probe.model import Number
from npu_agent.snapshot import Port, Sighting
from npu_agent.view import View

CHIP_LABELS = ("id", "model_name", "vdie_id", "pcie_bus_info", "namespace", "pod_name", "container_name")
_TABLE = "npu-smi info"
_SHARED = "not_displayed_for_multi_pod"


@dataclass(frozen=True)
class ContainerLabel:
    """The container that has an NPU. Plain Docker knows neither namespace nor pod: those labels stay empty."""

    container_id: str
    name: str


class Chip:
    """A sighting with the labels that npu-exporter puts on everything."""

    def __init__(self, sighting: Sighting, view: View, containers: Sequence[ContainerLabel] = ()) -> None:
        self.sighting = sighting
        self.row = sighting.chip
        self.containers = containers
        self._view = view
        only = containers[0].name if len(containers) == 1 else ""
        shared = _SHARED if len(containers) > 1 else ""
        board = sighting.board
        full_name = [board.chip_name, board.chip_type, board.chip_version] if board else []
        self.model = "-".join(filter(None, full_name)) if full_name and all(full_name) else self.row.name or ""
        vdie = "-".join((board.vdie_id if board and board.vdie_id else "").split())
        self.values = [str(sighting.npu), self.model, vdie, self.row.bus_id or "", shared, shared, only or shared]

    @property
    def codes(self) -> tuple[str, ...]:
        return (self.sighting.codes.codes if self.sighting.codes else None) or ()

    def health(self) -> Number:
        """1 healthy, 0 not, -1 where the tool could not tell. A later answer to `-t health` can only make it worse."""
        codes, word = self.sighting.codes, self.row.health
        if word == "OK" and codes is not None and codes.taken_at > self.sighting.seen_at:
            word = codes.word or word
        if word in (None, "UNKNOWN"):
            return -1
        return 1 if word == "OK" else 0

    def hbm_percent(self) -> Optional[Number]:
        used, total = self.row.hbm_used_mb, self.row.hbm_total_mb
        return None if used is None or not total else round(100 * used / total)

    def asked(self, question: str, key: str) -> Optional[Number]:
        """Look into the answer to `npu-smi info -t <question>`, where it was given lately."""
        reading = self.sighting.readings.get(question)
        return reading.numbers.get(key) if reading and self._is_recent(question, reading.taken_at) else None

    def port(self, question: str) -> Port:
        """Give the NPU's own port where hccn_tool described this side of it lately, else one that tells nothing."""
        port = self._view.network.get(self.sighting.npu, Port())
        return port if self._is_recent(question, port.taken_at.get(question, float("-inf"))) else Port()

    def _is_recent(self, question: str, taken_at: float) -> bool:
        now = taken_at if self._view.observed_monotonic is None else self._view.observed_monotonic
        return now - taken_at <= self._view.limits_s.get(question, float("inf"))


@dataclass(frozen=True)
class Quantity:
    """One gauge of every chip; `unit` is npu-exporter's, empty for a bare number; `source` is what is asked for it."""

    name: str
    unit: str
    help: str
    source: str
    read: Callable[[Chip], Optional[Number]]


def _asked(name: str, unit: str, text: str, question: str, key: str) -> Quantity:
    return Quantity(name, unit, text, f"npu-smi info -t {question}", lambda chip: chip.asked(question, key))


def _port(name: str, unit: str, text: str, question: str, read: Callable[[Port], Optional[Number]]) -> Quantity:
    return Quantity(name, unit, text, f"hccn_tool -{question} -g", lambda chip: read(chip.port(question)))


def _of_optical(read: Callable[[Optical], Optional[Number]]) -> Callable[[Port], Optional[Number]]:
    return lambda port: None if port.optical is None else read(port.optical)


def _power(way: str, lane: int) -> Callable[[Optical], Optional[Number]]:
    def read(module: Optical) -> Optional[Number]:
        lanes = module.tx_power_mw if way == "tx" else module.rx_power_mw
        return lanes[lane] if lane < len(lanes) else None

    return read


def _counter(key: str) -> Callable[[Port], Optional[Number]]:
    return lambda port: port.counters.get(key)


def _one_of(word: Optional[str], *good: str) -> Optional[Number]:
    return None if word is None else int(word in good)


# npu-exporter's name, and hccn_tool's where that is another one.
COUNTERS = (
    ("npu_chip_mac_rx_pause_num", "mac_rx_mac_pause_num"),
    ("npu_chip_mac_tx_pause_num", "mac_tx_mac_pause_num"),
    *(
        (f"npu_chip_{key}", key)
        for key in (
            "mac_rx_pfc_pkt_num", "mac_tx_pfc_pkt_num", "mac_rx_bad_pkt_num", "mac_tx_bad_pkt_num",
            "mac_rx_bad_oct_num", "mac_tx_bad_oct_num", "roce_rx_all_pkt_num", "roce_tx_all_pkt_num",
            "roce_rx_err_pkt_num", "roce_tx_err_pkt_num", "roce_rx_cnp_pkt_num", "roce_tx_cnp_pkt_num",
            "roce_new_pkt_rty_num", "roce_out_of_order_num", "roce_unexpected_ack_num",
            "roce_verification_err_num", "roce_qp_status_err_num",
        )
    ),
    ("npu_chip_info_rx_fcs_num", "mac_rx_fcs_err_pkt_num"),
    ("npu_chip_info_rx_ecn_num", "roce_ecn_db_num"),
)  # fmt: skip

_PORTS: tuple[Quantity, ...] = (
    _port("npu_chip_info_link_status", "", "the npu link status", "link", lambda port: _one_of(port.link, LINK_GOOD)),
    _port(
        "npu_chip_info_network_status", "", "the npu network health status", "net_health",
        # Init is where no detect address was set: npu-exporter calls that well, and so do the rules of health.
        lambda port: _one_of(port.net_health, NET_HEALTH_GOOD, "Init"),
    ),
    _port(
        "npu_chip_link_up_num", "", "the npu interface receive link-up num", "link_stat",
        lambda port: port.link_stat.up_count if port.link_stat else None,
    ),
    _port(
        "npu_chip_optical_state", "", "the npu interface receive optical-state", "optical",
        _of_optical(lambda module: None if module.present is None else int(module.present)),
    ),
    _port(
        "npu_chip_optical_temp", "C", "the npu interface receive optical-temperature", "optical",
        _of_optical(lambda module: module.temperature_c),
    ),
    _port(
        "npu_chip_optical_vcc", "mV", "the npu interface receive optical-vcc", "optical",
        _of_optical(lambda module: module.vcc_mv),
    ),
    *(
        _port(
            f"npu_chip_optical_{way}_power_{lane}", "mW", f"npu interface receive optical-{way}-power-{lane}",
            "optical",
            _of_optical(_power(way, lane)),
        )
        for way in ("tx", "rx")
        for lane in range(4)
    ),
    *(
        _port(
            name, "", f"npu interface counter {key.replace('_', '-')}", "stat",
            _counter(key),
        )
        for name, key in COUNTERS
    ),
)  # fmt: skip

QUANTITIES: tuple[Quantity, ...] = (
    Quantity("npu_chip_info_health_status", "", "the npu health status", _TABLE, Chip.health),
    Quantity("npu_chip_info_utilization", "%", "the ai core utilization", _TABLE, lambda c: c.row.aicore_percent),
    Quantity(
        "npu_chip_info_overall_utilization", "%", "the overall utilization of npu", _TABLE,
        lambda c: c.row.npu_util_percent,
    ),
    Quantity("npu_chip_info_temperature", "C", "the npu temperature", _TABLE, lambda c: c.row.temperature_c),
    Quantity("npu_chip_info_power", "W", "the npu power", _TABLE, lambda c: c.row.power_w),
    Quantity("npu_chip_info_used_memory", "MB", "the npu used memory", _TABLE, lambda c: c.row.memory_used_mb),
    Quantity("npu_chip_info_total_memory", "MB", "the npu total memory", _TABLE, lambda c: c.row.memory_total_mb),
    Quantity("npu_chip_info_hbm_used_memory", "MB", "the npu hbm used memory", _TABLE, lambda c: c.row.hbm_used_mb),
    Quantity(
        "npu_chip_info_hbm_total_memory", "MB", "the npu hbm total memory", _TABLE,
        lambda c: c.row.hbm_total_mb,
    ),
    Quantity("npu_chip_info_hbm_utilization", "%", "the npu hbm utilization", _TABLE, Chip.hbm_percent),
    _asked(
        "npu_chip_info_hbm_bandwidth_utilization", "%", "the npu hbm bandwidth util rate",
        "usages", "hbm bandwidth usage rate(%)",
    ),
    _asked("npu_chip_info_hbm_temperature", "C", "the npu hbm temperature", "memory", "hbm temperature(c)"),
    _asked(
        "npu_chip_info_aicore_current_freq", "MHz", "the npu ai core current frequency, unit is 'MHz'",
        "common", "aicore curfreq(mhz)",
    ),
    *(
        _asked(f"npu_chip_info_hbm_ecc_{name}", "", text, "ecc", f"hbm {key}")
        for name, text, key in (
            ("single_bit_error_cnt", "HBM Single Bit Error Count", "single bit error count"),
            ("double_bit_error_cnt", "HBM Double Bit Error Count", "double bit error count"),
            (
                "total_single_bit_error_cnt", "HBM Single Bit Aggregate Total Err Cnt",
                "single bit aggregate total err cnt",
            ),
            (
                "total_double_bit_error_cnt", "HBM Double Bit Aggregate Total Err Cnt",
                "double bit aggregate total err cnt",
            ),
            (
                "single_bit_isolated_pages_cnt", "HBM Single Bit Isolated Pages Count",
                "single bit isolated pages count",
            ),
            (
                "double_bit_isolated_pages_cnt", "HBM Double Bit Isolated Pages Count",
                "double bit isolated pages count",
            ),
        )
    ),
    *_PORTS,
)  # fmt: skip
