"""A docker run line that makes the same container as the agent would, from the body of Docker's create call.

Left out are the agent's own name and labels: with them the agent would take the container for one of its own.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from npu_agent import api

_OURS = "io.npufleet."


def arguments(name: str, body: Mapping[str, Any], *, detach: bool = True) -> list[str]:
    host = body["HostConfig"]
    return [
        "docker", "run", *(["--detach"] if detach else []), "--name", name,
        *_limits(body, host), *_isolation(host), *_devices(host), *_mounts(host), *_logs(host),
        *(part for text in body["Env"] for part in ("--env", text)),
        *(part for key, value in body["Labels"].items() if not key.startswith(_OURS)
          for part in ("--label", f"{key}={value}")),
        *(["--workdir", body["WorkingDir"]] if "WorkingDir" in body else []),
        body["Image"], *body.get("Cmd", []),
    ]  # fmt: skip


def _limits(body: Mapping[str, Any], host: Mapping[str, Any]) -> Iterator[str]:
    yield from ("--restart", host["RestartPolicy"]["Name"], "--stop-timeout", str(body["StopTimeout"]))
    yield from ("--network", host["NetworkMode"], "--shm-size", str(host["ShmSize"]))
    if "NanoCpus" in host:
        yield from ("--cpus", f"{host['NanoCpus'] / 1_000_000_000:.9f}".rstrip("0").rstrip("."))
    if "Memory" in host:
        yield from ("--memory", str(host["Memory"]))


def _isolation(host: Mapping[str, Any]) -> Iterator[str]:
    if host.get("Privileged"):
        yield "--privileged"
    for key, flag in (("PidMode", "--pid"), ("IpcMode", "--ipc"), ("CgroupParent", "--cgroup-parent")):
        if host.get(key):
            yield from (flag, host[key])
    for key, flag in (("CapAdd", "--cap-add"), ("SecurityOpt", "--security-opt")):
        for value in host.get(key) or ():
            yield from (flag, value)


def _devices(host: Mapping[str, Any]) -> Iterator[str]:
    for device in host["Devices"]:
        yield from ("--device", f"{device['PathOnHost']}:{device['PathInContainer']}:{device['CgroupPermissions']}")


def _mounts(host: Mapping[str, Any]) -> Iterator[str]:
    for mount in host["Mounts"]:
        pairs = [f"type={mount['Type']}", f"source={mount['Source']}", f"target={mount['Target']}"]
        quoted = [f'"{pair}"' if "," in pair else pair for pair in pairs]  # the flag is read as a line of CSV
        yield from ("--mount", ",".join([*quoted, *(["readonly"] if mount["ReadOnly"] else [])]))


def _logs(host: Mapping[str, Any]) -> Iterator[str]:
    yield from ("--log-driver", host["LogConfig"]["Type"])
    for key, value in host["LogConfig"]["Config"].items():
        yield from ("--log-opt", f"{key}={value}")


def line(words: Sequence[str]) -> str:
    """For a shell, one option a row."""
    rows = ["docker run"]
    rest = list(words[2:])
    while rest and rest[0].startswith("--"):
        option = rest.pop(0)
        alone = option in {"--detach", "--privileged"}
        rows.append(option if alone else f"{option} {shlex.quote(rest.pop(0))}")
    rows.append(shlex.join(rest))
    return " \\\n  ".join(rows)


def relocated(body: Mapping[str, Any], files: Sequence[api.TextFile], folder: str) -> dict[str, Any]:
    """The agent keeps a spec's files in its own folder; without it they are under another."""
    places = {found.target: f"{folder}/{index}" for index, found in enumerate(files)}
    mounts = [
        {**mount, "Source": places[mount["Target"]]} if mount["Target"] in places else mount
        for mount in body["HostConfig"]["Mounts"]
    ]
    return {**body, "HostConfig": {**body["HostConfig"], "Mounts": mounts}}


def file_lines(files: Sequence[api.TextFile], folder: str) -> list[str]:
    if not files:
        return []
    made = [f"printf %s {shlex.quote(found.text)} > {shlex.quote(f'{folder}/{i}')}" for i, found in enumerate(files)]
    return [f"install -d -m 0755 {shlex.quote(folder)}", *made]
