"""What is read from a node is understood: recorded outputs in, facts out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from unit.plugins import loading  # makes the modules below importable

assert loading

from ansible.module_utils.npufleet import engine, files, network, npu, system  # noqa: E402  # needs the line above

TABLE = """
+------------------------------------------------------------------------------------------------+
| npu-smi 25.2.0                   Version: 25.2.0                                               |
+---------------------------+---------------+----------------------------------------------------+
| NPU   Name                | Health        | Power(W)    Temp(C)           Hugepages-Usage(page)|
| Chip                      | Bus-Id        | AICore(%)   Memory-Usage(MB)  HBM-Usage(MB)        |
+===========================+===============+====================================================+
| 0     910B2               | OK            | 93.4        46                0    / 0             |
| 0                         | 0000:C1:00.0  | 0           0    / 0          3401/ 65536          |
+===========================+===============+====================================================+
| 6     910B2               | Alarm         | 93.4        46                0    / 0             |
| 0                         | 0000:01:00.0  | 0           0    / 0          3401/ 65536          |
+===========================+===============+====================================================+
+---------------------------+---------------+----------------------------------------------------+
| NPU     Chip              | Process id    | Process name             | Process memory(MB)      |
+===========================+===============+====================================================+
| 0       0                 | 115133        | python                   | 5175                    |
| 6       0                 | 115134        |                          | 5175                    |
+===========================+===============+====================================================+
"""
MAPPING = """
\tNPU ID                         Chip ID                        Chip Logic ID                  Chip Name
\t0                              0                              0                              Ascend 910B3
\t0                              1                              -                              Mcu
\t6                              0                              1                              Ascend 910B3
"""


def test_health_of_every_chip() -> None:
    assert [(chip["card"], chip["chip"], chip["health"]) for chip in npu.health(TABLE)] == [
        (0, 0, "OK"),
        (6, 0, "Alarm"),
    ]


def test_processes_even_without_a_name() -> None:
    assert [(p["card"], p["pid"], p["name"]) for p in npu.processes(TABLE)] == [(0, 115133, "python"), (6, 115134, "")]


def test_mapping_counts_chips_and_not_controllers() -> None:
    assert npu.mapped(MAPPING) == [
        {"card": 0, "chip": 0, "npu": 0, "name": "Ascend 910B3"},
        {"card": 6, "chip": 0, "npu": 1, "name": "Ascend 910B3"},
    ]


@pytest.mark.parametrize(("text", "count"), [("Total Count   : 8\n", 8), ("\tCard Count  : 1\n", 1), ("-8005\n", None)])
def test_total_of_the_list(text: str, count: int | None) -> None:
    assert npu.total(text) == count


def test_lspci_by_numbers() -> None:
    text = "81:00.0 1200: 19e5:d802 (rev 20)\n82:00.0 1200: 19e5:d802 (rev ff)\n00:1f.0 0601: 8086:a082\n"
    assert [(item["address"], item["revision"]) for item in npu.lspci(text)] == [("81:00.0", "20"), ("82:00.0", "ff")]


def test_pci_of_the_kernel(tmp_path: Path) -> None:
    values = {
        "81": ("0x19e5", "0xd802", "0x120000"),
        "82": ("0x19e5", "0x0200", "0x020000"),
        "83": ("0x8086", "0x1", "0x12"),
    }
    for name, (vendor, device, kind) in values.items():
        folder = tmp_path / name
        folder.mkdir()
        for file, value in (("vendor", vendor), ("device", device), ("class", kind), ("revision", "0x20")):
            (folder / file).write_text(value + "\n")
    assert npu.pci(str(tmp_path)) == [{"address": "81", "device": "d802", "revision": "20"}]


def test_hce_is_told_by_its_id() -> None:
    text = 'NAME="Huawei Cloud EulerOS"\nVERSION_ID="2.0"\nID="hce"\nPRETTY_NAME="Huawei Cloud EulerOS 2.0"\n'
    assert system.os_release(text) == {"id": "hce", "id_like": [], "version": "2.0", "name": "Huawei Cloud EulerOS 2.0"}


@pytest.mark.parametrize(
    ("mounts", "mode", "v2", "classes"),
    [
        ("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n", "v2", "/sys/fs/cgroup", None),
        (
            "cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n",
            "hybrid",
            "/sys/fs/cgroup/unified",
            None,
        ),
        (
            "cgroup /sys/fs/cgroup/net_cls,net_prio cgroup rw,net_cls,net_prio 0 0\n",
            "v1",
            None,
            "/sys/fs/cgroup/net_cls,net_prio",
        ),
    ],
)
def test_cgroup_mode(mounts: str, mode: str, v2: str | None, classes: str | None) -> None:
    assert system.cgroup(mounts) == {"mode": mode, "v2_mount": v2, "net_cls_mount": classes}


def test_sysctl_files_count_once_and_in_order() -> None:
    paths = [
        "/etc/sysctl.d/99-ours.conf",
        "/etc/sysctl.d/10-a.conf",
        "/usr/lib/sysctl.d/10-a.conf",
        "/usr/lib/sysctl.d/50-b.conf",
        "/etc/sysctl.conf",
    ]
    assert system.sysctl_order(paths) == [
        "/etc/sysctl.d/10-a.conf",
        "/usr/lib/sysctl.d/50-b.conf",
        "/etc/sysctl.d/99-ours.conf",
        "/etc/sysctl.conf",
    ]


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("net.ipv4.ip_forward=0", ["0"]),
        ("  -net/ipv4/ip_forward = 1 ", ["1"]),
        ("net.ipv4.conf.all.forwarding=0", ["0"]),
        ("#net.ipv4.ip_forward=0", []),
        ("net.ipv4.ip_forward_use_pmtu=0", []),
    ],
)
def test_lines_that_speak_of_forwarding(line: str, value: list[str]) -> None:
    assert system.FORWARDING.findall(f"a = 1\n{line}\nb = 2\n") == value


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("net.ipv4.ip_local_reserved_ports=60000-60031", ("", "60000-60031")),
        (" net/ipv4/ip_local_reserved_ports =  8080, 9100", ("", "8080, 9100")),
        ("# npufleet keeps this line off: net.ipv4.ip_local_reserved_ports = 8080", (system.SILENCED, "8080")),
        ("net.ipv4.ip_local_reserved_ports =", ("", "")),
        ("# net.ipv4.ip_local_reserved_ports = 1", None),
    ],
)
def test_lines_that_reserve_ports(line: str, found: tuple[str, str] | None) -> None:
    assert system.RESERVED.findall(f"a = 1\n\n{line}\n\nb = 2\n") == ([found] if found else [])


def test_services() -> None:
    text = (
        "Id=docker.service\nLoadState=loaded\nActiveState=active\nUnitFileState=enabled\nNeedDaemonReload=no\n"
        "ExecMainStartTimestampMonotonic=5500000\n\n"
        "Id=npu-agent.service\nLoadState=not-found\nActiveState=inactive\nUnitFileState=\nNeedDaemonReload=no\n"
        "ExecMainStartTimestampMonotonic=0\n"
    )
    found = system.parse_services(text, booted=1000)
    running = {"loaded": True, "active": True, "enabled": True, "stale": False, "started": 1005}
    assert found["docker.service"] == running
    never = {"loaded": False, "active": False, "enabled": False, "stale": False, "started": None}
    assert found["npu-agent.service"] == never


def test_interfaces() -> None:
    links = [
        {"ifname": "lo", "flags": ["LOOPBACK", "UP", "LOWER_UP"], "mtu": 65536, "addr_info": []},
        {
            "ifname": "bond0",
            "flags": ["BROADCAST", "UP"],
            "mtu": 9000,
            "linkinfo": {"info_kind": "bond"},
            "addr_info": [{"local": "10.0.0.1", "prefixlen": 24, "family": "inet", "scope": "global"}],
        },
    ]
    loopback, bond = network.interfaces(json.dumps(links))
    assert (loopback["kind"], loopback["up"]) == ("loopback", True)
    assert (bond["kind"], bond["up"], bond["mtu"]) == ("bond", False, 9000)
    assert bond["addresses"][0]["address"] == "10.0.0.1"
    assert network.interfaces("no JSON") == []


def test_flags_of_the_daemon_from_its_option_file() -> None:
    text = "# a\nOPTIONS='--live-restore --log-driver=journald'\nDOCKER_NETWORK_OPTIONS=\"--bip=10.0.0.1/24\""
    assert [engine.flag_name(word) for word in engine.option_words(text)] == ["live-restore", "log-driver", "bip"]


@pytest.mark.parametrize(
    ("text", "options", "wrong"),
    [(None, {}, False), ("", {}, False), ('{"a": 1}', {"a": 1}, False), ("{", {}, True), ("[1]", {}, True)],
)
def test_daemon_json(text: str | None, options: dict[str, int], *, wrong: bool) -> None:
    found = engine.daemon_json(text)
    assert found["options"] == options
    assert (found["error"] is not None) is wrong
    assert found["exists"] is (text is not None)


def test_certificate_that_cannot_be_read_is_none() -> None:
    from ansible.module_utils.npufleet.run import Done

    assert files.certificate(Done(1, "", "unable to load certificate")) is None
    text = (
        "notAfter=Jan  2 03:04:05 2033 GMT\n            X509v3 Subject Alternative Name: \n"
        "                DNS:node-1, IP Address:10.0.0.5, DNS:localhost\n"
    )
    found = files.certificate(Done(0, text, ""))
    assert found["names"] == ["10.0.0.5", "localhost", "node-1"]
    assert found["expires"] == 1988247845


def test_lock_is_given_up_after_a_while(tmp_path: Path) -> None:
    lock = str(tmp_path / "npu-smi.lock")
    Path(lock).touch()
    with npu.Locked(lock, 1) as first, npu.Locked(lock, 0.05) as second:
        assert (first, second) == (True, False)
    with npu.Locked(lock, 1) as again, npu.Locked(str(tmp_path / "no-folder/lock"), 1) as without:
        assert (again, without) == (True, True)
