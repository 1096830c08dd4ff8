"""Facts about the Docker engine: what is installed, how it runs, what it is told."""

from __future__ import annotations

import http.client
import json
import os
import re
import shlex
import socket
import stat
from typing import Any

from ansible.module_utils.npufleet.run import read, run, which

SOCKET = "/var/run/docker.sock"
PID_FILE = "/var/run/docker.pid"
DAEMON_JSON = "/etc/docker/daemon.json"
OPTION_FILES = ("/etc/sysconfig/docker", "/etc/default/docker")


class UnixConnection(http.client.HTTPConnection):
    """HTTP over the engine's socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("docker", timeout=timeout)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def ask(path: str) -> Any:
    """The engine's answer, or None when it does not answer."""
    connection = UnixConnection(SOCKET, 10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        return json.loads(body.decode()) if answer.status == 200 else None
    except (OSError, ValueError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def gather() -> dict[str, Any]:
    daemon, version = which("dockerd"), ask("/version")
    facts = {
        "dockerd": daemon,
        "client": which("docker"),
        "version": version.get("Version") if version else installed_version(daemon),
        "api_version": version.get("ApiVersion") if version else None,
        "running": version is not None,
        "started": started(read(PID_FILE).strip()),
        "daemon_json": dict(daemon_json(read(DAEMON_JSON, None)), **place(DAEMON_JSON)),
        "flags": flags(),
        "info": {},
        "containers": [],
        "images": [],
        "image_ids": {},
        "image_digests": [],
        "networks": [],
    }
    if version is not None:
        facts["info"] = info(ask("/info") or {})
        facts["containers"] = containers(ask("/containers/json") or [])
        facts.update(images(ask("/images/json") or []))
        facts["networks"] = [{"name": n["Name"], "driver": n["Driver"]} for n in ask("/networks") or []]
    return facts


def installed_version(daemon: str | None) -> str | None:
    match = re.search(r"version (\d+[\w.+-]*)", run(daemon, "--version").out) if daemon else None
    return match.group(1) if match else None


def daemon_json(text: str | None) -> dict[str, Any]:
    """The file as text and as data, and why it cannot be read as JSON."""
    try:
        options, error = (json.loads(text) if text and text.strip() else {}), None
    except ValueError as problem:
        options, error = {}, str(problem)
    if not isinstance(options, dict):
        options, error = {}, "it does not hold an object"
    return {"exists": text is not None, "text": text or "", "options": options, "error": error}


def place(path: str) -> dict[str, Any]:
    """Where the file really is, its mode, and whether its folder is there."""
    real = os.path.realpath(path)
    mode = f"{stat.S_IMODE(os.stat(real).st_mode):04o}" if os.path.exists(real) else None
    return {"path": real, "mode": mode, "folder": os.path.isdir(os.path.dirname(real))}


def started(pid: str) -> int:
    """When the daemon was started, in seconds since the epoch; 0 when it does not run."""
    fields = read(f"/proc/{pid}/stat").rpartition(")")[2].split() if pid.isdigit() else []
    boot = re.search(r"^btime (\d+)$", read("/proc/stat"), re.MULTILINE)
    # Field 22 of the line counts clock ticks since the boot; the first two are cut off here.
    return int(boot.group(1)) + int(fields[19]) // os.sysconf("SC_CLK_TCK") if fields and boot else 0


def flags() -> list[str]:
    """Options that the daemon is given on its command line: naming one in daemon.json as well stops it."""
    pid = read(PID_FILE).strip()
    words = read(f"/proc/{pid}/cmdline").split("\0")[1:] if pid.isdigit() else []
    if not words:
        words = [word for path in OPTION_FILES for word in option_words(read(path))]
    return sorted({flag_name(word) for word in words if word.startswith("--")})


def option_words(text: str) -> list[str]:
    words = []
    for line in text.splitlines():
        match = re.match(r"^\s*(?:export\s+)?(?:OPTIONS|DOCKER_OPTS|DOCKER_\w+_OPTIONS|other_args)=(.*)$", line)
        if match:
            words += [word for part in shlex.split(match.group(1), comments=True) for word in part.split()]
    return words


def flag_name(word: str) -> str:
    return word.lstrip("-").split("=", 1)[0]


def info(raw: dict[str, Any]) -> dict[str, Any]:
    return {
        "cgroup_driver": raw.get("CgroupDriver"),
        "cgroup_version": raw.get("CgroupVersion"),
        "storage_driver": raw.get("Driver"),
        "root": raw.get("DockerRootDir"),
        "live_restore": raw.get("LiveRestoreEnabled"),
        "swarm": (raw.get("Swarm") or {}).get("LocalNodeState", "inactive") not in ("", "inactive"),
        "running": raw.get("ContainersRunning"),
        "iptables_warning": [w for w in raw.get("Warnings") or [] if "iptables" in w],
    }


def images(raw: list[dict[str, Any]]) -> dict[str, Any]:
    """Tags, the image that each stands for, and the digests under which images came from a registry."""
    tags = {tag: image["Id"] for image in raw for tag in image.get("RepoTags") or [] if tag != "<none>:<none>"}
    digests = [digest for image in raw for digest in image.get("RepoDigests") or [] if "<" not in digest]
    return {"images": sorted(tags), "image_ids": tags, "image_digests": sorted(digests)}


def containers(raw: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "id": item["Id"],
            "name": (item.get("Names") or ["?"])[0].lstrip("/"),
            "image": item.get("Image"),
            "network": item.get("HostConfig", {}).get("NetworkMode"),
            "created": item.get("Created"),
            "devices": devices(item["Id"]),
        }
        for item in raw
    ]


def devices(identifier: str) -> list[str]:
    """Device files that a running container was given, by its options or through Ascend's own runtime."""
    answer = ask(f"/containers/{identifier}/json") or {}
    host = answer.get("HostConfig") or {}
    given = [device.get("PathOnHost", "") for device in host.get("Devices") or []]
    if host.get("Runtime") == "ascend":
        given += [f"/dev/davinci{npu}" for npu in visible((answer.get("Config") or {}).get("Env") or [])]
    return [*given, "privileged"] if host.get("Privileged") else given


def visible(environment: list[str]) -> list[int]:
    """NPUs of ASCEND_VISIBLE_DEVICES, as in 0,2 or 0-3."""
    told = dict(word.partition("=")[::2] for word in environment).get("ASCEND_VISIBLE_DEVICES", "")
    spans = re.findall(r"(\d+)(?:-(\d+))?", told) if re.match(r"^[\d,-]+$", told) else []
    return sorted({npu for first, last in spans for npu in range(int(first), int(last or first) + 1)})
