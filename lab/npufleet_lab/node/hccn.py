"""The simulated `hccn_tool`: the network ports that sit on the NPUs themselves."""

from __future__ import annotations

import sys
from typing import Any

from . import misbehave
from .state import State, family, read, visible

_FAILED = "Cmd execute failed!\n"
_FAILED_STATUS = 1
_OPTICAL = """\
optical info:
present              : {present}
temperature          : 47 C
high power enable reg: enabled
vendor name          : Hisense
vendor part number   : LMQ8611-PC+
vendor serial number : V8BD6H250{npu:02d}
xsfp identifier      : QSFP+ or later
xsfp wave length     : 850 nm
Vcc                  : 3262.90 mV
Tx Power0            : 1.4035 mW
Rx Power0            : {power} mW
Vcc High Thres       : 3465.00 mV
Vcc Low Thres        : 3135.00 mV
Temp High Thres      : 70 C
Temp Low Thres       : 0 C
Tx Los Flag          : 0x0
Rx Los Flag          : {los}
Media SNR Lane0      : 23.1211 dB
"""
_LINK_STAT = """\
[devid {npu}]current time        : Wed Aug  2 03:09:26 2023
[devid {npu}]link up count       : {ups}
[devid {npu}]link change records :
"""
_LINK_RECORD = "[devid {npu}]    Tue Aug  1 14:43:{second} 2023    LINK {state}\n"
_STAT = """\
packet statistics:
mac_tx_total_pkt_num:35160
mac_rx_total_pkt_num:35096
roce_rx_err_pkt_num:{errors}
roce_tx_err_pkt_num:0
roce_out_of_order_num:0
roce_new_pkt_rty_num:{errors}
"""


def answer(arguments: list[str], state: State) -> tuple[str, int]:
    """`-i N -<what> -g`, the only form that reads; everything else the tool refuses."""
    if len(arguments) != 4 or arguments[0] != "-i" or arguments[3] != "-g":
        return "Cmd line parameter is invalid!\n", _FAILED_STATUS
    npus = {str(npu["npu"]): npu for npu in visible(state)}
    npu = npus.get(arguments[1])
    reader = _READERS.get(arguments[2])
    if npu is None or reader is None or not family(state).roce:
        return _FAILED, _FAILED_STATUS
    return reader(npu), 0


def _ip(npu: dict[str, Any]) -> str:
    return f"ipaddr:{npu['roce']['address']}\nnetmask:{npu['roce']['netmask']}\n"


def _link(npu: dict[str, Any]) -> str:
    return f"link status: {npu['roce']['link']}\n"


def _net_health(npu: dict[str, Any]) -> str:
    return f"net health status: {npu['roce']['net_health'] if _is_up(npu) else 'Fault'}\n"


def _link_stat(npu: dict[str, Any]) -> str:
    number = npu["npu"]
    text = _LINK_STAT.format(npu=number, ups=2)
    states = ["UP", "DOWN", "UP"] if _is_up(npu) else ["DOWN", "UP", "DOWN", "UP"]
    return text + "".join(
        _LINK_RECORD.format(npu=number, second=40 - 7 * index, state=word) for index, word in enumerate(states)
    )


def _optical(npu: dict[str, Any]) -> str:
    up = _is_up(npu)
    return _OPTICAL.format(
        present="present", npu=npu["npu"], power="1.0189" if up else "0.0000", los="0x0" if up else "0xff"
    )


def _stat(npu: dict[str, Any]) -> str:
    return _STAT.format(errors=0 if _is_up(npu) else 212)


def _gateway(npu: dict[str, Any]) -> str:
    return f"default gateway:{npu['roce']['gateway']}, Iface:eth{npu['npu']}\n"


def _is_up(npu: dict[str, Any]) -> bool:
    return bool(npu["roce"]["link"] == "UP")


_READERS = {
    "-ip": _ip, "-link": _link, "-net_health": _net_health, "-link_stat": _link_stat, "-optical": _optical,
    "-stat": _stat, "-gateway": _gateway,
}  # fmt: skip


def main() -> int:
    state = misbehave.delay(read)
    output, status = answer(sys.argv[1:], state)
    misbehave.emit(output, state)
    return status
