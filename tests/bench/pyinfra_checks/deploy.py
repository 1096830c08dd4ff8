"""The checks of a no-change site.yml in pyinfra's own words: for tests/bench/prepare.py, which writes files/<node>."""

from __future__ import annotations

import json
from pathlib import Path

from pyinfra import host  # type: ignore[import-not-found]  # lives in the bench's own environment
from pyinfra.facts.server import Arch, Command, Kernel, LinuxDistribution  # type: ignore[import-not-found]
from pyinfra.operations import files, python, server, systemd  # type: ignore[import-not-found]

PLAN = json.loads((Path(host.data.folder) / "plan.json").read_text(encoding="utf-8"))


def expect(what: str, condition: bool) -> None:
    if not condition:
        raise SystemExit(f"{host.name}: {what}")


def ask(command: str) -> str:
    return str(host.get_fact(Command, command=command) or "")


# Preflight: what is this node, and are its NPUs there?
expect("no Linux", bool(host.get_fact(LinuxDistribution)["name"]))
expect("no architecture", host.get_fact(Arch) in {"x86_64", "aarch64"})
expect("no kernel", bool(host.get_fact(Kernel)))
expect("no Python", "Python 3" in ask("python3 --version"))
expect("devices", ask("ls /dev | grep -c '^davinci[0-9]'").strip() == "8")
expect("npu-smi", "OK" in ask("npu-smi info"))
expect("npu-smi -l", "Total Count" in ask("npu-smi info -l"))
expect("mapping", "Chip" in ask("npu-smi info -m"))
expect("accelerators", ask("grep -l 0x19e5 /sys/bus/pci/devices/*/vendor | wc -l").strip() != "0")
expect("disk", bool(ask("df -P / /var/lib/docker")))
expect("cgroup", "cgroup" in ask("cat /proc/self/mounts"))
expect("clock", bool(ask("date +%s")))

# What the roles keep: files by content, settings, packages, services.
for entry in PLAN["files"][host.name]:
    files.put(name=entry["path"], src=entry["source"], dest=entry["path"], mode=entry["mode"], user="root")
for link in PLAN["links"][host.name]:
    files.link(name=link["path"], path=link["path"], target=link["target"])
server.sysctl(name="ip_forward", key="net.ipv4.ip_forward", value=1)
expect("interface", PLAN["interfaces"][host.name] in ask(f"ip -j route get {PLAN['peer']}"))
expect("engine", "docker" in ask("dpkg-query --show --showformat='${Package}\\n' || rpm --query --all"))
systemd.service(name="docker", service="docker", running=True, enabled=True)
systemd.service(name="guard", service="npufleet-metadata-guard.service", running=None, enabled=True)
systemd.service(name="guard timer", service="npufleet-metadata-guard.timer", running=True, enabled=True)
systemd.service(name="agent", service="npu-agent", running=True, enabled=True)

# Verify: the same proofs, by the same programs on the node.
expect("options", "live-restore" in ask("cat /etc/docker/daemon.json"))
expect("engine answers", bool(ask("docker version --format '{{.Server.Version}}'")))
expect("containers", ask("docker ps -aq | wc -l").strip() != "")
expect("image", "sha256" in ask("docker image inspect --format '{{.Id}}' npufleet-lab/busybox:1"))
ask("/usr/local/libexec/npufleet/metadata-guard check && echo guarded")
expect("proof", '"through": []' in ask("/usr/local/libexec/npufleet/metadata-guard-prove 169.254.169.254"))
expect("certificate", "will not" in ask("openssl x509 -checkend 2592000 -in /etc/npufleet/tls/server.crt"))
expect("agent file", bool(ask("sha256sum /opt/npufleet/agent/current")))
expect("agent answers", "ok" in ask("curl -sk https://127.0.0.1:7443/healthz"))


def reached() -> None:
    import requests

    requests.get(f"https://{host.data.ssh_hostname}:7443/healthz", verify=False, timeout=5)  # noqa: S501  # only reachability


python.call(name="from the control machine", function=reached)
