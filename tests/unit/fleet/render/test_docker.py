from __future__ import annotations

import argparse
import csv
import shlex
from typing import Any

from npu_agent import api
from npufleet.render import docker, systemd

BODY: dict[str, Any] = {
    "Image": "img:1",
    "Env": ["A=it's", "B=x y", "C=$HOME %i"],
    "Labels": {"team": "a b", "io.npufleet.workload": "job"},
    "StopTimeout": 30,
    "WorkingDir": "/w",
    "Cmd": ["sh", "-c", 'echo "$A"; --net'],
    "HostConfig": {
        "NetworkMode": "host",
        "Devices": [
            {"PathOnHost": path, "PathInContainer": path, "CgroupPermissions": "rwm"}
            for path in ("/dev/davinci4", "/dev/hisi_hdc")
        ],
        "Mounts": [
            {"Type": "bind", "Source": "/usr/local/dcmi", "Target": "/usr/local/dcmi", "ReadOnly": True},
            {"Type": "bind", "Source": "/data/a,b", "Target": "/d", "ReadOnly": False},
        ],
        "ShmSize": 1 << 30,
        "RestartPolicy": {"Name": "no"},
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "100m", "max-file": "5"}},
        "SecurityOpt": ["seccomp=unconfined"],
        "CgroupParent": "npufleet.slice",
        "NanoCpus": 1_500_000_000,
        "Memory": 1 << 33,
        "CapAdd": ["SYS_NICE"],
        "Privileged": False,
    },
}  # fmt: skip


def parsed(line: str) -> dict[str, Any]:
    """What Docker's client makes of the line, as the body of its create call."""
    words = shlex.split(line.replace("\\\n", " "))
    assert words[:2] == ["docker", "run"]
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for flag in ("--detach", "--privileged"):
        parser.add_argument(flag, action="store_true")
    for one in (
        "name",
        "restart",
        "stop-timeout",
        "network",
        "shm-size",
        "cpus",
        "memory",
        "cgroup-parent",
        "workdir",
        "log-driver",
    ):
        parser.add_argument(f"--{one}")
    for many in ("device", "mount", "env", "label", "cap-add", "security-opt", "log-opt"):
        parser.add_argument(f"--{many}", action="append", default=[])
    parser.add_argument("image")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    found = parser.parse_args(words[2:])
    devices = [device.split(":") for device in found.device]
    return {
        "Image": found.image, "Env": found.env, "Cmd": found.command, "WorkingDir": found.workdir,
        "StopTimeout": int(found.stop_timeout), "Labels": dict(label.split("=", 1) for label in found.label),
        "HostConfig": {
            "NetworkMode": found.network, "ShmSize": int(found.shm_size), "Memory": int(found.memory),
            "Devices": [{"PathOnHost": a, "PathInContainer": b, "CgroupPermissions": c} for a, b, c in devices],
            "Mounts": [mount(text) for text in found.mount], "RestartPolicy": {"Name": found.restart},
            "LogConfig": {"Type": found.log_driver, "Config": dict(o.split("=") for o in found.log_opt)},
            "SecurityOpt": found.security_opt, "CgroupParent": found.cgroup_parent,
            "NanoCpus": round(float(found.cpus) * 1e9), "CapAdd": found.cap_add, "Privileged": found.privileged,
        },
    }  # fmt: skip


def mount(text: str) -> dict[str, Any]:
    fields = next(csv.reader([text]))
    pairs = dict(field.partition("=")[::2] for field in fields)
    return {
        "Type": pairs["type"],
        "Source": pairs["source"],
        "Target": pairs["target"],
        "ReadOnly": "readonly" in pairs,
    }


def test_the_line_is_the_same_create_call_without_the_agents_labels() -> None:
    line = docker.line(docker.arguments("job", BODY))
    assert parsed(line) == {**BODY, "Labels": {"team": "a b"}}
    assert "--name job" in line


def test_files_are_written_first_and_mounted_from_there() -> None:
    files = [api.TextFile("/etc/t.json", "it's\n")]
    body = docker.relocated(BODY, files, "/var/lib/x")
    assert body["HostConfig"]["Mounts"] == BODY["HostConfig"]["Mounts"]
    own = {"Type": "bind", "Source": "/var/lib/npufleet/files/job/0", "Target": "/etc/t.json", "ReadOnly": True}
    changed = {**BODY, "HostConfig": {**BODY["HostConfig"], "Mounts": [own]}}
    moved = docker.relocated(changed, files, "/var/lib/x")
    assert moved["HostConfig"]["Mounts"][0]["Source"] == "/var/lib/x/0"
    lines = docker.file_lines(files, "/var/lib/x")
    assert shlex.split(lines[1]) == ["printf", "%s", "it's\n", ">", "/var/lib/x/0"]


def test_a_unit_keeps_every_argument_from_systemds_own_signs() -> None:
    unit = systemd.unit("job", "/usr/bin/docker", docker.arguments("job", BODY, detach=False), {"policy": "always"}, 30)
    assert '"C=$$HOME %%i"' in unit
    assert "--detach" not in unit
    assert "Restart=always" in unit
    assert "ExecStart=/usr/bin/docker run --name job" in unit
