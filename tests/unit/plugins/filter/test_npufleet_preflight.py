"""Each check finds its fault, and a healthy node has none."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.repo import load_yaml
from unit.plugins.loading import load

preflight = load("filter/npufleet_preflight.py")
RECORDS = load_yaml(Path("roles/preflight/vars/main.yml"))["__preflight_checks"]
SETTINGS = {
    "expected_npus": 2,
    "min_driver": "23.0.6",
    "engine_recommended": "20.10",
    "min_free_gb": 20,
    "clock_tolerance_s": 120,
    "now": 1000,
    "severities": {},
}
HEALTHY: dict[str, Any] = {
    "system": {
        "os": {"id": "hce", "name": "Huawei Cloud EulerOS 2.0"},
        "arch": "aarch64",
        "services": {"docker.service": {}},
        "python": {"version": "3.9.9"},
        "pythons": [],
        "time": 1030,
        "disks": {"/": {"free_mb": 90000}},
        "cgroup": {"mode": "v2"},
        "kernel": "5.10.0-60.18.0.50.hce2.aarch64",
        "hostname": "n1",
        "ip_forward": {"live": "1"},
    },
    "host": {
        "kernels": ["5.10.0-60.18.0.50.hce2.aarch64", "4.19.90.aarch64"],
        "reserved_ports": "30000,60000-60031",
        "time_services": ["chronyd"],
        "memory": {"total_mb": 1500000, "available_mb": 1400000, "hugepages_mb": 0},
    },
    "holders": [],
    "docker": {
        "version": "24.0.7",
        "api_version": "1.43",
        "running": True,
        "daemon_json": {"error": None},
        "containers": [],
    },
    "npu": {
        "davinci": [0, 1],
        "manager_devices": ["/dev/davinci_manager", "/dev/devmm_svm", "/dev/hisi_hdc"],
        "lspci": [{"address": "81:00.0", "revision": "20"}, {"address": "82:00.0", "revision": "20"}],
        "pci": [],
        "directories_in_place_of_tools": [],
        "unusable_tools": [],
        "npu_smi": {
            "path": "/usr/local/sbin/npu-smi",
            "error": None,
            "code": 0,
            "listed": 2,
            "chips": [{"card": 0, "chip": 0, "npu": 0}, {"card": 1, "chip": 0, "npu": 1}],
            "health": [{"card": 0, "chip": 0, "health": "OK"}, {"card": 1, "chip": 0, "health": "OK"}],
            "processes": [],
        },
        "driver_version": "23.0.6",
        "firmware_version": "7.1.0.9.220",
        "driver_wants_firmware": "[7.0.0,7.1.99]",
        "firmware_wants_driver": "[23.0.rc3,23.0.rc3.],[23.0.0,23.0.99]",
    },
}


def findings(node: dict[str, Any], **settings: Any) -> dict[str, dict[str, Any]]:
    judged = preflight.npufleet_preflight(node, RECORDS, {**SETTINGS, **settings}, settings.get("language", "en"))
    return {finding["id"]: finding for finding in judged}


def broken(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    node = copy.deepcopy(HEALTHY)
    change(node)
    return node


def test_a_healthy_node_passes_every_check() -> None:
    assert {name for name, finding in findings(HEALTHY).items() if finding["state"] != "pass"} == set()


def silent(node: dict[str, Any], error: str, **more: Any) -> None:
    node["npu"]["npu_smi"] = {"path": "/usr/local/sbin/npu-smi", "error": error, "code": 255, **more}


def not_executable(node: dict[str, Any]) -> None:
    silent(node, "npu-smi is neither in sbin nor in bin", path=None)
    node["npu"]["unusable_tools"].append({"path": "/usr/local/sbin/npu-smi", "why": "its mode 0644"})


FAULTS: dict[str, Callable[[dict[str, Any]], object]] = {
    "system-known": lambda n: n["system"]["os"].update(id="fedora"),
    "architecture-known": lambda n: n["system"].update(arch="riscv64"),
    "systemd-runs": lambda n: n["system"].update(services={}),
    "python-for-agent": lambda n: n["system"]["python"].update(version="3.7.9"),
    "clock": lambda n: n["system"].update(time=700),
    "disk-space": lambda n: n["system"]["disks"]["/"].update(free_mb=100),
    "cgroup-version": lambda n: n["system"]["cgroup"].update(mode="v1"),
    "kernel-pending": lambda n: n["host"]["kernels"].append("5.10.0-182.0.0.95.hce2.aarch64"),
    "time-service": lambda n: n["host"].update(time_services=[]),
    "hugepages": lambda n: n["host"]["memory"].update(hugepages_mb=900000),
    "ip-forward": lambda n: n["system"]["ip_forward"].update(live="0"),
    "hccl-ports": lambda n: n["host"].update(reserved_ports="60000-60015"),
    "engine-version": lambda n: (n["docker"].update(version="18.09.0"), n["system"]["cgroup"].update(mode="hybrid")),
    "engine-cgroup": lambda n: n["docker"].update(version="19.03.15"),
    "engine-options": lambda n: n["docker"]["daemon_json"].update(error="line 1"),
    "npu-count": lambda n: n["npu"].update(davinci=[0]),
    "npu-manager-devices": lambda n: n["npu"]["manager_devices"].pop(),
    "npu-pci-dead": lambda n: n["npu"]["lspci"][0].update(revision="ff"),
    "npu-smi-is-a-file": lambda n: n["npu"]["directories_in_place_of_tools"].append("/usr/local/bin/npu-smi"),
    "npu-smi-runs": not_executable,
    "npu-smi-library": lambda n: silent(n, "error while loading shared libraries: libdrvdsmi_host.so: cannot open"),
    "npu-smi-answers": lambda n: silent(n, "dcmi module initialize failed. ret is -8005"),
    "npu-health": lambda n: n["npu"]["npu_smi"]["health"][0].update(health="Alarm"),
    "driver-version": lambda n: n["npu"].update(driver_version="23.0.rc3", firmware_version="7.1.0"),
    "driver-firmware": lambda n: n["npu"].update(firmware_version="7.5.0"),
    "npu-holders": lambda n: n["holders"].append(container("job", [1])),
    "npu-shared": lambda n: n["holders"].extend([container("a", [1]), container("b", [0, 1])]),
}
# What comes along with a fault by its nature.
WITH_IT = {"npu-shared": {"npu-holders"}, "engine-cgroup": {"engine-version"}}


def container(name: str, npus: list[int], *, privileged: bool = False) -> dict[str, Any]:
    return {"kind": "container", "name": name, "npus": npus, "privileged": privileged}


def test_every_check_has_a_fault_here_and_a_record() -> None:
    assert set(FAULTS) == set(preflight.CHECKS) == {record["id"] for record in RECORDS}


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_each_fault_is_found_by_its_check_alone(name: str, language: str) -> None:
    judged = findings(broken(FAULTS[name]), language=language)
    assert {n for n, finding in judged.items() if finding["state"] == "fail"} == {name} | WITH_IT.get(name, set())
    assert judged[name]["tip"]
    assert not re.search(r"[{}]", judged[name]["text"] + judged[name]["tip"])


def test_unknown_is_not_healthy() -> None:
    judged = findings(broken(lambda n: n["npu"].update(driver_version=None, firmware_version=None)))
    assert judged["driver-version"]["state"] == judged["driver-firmware"]["state"] == "fail"
    judged = findings(broken(lambda n: n["npu"]["npu_smi"].update(chips=[], listed=None)))
    assert "npu-smi info -l ?, npu-smi info -m ?" in judged["npu-count"]["text"]


def test_no_device_at_all_is_a_fault_even_when_none_is_expected() -> None:
    node = broken(lambda n: n["npu"].update(davinci=[]))
    assert findings(node, expected_npus=0)["npu-count"]["state"] == "fail"
    node["npu"].update(lspci=[], npu_smi={"path": None, "error": "npu-smi is neither in sbin nor in bin"})
    assert "no NPU at all" in findings(node, expected_npus=0)["npu-count"]["tip"]


@pytest.mark.parametrize(
    ("change", "wrong", "advice"),
    [
        (lambda npu: npu["lspci"].pop(), "pci", "power the server off and on"),
        (lambda npu: npu.update(davinci=[1]), "/dev/davinci*", "The driver did not bring it up"),
        (lambda npu: npu["npu_smi"]["health"].pop(), "npu-smi info", "npu-smi leaves it out"),
        (lambda npu: npu["npu_smi"].update(listed=1), "npu-smi info -l", "npu-smi leaves it out"),
    ],
)
def test_the_count_that_disagrees_is_named(change: Callable[[Any], object], wrong: str, advice: str) -> None:
    finding = findings(broken(lambda node: change(node["npu"])))["npu-count"]
    assert f"wrong: {wrong}." in finding["text"]
    assert advice in finding["tip"]


def test_without_an_expected_count_the_highest_one_is_wanted() -> None:
    node = broken(lambda n: n["npu"].update(davinci=[0]))
    assert "Wanted are 2; wrong: /dev/davinci*." in findings(node, expected_npus=0)["npu-count"]["text"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"firmware_version": "7.5.0"}, "the driver's version.info asks for firmware [7.0.0,7.1.99]"),
        ({"driver_version": "24.1.0"}, "the firmware's version.info asks for driver [23.0.rc3,23.0.rc3.]"),
        ({"driver_wants_firmware": None, "firmware_wants_driver": None}, "neither version.info says"),
        ({"firmware_version": None}, "firmware unknown"),
    ],
)
def test_versions_that_do_not_fit_say_which_file_says_so(change: dict[str, Any], says: str) -> None:
    assert says in findings(broken(lambda n: n["npu"].update(change)))["driver-firmware"]["text"]


def test_an_old_engine_tells_what_it_lacks() -> None:
    def text(version: str) -> str:
        return str(findings(broken(lambda n: n["docker"].update(version=version)))["engine-version"]["text"])

    assert "--gpus" in text("18.09.0")
    assert "--gpus" not in text("19.03.15")
    assert "cgroup v2" in text("19.03.15")


@pytest.mark.parametrize(
    ("error", "code", "tip"),
    [
        ("ret is -8005", 187, "-8005: the device is not started"),
        ("the device is used. ret is -8020", 172, "-8020: a container has the device"),
        ("npu-smi gave no answer within 30 s", 124, "It hangs"),
        ("segmentation fault", 139, "Is the driver installed and loaded?"),
    ],
)
def test_the_tip_fits_the_way_in_which_npu_smi_fails(error: str, code: int, tip: str) -> None:
    assert findings(broken(lambda n: silent(n, error, code=code)))["npu-smi-answers"]["tip"].startswith(tip)


def test_a_tool_that_lacks_its_library_is_told_once() -> None:
    error = "error while loading shared libraries: libdrvdsmi_host.so: cannot open shared object file"
    judged = findings(broken(lambda n: silent(n, error)))
    assert "libdrvdsmi_host.so" in judged["npu-smi-library"]["text"]
    assert judged["npu-smi-answers"]["state"] == "pass"


def test_holders_are_named() -> None:
    process = {"kind": "process", "name": "python", "pid": 77, "npus": [1], "container": "train"}
    stranger: dict[str, Any] = {"kind": "process", "name": None, "pid": 78, "npus": [], "container": None}
    held = [container("train", [0, 1]), container("root", [0, 1], privileged=True), process, stranger]
    text = findings(broken(lambda n: n["holders"].extend(held)))["npu-holders"]["text"]
    for says in (
        "NPU 0-1: container train",
        "container root (privileged)",
        "NPU 1: python (pid 77, container train)",
        "NPU ?: ? (pid 78)",
    ):
        assert says in text


def test_a_failed_finding_is_there_in_every_language() -> None:
    finding = findings(broken(FAULTS["time-service"]), language="zh")["time-service"]
    assert finding["text"] == finding["languages"]["zh"]["text"]
    assert finding["languages"]["en"]["text"].startswith("No time service runs")


def test_a_check_that_is_off_is_not_there() -> None:
    assert "clock" not in findings(HEALTHY, severities={"clock": "off"})


def test_the_summary_holds_chosen_fields_only() -> None:
    node = broken(lambda n: n["docker"].update(daemon_json={"text": "http://user:word@proxy", "error": None}))
    summary = preflight.npufleet_preflight_summary(node, SETTINGS)
    assert summary["counts"] == {
        "inventory": 2, "pci": 2, "/dev/davinci*": 2, "npu-smi info": 2, "npu-smi info -l": 2, "npu-smi info -m": 2,
    }  # fmt: skip
    assert "proxy" not in str(summary)


def test_the_site_decides_how_bad_a_finding_is() -> None:
    node = broken(FAULTS["driver-version"])
    judged = preflight.npufleet_preflight(node, RECORDS, {**SETTINGS, "severities": {"driver-version": "error"}})
    assert preflight.npufleet_findings(judged, "warning", "info") == []
    (sentence,) = preflight.npufleet_findings(judged, "error")
    assert sentence.startswith("[driver-version] The NPU driver is 23.0.rc3; the images need 23.0.6 or newer. ")


@pytest.mark.parametrize(
    ("older", "newer"),
    [("23.0.rc3", "23.0.0"), ("23.0.0", "23.0.6"), ("23.0.6", "24.1.rc1"), ("24.1.0", "24.1.0.6"), ("9.0", "20.10")],
)
def test_versions_sort_as_people_read_them(older: str, newer: str) -> None:
    assert preflight.version_key(older) < preflight.version_key(newer)


@pytest.mark.parametrize(
    ("version", "ranges", "inside"),
    [
        ("7.1.0.9.220", "[7.0.0,7.1.99]", True),
        ("7.2.0", "[7.0.0,7.1.99]", False),
        ("23.0.rc3.2", "[23.0.rc3,23.0.rc3.],[23.0.0,23.0.0.]", True),
        ("23.0.0", "[23.0.rc3,23.0.rc3.],[23.0.0,23.0.0.]", True),
        ("23.0.6", "[23.0.rc3,23.0.rc3.],[23.0.0,23.0.0.]", False),
    ],
)
def test_ranges_of_version_info(version: str, ranges: str, *, inside: bool) -> None:
    assert preflight.in_ranges(version, ranges) is inside
