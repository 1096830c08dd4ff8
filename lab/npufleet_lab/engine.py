"""The container engine the nodes run in: one that answers already, or one that the lab starts and stops itself."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import docker
import psutil
from docker.errors import DockerException

from npufleet_lab import apt
from npufleet_lab.config import LABEL, LabConfig
from npufleet_lab.errors import LabError
from npufleet_lab.machine import missing_programs
from npufleet_lab.progress import Progress
from npufleet_lab.run import start_daemon

if TYPE_CHECKING:
    from docker import DockerClient

_START_TIMEOUT_S = 60
_STOP_TIMEOUT_S = 60
_CLIENT_TIMEOUT_S = 180
ENGINE_PROGRAMS = {"dockerd": "docker.io", "iptables": "iptables"}


def connect(config: LabConfig) -> DockerClient | None:
    """The lab's own engine if it runs, else the machine's; None when neither answers."""
    own = config.engine_dir / "docker.sock"
    if own.exists() and (client := _answering(f"unix://{own}")):
        return client
    return _answering(None)


def require(config: LabConfig) -> DockerClient:
    client = connect(config)
    if client is None:
        raise LabError("No lab is running: no container engine answers.", "Start one with `npufleet lab up`.")
    return client


def ensure(config: LabConfig, progress: Progress) -> DockerClient:
    """Connect, or install and start an engine of the lab's own."""
    client = connect(config)
    if client is not None:
        return client
    packages = missing_programs(ENGINE_PROGRAMS)
    if packages:
        apt.require_apt()
        with progress.step(f"install {' and '.join(packages)}", "20-60 s"):
            apt.install(packages)
        # On a machine with systemd the package has started its own service by now.
        if client := connect(config):
            return client
    with progress.step("start a container engine for the lab"):
        return _start(config)


def stop(config: LabConfig, progress: Progress) -> bool:
    """Stop the engine that the lab started, if it did; an engine of the machine is left alone."""
    process = _own_process(config)
    if process is None:
        return False
    with progress.step("stop the lab's container engine"):
        process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + _STOP_TIMEOUT_S
        while not _ended(process):
            if time.monotonic() > deadline:
                raise LabError(
                    f"The lab's container engine (process {process.pid}) did not stop within {_STOP_TIMEOUT_S} s.",
                    f"Look into {_log(config)}.",
                )
            time.sleep(0.1)
    return True


def _ended(process: psutil.Process) -> bool:
    """Gone, or dead and not yet collected: in a container the first process often collects nobody."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def remove_data(config: LabConfig) -> None:
    """Forget everything the lab's own engine stored; only after it stopped."""
    shutil.rmtree(config.engine_dir, ignore_errors=True)


def in_use(client: DockerClient) -> bool:
    """Whether any lab's nodes are left in it."""
    return bool(client.containers.list(all=True, filters={"label": LABEL}))


def _answering(base_url: str | None) -> DockerClient | None:
    try:
        if base_url is None:
            client = docker.from_env(timeout=_CLIENT_TIMEOUT_S)
        else:
            client = docker.DockerClient(base_url=base_url, timeout=_CLIENT_TIMEOUT_S)
        client.ping()
    except (DockerException, OSError):
        return None
    return client


def _log(config: LabConfig) -> Path:
    return config.engine_dir / "dockerd.log"


def _arguments(config: LabConfig) -> list[str]:
    folder = config.engine_dir
    return [
        shutil.which("dockerd", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin") or "dockerd",
        f"--host=unix://{folder}/docker.sock",
        f"--data-root={folder}/data",
        f"--exec-root={folder}/run",
        f"--pidfile={folder}/dockerd.pid",
        f"--config-file={folder}/daemon.json",
        # No default bridge: the lab has networks of its own, and the default one may collide with the machine's.
        "--bridge=none",
        "--log-level=warn",
    ]


def _start(config: LabConfig) -> DockerClient:
    folder = config.engine_dir
    folder.mkdir(parents=True, exist_ok=True)
    # An empty configuration of its own keeps the machine's /etc/docker/daemon.json out.
    (folder / "daemon.json").write_text("{}\n")
    if _own_process(config) is None:
        (folder / "dockerd.pid").unlink(missing_ok=True)
        start_daemon(_arguments(config), _log(config))
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline:
        if client := _answering(f"unix://{folder}/docker.sock"):
            return client
        time.sleep(0.3)
    tail = "\n".join(_log(config).read_text(errors="replace").splitlines()[-5:])
    raise LabError(f"The container engine did not answer within {_START_TIMEOUT_S} s; it last said:\n{tail}")


def _own_process(config: LabConfig) -> psutil.Process | None:
    """The daemon named in the pid file, if that number still belongs to it."""
    try:
        pid = int((config.engine_dir / "dockerd.pid").read_text())
        process = psutil.Process(pid)
        if any(str(config.engine_dir) in part for part in process.cmdline()):
            return process
    except (OSError, ValueError, psutil.Error):
        return None
    return None
