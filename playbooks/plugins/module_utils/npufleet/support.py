"""What a support ticket wants to know about a node: facts, journals, settings, what the tools say. Reads only."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ansible.module_utils.npufleet import engine, files, holders, host, network, npu, redact, system
from ansible.module_utils.npufleet.run import read, run

# A text is cut to its end: the last words are the ones that matter.
LONGEST = 400_000
TIMEOUT_S = 20
COMMANDS = {
    "journal-npu-agent.txt": "journalctl --unit npu-agent.service --no-pager --lines 2000",
    "journal-docker.txt": "journalctl --unit docker.service --no-pager --lines 1000",
    "journal-guard.txt": "journalctl --unit npufleet-metadata-guard.service --no-pager --lines 200",
    "dmesg.txt": "dmesg --ctime",
    "agent-health.json": "/usr/local/bin/npu-agent health --json",
    "agent-status.json": "/usr/local/bin/npu-agent status --json",
    "agent-doctor.txt": "/usr/local/bin/npu-agent doctor",
    "docker-info.txt": "docker info",
    # Not its command column: a container's arguments are in containers.json, where secrets are looked for.
    "docker-ps.txt": "docker ps --all --format {{.ID}}|{{.Names}}|{{.Image}}|{{.Status}}|{{.Networks}}",
    "units-failed.txt": "systemctl list-units --failed --no-pager",
    "units.txt": "systemctl status docker npu-agent npufleet-metadata-guard.timer chronyd --no-pager --lines 0",
    "ip-address.txt": "ip address",
    "ip-route.txt": "ip route show table all",
    "iptables.txt": "iptables-save",
    "ip6tables.txt": "ip6tables-save",
    "nftables.txt": "nft list ruleset",
    "disks.txt": "df --local --print-type",
    "memory.txt": "free --mega",
    "processes.txt": "ps -eo pid,ppid,stat,etime,rss,comm --sort=-rss",
    "lspci.txt": "lspci -nn",
    "modules.txt": "lsmod",
}
NPU_SMI = {"npu-smi-info.txt": [], "npu-smi-info-l.txt": ["-l"], "npu-smi-info-m.txt": ["-m"]}
FILES = (
    "/etc/os-release",
    "/etc/docker/daemon.json",
    "/etc/npufleet/agent.yaml",
    "/etc/npufleet/policy.yaml",
    "/etc/npufleet/health.yaml",
    "/etc/ascend_install.info",
    "/etc/hccn.conf",
    "/usr/local/Ascend/driver/version.info",
    "/usr/local/Ascend/firmware/version.info",
    "/run/npufleet/metadata-guard.json",
    "/proc/cmdline",
    "/proc/mounts",
)


def gather(peers: list[str], npu_smi_timeout: float) -> dict[str, str]:
    """Texts by file name; why there is nothing where there is nothing. Secrets are out of all of them."""
    texts = {"facts.json": facts(peers, npu_smi_timeout), "containers.json": containers()}
    for name, command in COMMANDS.items():
        texts[name] = said(command.split(), TIMEOUT_S)
    texts.update(npu_smi(npu_smi_timeout))
    for path in FILES:
        texts["files" + path] = read(path, f"{path} cannot be read\n")
    return {name: without_secrets(name, text) for name, text in texts.items()}


def without_secrets(name: str, text: str) -> str:
    return redact.json_text(text) if name.endswith(".json") else redact.text(text)[-LONGEST:]


def facts(peers: list[str], npu_smi_timeout: float) -> str:
    """Part by part: a node in trouble has some of them all the same."""
    parts: dict[str, Callable[[], Any]] = {
        "system": system.gather,
        "network": lambda: network.gather(peers),
        "docker": engine.gather,
        "npu": lambda: npu.gather(npu_smi_timeout),
        "host": host.gather,
        "files": lambda: files.gather([], []),
        "holders": lambda: holders.gather(found["docker"], found["npu"]),
    }
    found: dict[str, Any] = {}
    for name, part in parts.items():
        found[name] = attempt(part)
    return json.dumps(found)


def attempt(part: Callable[[], Any]) -> Any:
    try:
        return part()
    except Exception as error:  # noqa: BLE001  # a report about a broken node must not break with it
        return {"error": f"{type(error).__name__}: {error}"}


def containers() -> str:
    found = [engine.ask(f"/containers/{item['Id']}/json") for item in engine.ask("/containers/json?all=1") or []]
    return json.dumps([redact.container(one) for one in found if one])


def npu_smi(timeout: float) -> dict[str, str]:
    """npu-smi as it stands, one call at a time, as everywhere."""
    tool = npu.first_file(npu.TOOLS["npu_smi"])
    if tool is None:
        return {"npu-smi-info.txt": "npu-smi is neither in sbin nor in bin\n"}
    texts = {}
    with npu.Locked(npu.LOCK, timeout) as mine:
        for name, words in NPU_SMI.items() if mine else ():
            texts[name] = said([tool, "info", *words], timeout)
    return texts or {"npu-smi-info.txt": f"another program has been using npu-smi for more than {timeout} s\n"}


def said(command: list[str], timeout: float) -> str:
    done = run(*command, timeout=timeout)
    ending = f"[{' '.join(command)} ended with status {done.code}]\n" if done.code else ""
    return (
        "".join(part if part.endswith("\n") else part + "\n" for part in (done.out, done.err, ending) if part) or "\n"
    )
