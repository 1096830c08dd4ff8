"""Facts about the NPUs: device files, PCI functions, the driver's files, what npu-smi says. Reads only."""

from __future__ import annotations

import fcntl
import glob
import os
import re
import stat
import time
from typing import Any

from ansible.module_utils.npufleet.run import Done, read, run

DRIVER = "/usr/local/Ascend/driver"
FIRMWARE = "/usr/local/Ascend/firmware"
INSTALL_INFO = "/etc/ascend_install.info"
LOCK = "/run/npufleet/npu-smi.lock"
MANAGERS = ("/dev/davinci_manager", "/dev/devmm_svm", "/dev/hisi_hdc")
TOOLS = {
    "npu_smi": ("/usr/local/sbin/npu-smi", "/usr/local/bin/npu-smi", "/usr/sbin/npu-smi", "/usr/bin/npu-smi"),
    "hccn_tool": (DRIVER + "/tools/hccn_tool", "/usr/local/bin/hccn_tool"),
}
HUAWEI = "0x19e5"
# 310, 310P, 910A and 910B; base class 12 is "processing accelerator", which covers chips that are newer than this.
CHIPS = ("d100", "d500", "d801", "d802", "d803", "d105", "d107")


def gather(timeout: float) -> dict[str, Any]:
    facts = hardware()
    facts.update(driver())
    facts["npu_smi"] = ask_npu_smi(timeout)
    return facts


def hardware() -> dict[str, Any]:
    return {
        "davinci": sorted(
            int(match.group(1))
            for match in (re.match(r"^/dev/davinci(\d+)$", path) for path in glob.glob("/dev/davinci*"))
            if match and is_device(match.group(0))
        ),
        "manager_devices": [path for path in MANAGERS if is_device(path)],
        "pci": pci("/sys/bus/pci/devices"),
        "lspci": lspci(run("lspci", "-n").out),
    }


def is_device(path: str) -> bool:
    try:
        return stat.S_ISCHR(os.stat(path).st_mode)
    except OSError:
        return False


def pci(root: str) -> list[dict[str, str]]:
    """NPUs on the bus by sysfs, which needs no tool; revision ff is a chip that fell off the bus."""
    found = []
    for path in sorted(glob.glob(root + "/*")):
        device = read(path + "/device").strip().replace("0x", "")
        accelerator = read(path + "/class").startswith("0x12")
        if read(path + "/vendor").strip() == HUAWEI and (accelerator or device in CHIPS):
            revision = read(path + "/revision").strip().replace("0x", "")
            found.append({"address": os.path.basename(path), "device": device, "revision": revision})
    return found


def lspci(text: str) -> list[dict[str, str]]:
    pattern = re.compile(r"^(\S+) (?:Class )?12\d\d: 19e5:(\w+)(?: \(rev (\w+)\))?", re.MULTILINE)
    return [{"address": a, "device": d, "revision": r} for a, d, r in pattern.findall(text)]


def driver() -> dict[str, Any]:
    version = pairs(read(DRIVER + "/version.info"))
    firmware = pairs(read(FIRMWARE + "/version.info"))
    return {
        "paths": {
            "driver_dir": there(DRIVER),
            "dcmi_dir": there("/usr/local/dcmi"),
            "hccn_conf": there("/etc/hccn.conf"),
            "version_info": there(DRIVER + "/version.info"),
            "install_info": there(INSTALL_INFO),
            "lib64": there(DRIVER + "/lib64"),
            **{name: first_file(candidates) for name, candidates in TOOLS.items()},
        },
        # docker -v with a missing source leaves a directory where the tool should be.
        "directories_in_place_of_tools": [p for group in TOOLS.values() for p in group if os.path.isdir(p)],
        "unusable_tools": unusable(TOOLS["npu_smi"]),
        "driver_version": version.get("Version"),
        "driver_wants_firmware": version.get("compatible_version_fw"),
        "firmware_version": firmware.get("Version"),
        "firmware_wants_driver": firmware.get("compatible_version_drv"),
        "install_user": pairs(read(INSTALL_INFO)).get("UserName"),
    }


def there(path: str) -> str | None:
    return path if os.path.exists(path) else None


def first_file(candidates: tuple[str, ...]) -> str | None:
    return next((path for path in candidates if os.path.isfile(path) and os.access(path, os.X_OK)), None)


def unusable(candidates: tuple[str, ...]) -> list[dict[str, str]]:
    """What lies where the tool should be and cannot be run: a file without its execute bit, a link to nowhere."""
    found = []
    for path in candidates:
        if os.path.islink(path) and not os.path.exists(path):
            found.append({"path": path, "why": f"it is a link to {os.readlink(path)}, which is not there"})
        elif os.path.isfile(path) and not os.access(path, os.X_OK):
            mode = stat.S_IMODE(os.stat(path).st_mode)
            found.append({"path": path, "why": f"its mode {mode:04o} lets nobody execute it"})
    return found


def pairs(text: str) -> dict[str, str]:
    found = (line.partition("=") for line in text.splitlines())
    return {key.strip(): value.strip() for key, sign, value in found if sign}


def ask_npu_smi(timeout: float) -> dict[str, Any]:
    """npu-smi's own list and mapping; the tool must not run twice at a time, so all callers share a lock."""
    tool = first_file(TOOLS["npu_smi"])
    if tool is None:
        return {"path": None, "error": "npu-smi is neither in sbin nor in bin"}
    answers = []
    with Locked(LOCK, timeout) as mine:
        for words in ([], ["-l"], ["-m"]) if mine else ():
            answers.append(run(tool, "info", *words, timeout=timeout))
            if answers[-1].code != 0:
                break  # a tool that hangs or fails would only do it again
    if not mine:
        answers = [Done(124, "", f"another program has been using npu-smi for more than {timeout} s")]
    failed = answers[-1] if answers[-1].code != 0 else None
    table, listing, mapping = (answers + [Done(0, "", "")] * 2)[:3]
    return {
        "path": tool,
        "error": None if failed is None else last_line(failed),
        "code": 0 if failed is None else failed.code,
        "total": total(listing.out),
        "listed": listed(listing.out),
        "cards": [int(card) for card in re.findall(r"^\s*NPU ID\s*:\s*(\d+)\s*$", listing.out, re.MULTILINE)],
        "chips": mapped(mapping.out),
        "health": health(table.out),
        "processes": processes(table.out),
    }


def last_line(done: Done) -> str:
    lines = [line.strip() for line in (done.out + "\n" + done.err).splitlines() if line.strip()]
    return lines[-1] if lines else f"npu-smi ended with status {done.code} and said nothing"


def total(text: str) -> int | None:
    match = re.search(r"^\s*(?:Total|Card) Count\s*:\s*(\d+)\s*$", text, re.MULTILINE)
    return int(match.group(1)) if match else None


def listed(text: str) -> int | None:
    """Chips by `npu-smi info -l`; a tool that does not print them a card has one on each."""
    chips = [int(count) for count in re.findall(r"^\s*Chip Count\s*:\s*(\d+)\s*$", text, re.MULTILINE)]
    return sum(chips) if chips else total(text)


def mapped(text: str) -> list[dict[str, Any]]:
    """Rows of `npu-smi info -m` that are chips; a row without a number is the board's own controller.

    `npu` is the N of /dev/davinciN: the physical id, or the logic id of a tool that does not print it.
    """
    chips, labels = [], []
    for line in text.splitlines():
        if "NPU ID" in line and "Chip Name" in line:
            labels = [part for part in re.split(r"\s{2,}|\t", line.strip()) if part]
            continue
        row = dict(zip(labels, line.split(None, max(0, len(labels) - 1))))
        number = row.get("Chip Phy-ID") or row.get("Chip Logic ID") or ""
        if number.isdigit() and row["NPU ID"].isdigit() and row.get("Chip ID", "").isdigit():
            ids = {"card": int(row["NPU ID"]), "chip": int(row["Chip ID"]), "npu": int(number)}
            chips.append(dict(ids, name=row.get("Chip Name", "").strip()))
    return chips


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")] if line.lstrip().startswith("|") else []


def health(table: str) -> list[dict[str, Any]]:
    """(card, chip) and the Health word, from the two rows that npu-smi prints for each chip."""
    found, first = [], None
    for line in table.splitlines():
        row = cells(line)
        if "Process" in line:
            break
        if len(row) != 3:
            continue
        if first is None and re.match(r"^\d+\s+\S+", row[0]) and re.match(r"^[A-Za-z]+$", row[1]):
            first = row
        elif first is not None and re.match(r"^\d+", row[0]):
            card, name = first[0].split(None, 1)
            found.append({"card": int(card), "chip": int(row[0].split()[0]), "name": name, "health": first[1]})
            first = None
    return found


def processes(table: str) -> list[dict[str, Any]]:
    found = []
    _, _, rest = table.partition("Process id")
    for line in rest.splitlines():
        row = cells(line)
        if len(row) >= 4 and row[1].isdigit() and row[0].split()[:1] and row[0].split()[0].isdigit():
            place = [int(word) for word in row[0].split()]
            found.append(
                {"card": place[0], "chip": place[-1] if len(place) > 1 else 0, "pid": int(row[1]), "name": row[2]}
            )
    return found


class Locked:
    """An exclusive lock on a file, waited for with patience. Never made here: where it is not, nobody else takes it."""

    def __init__(self, path: str, patience: float) -> None:
        self.path, self.deadline, self.stream = path, time.monotonic() + patience, None

    def __enter__(self) -> bool:
        if not os.path.exists(self.path):
            return True
        self.stream = open(self.path, "a", encoding="utf-8")
        while not self.taken():
            if time.monotonic() > self.deadline:
                return False
            time.sleep(0.1)
        return True

    def taken(self) -> bool:
        try:
            fcntl.flock(self.stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def __exit__(self, *problem: object) -> None:
        if self.stream:
            self.stream.close()
