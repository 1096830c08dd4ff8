"""Runs a simulated fleet until it is interrupted: writes its site, starts its processes, waits."""

from __future__ import annotations

import fcntl
import importlib.util
import multiprocessing
import os
import resource
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.connection import wait as wait_for
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization

from npufleet_lab.config import LabConfig
from npufleet_lab.errors import LabError, LabUsageError
from npufleet_lab.swarm import script, site
from npufleet_lab.swarm.keys import Authority

START_TIMEOUT_S = 300.0
FILES_PER_NODE = 8  # a listener, and a few connections at the same time


@dataclass(frozen=True)
class Wanted:
    count: int
    name: str = "swarm"
    port: int = 17443
    processes: int = 2
    faults: tuple[str, ...] = ()
    seed: int = 1


def folder_of(name: str) -> Path:
    return LabConfig.from_environment().checkout / "inventory" / name


def run(wanted: Wanted, say: Callable[[str], None]) -> None:
    if importlib.util.find_spec("uvicorn") is None:
        raise LabError("The libraries of the agent are not installed here.", "A checkout has them: make setup.")
    _need_files(wanted.count // wanted.processes * FILES_PER_NODE)
    folder = folder_of(wanted.name)
    names = [site.name_of(index) for index in range(1, wanted.count + 1)]
    faults = script.spread(wanted.faults, names, wanted.seed)
    with _alone(folder):
        try:
            _prepare(wanted, folder, faults)
            with _processes(wanted, folder, names):
                say(_told(wanted, folder, faults))
                _sleep_until_interrupted()
        finally:
            site.remove(folder)


def fault(name: str, pattern: str, words: list[str]) -> str:
    control = site.own(folder_of(name)) / "control"
    if not control.is_dir():
        raise LabUsageError(f"There is no simulated fleet {name}.", f"Start it: npufleet lab swarm --name {name}.")
    script.command(control, pattern, words)
    return f"{pattern}: {' '.join(words)}"


def _prepare(wanted: Wanted, folder: Path, faults: dict[str, str]) -> None:
    site.write(folder, wanted.count, wanted.port)
    shutil.rmtree(site.own(folder) / "control", ignore_errors=True)
    script.write(site.own(folder) / "control", script.START, faults)
    run = site.own(folder) / "files"
    run.mkdir(exist_ok=True)
    run.chmod(0o700)


@contextmanager
def _processes(wanted: Wanted, folder: Path, names: list[str]) -> Iterator[None]:
    authority = Authority.make()
    authority.write(folder / "pki")
    context = multiprocessing.get_context("spawn")
    started: dict[Connection, SpawnProcess] = {}
    try:
        for first in range(wanted.processes):
            share = _share(wanted, folder, authority, names, first)
            ours, theirs = context.Pipe(duplex=False)
            process = context.Process(target=_work, args=(share, theirs), daemon=True)
            process.start()
            theirs.close()
            started[ours] = process
        _await(started)
        yield
    finally:
        for process in started.values():
            process.terminate()
        for process in started.values():
            process.join(5)


def _share(wanted: Wanted, folder: Path, authority: Authority, names: list[str], first: int) -> dict[str, Any]:
    pem = authority.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    mine = range(first, wanted.count, wanted.processes)
    return {
        "nodes": tuple((names[index], site.address_of(index + 1)) for index in mine),
        "port": wanted.port,
        "authority_key": pem,
        "secret": authority.secret,
        "control": site.own(folder) / "control",
        "run": site.own(folder) / "files",
    }


def _work(share: dict[str, Any], ready: Any) -> None:
    from npufleet_lab.swarm import worker  # noqa: PLC0415  # the agent is loaded where it runs, and only there

    worker.main(worker.Share(**share), ready)


def _await(started: dict[Connection, SpawnProcess]) -> None:
    waiting = set(started)
    while waiting:
        found = wait_for(waiting, START_TIMEOUT_S)
        if not found:
            raise LabError(f"The fleet did not start within {START_TIMEOUT_S:.0f} s.", "Take fewer nodes.")
        for connection in waiting & set(found):
            try:
                said = connection.recv()
            except EOFError:
                raise LabError("A process of the fleet ended while it started.", "See what it said above.") from None
            if said:
                raise LabError(f"The fleet cannot start: {said}", "Does another fleet listen there? Try --port.")
            waiting.discard(connection)


def _told(wanted: Wanted, folder: Path, faults: dict[str, str]) -> str:
    wrong = f", {len(faults)} of them with a fault" if faults else ""
    try:
        shown = folder.relative_to(Path.cwd())
    except ValueError:
        shown = folder
    return (
        f"{wanted.count} simulated nodes answer{wrong}. They do not exist.\n"
        f"  npufleet status -i {shown}\n"
        f"  npufleet lab swarm-fault 'sim-0003' npu=3      and `heal`\n"
        f"Ctrl-C ends them and removes {shown}."
    )


def _sleep_until_interrupted() -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    try:
        while True:
            signal.pause()
    except KeyboardInterrupt:
        pass


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    folder.parent.mkdir(parents=True, exist_ok=True)
    path = folder.parent / f".{folder.name}.lock"
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise LabError(
            f"The simulated fleet {folder.name} runs already.", "End it, or choose another --name."
        ) from None
    else:
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
    finally:
        os.close(lock)


def _need_files(wanted: int) -> None:
    """Take as many open files as the machine allows; the processes inherit it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard != resource.RLIM_INFINITY and hard < wanted // FILES_PER_NODE * 2:
        raise LabError(f"This machine allows {hard} open files a process.", "Take fewer nodes, or more --processes.")
