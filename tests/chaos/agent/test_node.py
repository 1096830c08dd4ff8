"""The node may lose its power, the room on its disk, its idea of the time, and its npu-smi."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from chaos.agent.acts import in_state, kill_agent_now, leased, run_of, workload
from support import debian
from support.chaos import Trial
from support.fleet import Fleet
from support.load import Load
from support.nodes import Node
from support.workloads import IMAGE, answers, ready

STATE = "/var/lib/npufleet"
DAY_S = 86400


def test_a_node_that_lost_its_power_under_load_forgets_nothing(fleet: Fleet, trial: Trial) -> None:
    """After the node lost its power (4 times in the full run), it is ready within 90 s of being switched on.

    Within another 30 s what shall always run runs again, in the container that it had, and what shall not is told
    exited with its NPU free; nothing that was acknowledged is forgotten, though clients started and stopped workloads
    in the very moment.
    """
    node = trial.node
    always = trial.start("always", npus=[6], restart={"policy": "always", "backoff_s": 0})
    with Load(node, trial.ledger, trial.random):
        for number in range(max(1, trial.profile.kills // 50)):
            name = f"once-{number}"
            once = trial.start(name, npus=[7])
            fleet.power_off(node)
            trial.caused("power lost")
            fleet.power_on(node)
            trial.reached("the node is ready after its power came back", 90, lambda: ready(node))
            found = trial.reached("what always runs runs again", 30, lambda: in_state(node, "always", "running"))
            assert (found["container_id"], found["npus"]) == (always["container_id"], [6])
            ended = trial.reached("what ran once is told ended", 30, partial(in_state, node, name, "exited"))
            assert ended["container_id"] == once["container_id"]
            assert 7 not in leased(node)
            trial.check()
    trial.settle()
    trial.clear()


@contextmanager
def small_disk(node: Node) -> Iterator[None]:
    """The agent's state on a file system of its own, with a megabyte left and no room in files that it has."""
    fold = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('PRAGMA wal_checkpoint(TRUNCATE)')"
    node.run(
        f"set -e; systemctl stop npu-agent; cp -a {STATE} /run/chaos-state;"
        f' for base in agent history; do python3 -c "{fold}" /run/chaos-state/$base.db; done;'
        f" mount -t tmpfs -o mode=0700,size=$(( $(du -sk /run/chaos-state | cut -f1) + 1024 ))k none {STATE};"
        f" cp -a /run/chaos-state/. {STATE}; rm -rf /run/chaos-state; systemctl start npu-agent"
    )
    try:
        yield
    finally:
        node.run(
            f"set -e; systemctl stop npu-agent; rm -f {STATE}/ballast;"
            f" cp -a {STATE} /run/chaos-state; umount {STATE}; rm -rf {STATE};"
            f" cp -a /run/chaos-state {STATE}; rm -rf /run/chaos-state;"
            " systemctl start npu-agent"
        )


def refused_for_room(trial: Trial, name: str) -> bool:
    """Start and stop until the disk takes no more; the agent's word that nothing was changed is held to."""
    answer = trial.ledger.put(trial.node, name, image=IMAGE, npus=[5], command=["sleep", "86400"])
    assert answer is not None
    if answer.status_code == 503:
        assert answer.json()["code"] == "state-not-writable", answer.text
        assert workload(trial.node, name) is None, "nothing was changed, says the agent"
        return True
    assert answer.status_code == 201, answer.text
    ended = trial.ledger.delete(trial.node, name, grace_s=0)
    assert ended is not None
    return ended.status_code == 503


def test_a_full_disk_refuses_new_work_by_name_and_loses_nothing(trial: Trial) -> None:
    """While the disk of its state is full, the agent refuses changes by name and keeps all that it has.

    So does the next agent after a kill, which answers within 20 s; within 20 s of there being room again new work is
    accepted and what waits is done.
    """
    node = trial.node
    with small_disk(node):
        # Not ready: with so little room its disk is a finding.
        trial.reached("the agent knows its NPUs", 60, lambda: answers(node) and states(node) == {"healthy"})
        trial.start("kept", npus=[0, 1])
        before = run_of(node, "kept")
        node.ssh(f"dd if=/dev/zero of={STATE}/ballast bs=4k; sync")
        trial.caused("disk filled")
        trial.reached("a full disk is noticed", 60, lambda: refused_for_room(trial, "too-much"))
        trial.check()
        kill_agent_now(trial)
        assert set(leased(node)) >= {0, 1}
        trial.check()
        trial.reached("a full disk is noticed", 60, lambda: refused_for_room(trial, "too-much-again"))
        node.run(f"rm {STATE}/ballast")
        trial.reached("work is accepted when there is room", 20, lambda: not refused_for_room(trial, "fits"))
        trial.settle()
        assert run_of(node, "kept") == before
        trial.clear()


class ShiftedClock:
    """The wall clock of the agent's process, and of nothing else on the node, as many seconds away as is said."""

    _LIBRARY = "/usr/local/lib/chaos-shifted-clock.so"
    _FILE = "/run/chaos-clock"
    _UNIT = "/etc/systemd/system/npu-agent.service.d/clock.conf"

    def __init__(self, node: Node) -> None:
        self._node = node

    def install(self, library: Path) -> None:
        self._node.put(library, self._LIBRARY)
        self.shift(0)
        setting = f"[Service]\\nEnvironment=LD_PRELOAD={self._LIBRARY} SHIFTED_CLOCK={self._FILE}\\n"
        self._node.run(f"printf '{setting}' > {self._UNIT}; systemctl daemon-reload; systemctl restart npu-agent")

    def shift(self, seconds: int) -> None:
        self._node.run(f"echo {seconds} > {self._FILE}.new && mv {self._FILE}.new {self._FILE}")

    def remove(self) -> None:
        self._node.run(f"rm -f {self._UNIT} && systemctl daemon-reload && systemctl restart npu-agent")
        self._node.run(f"rm -f {self._FILE} {self._LIBRARY}")


@pytest.fixture
def clock(trial: Trial, tmp_path: Path) -> Iterator[ShiftedClock]:
    compiler = debian.program("tcc", "tcc")
    library, source = tmp_path / "clock.so", Path(__file__).with_name("shifted_clock.c")
    debian.run([str(compiler.path), "-shared", "-nostdlib", "-o", str(library), str(source)], tmp_path)
    found = ShiftedClock(trial.node)
    found.install(library)
    try:
        trial.reached("the node is ready", 60, lambda: ready(trial.node))
        yield found
    finally:
        found.remove()


def seconds_behind(node: Node) -> float:
    """How far the agent's idea of the time is behind this machine's."""
    told = dt.datetime.fromisoformat(node.get("/v1/npus")["observed_at"])
    return (dt.datetime.now(dt.UTC) - told).total_seconds()


def test_a_clock_set_back_by_a_day_moves_no_deadline(trial: Trial, clock: ShiftedClock) -> None:
    """When the agent's wall clock jumps back by a day, the node stays ready and nothing is late by more than a cycle.

    A reservation ends after its own seconds and a restart comes after its own backoff, starts and stops are as fast as
    ever, and an agent that is killed then adopts what runs. What jumps is CLOCK_REALTIME of the agent's process: the
    kernel's own clock is the whole machine's, and Docker keeps the right time. The clock returns by the same jump.
    """
    node, interval = trial.node, trial.profile.interval_s
    trial.start("kept", npus=[0])
    before = run_of(node, "kept")
    restart = {"policy": "always", "backoff_s": 8}
    assert trial.ledger.put(node, "again", image=IMAGE, npus=[1], command=["false"], restart=restart) is not None
    first = run_of(node, "again")
    assert node.api("PUT", "/v1/leases/soon", json={"npus": [2], "ttl_s": 8}).status_code == 201
    clock.shift(-DAY_S)
    trial.caused("clock set back a day")
    trial.reached("the agent lives in yesterday", interval + 3, lambda: seconds_behind(node) > DAY_S - 60)
    assert ready(node)
    trial.reached("a restart comes after its backoff", 8 + 2 * interval + 3, lambda: run_of(node, "again") != first)
    trial.reached("a reservation ends after its seconds", 8 + interval + 3, lambda: reservations(node) == [])
    trial.start("new", npus=[2])
    kill_agent_now(trial)
    trial.reached("the node is ready", 30, lambda: ready(node))
    trial.settle()
    clock.shift(0)
    trial.caused("clock set right")
    trial.reached("the agent is back in today", interval + 3, lambda: abs(seconds_behind(node)) < 60)
    assert ready(node)
    trial.settle()
    assert run_of(node, "kept") == before
    trial.clear()


def reservations(node: Node) -> list[Any]:
    return list(node.get("/v1/leases")["reservations"])


def test_an_npu_smi_that_hangs_harms_no_container_and_gives_out_no_npu(fleet: Fleet, trial: Trial) -> None:
    """While npu-smi hangs, for 12 s (10 minutes in the full run), no NPU is given out and no container is touched.

    Within four intervals the node is not ready and every NPU is unknown. All the while the agent answers, workloads can
    be stopped, an agent that is killed comes back within 20 s, and there is never more than one npu-smi of the agent.
    Within 30 s of its end the node is ready and gives out NPUs again.
    """
    node, profile = trial.node, trial.profile
    for number in range(3):
        trial.start(f"kept-{number}", npus=[number])
    before = run_of(node, "kept-0")
    fleet.fault(node, "hang")
    trial.caused("npu-smi hangs")
    try:
        trial.reached("the node is not ready", 4 * profile.interval_s + 3, lambda: not ready(node))
        trial.reached("every NPU is unknown", 4 * profile.interval_s + 3, lambda: states(node) == {"unknown"})
        outlast(trial)
        assert trial.stop("kept-1")
        kill_agent_now(trial)
        outlast(trial)
        trial.settle()
    finally:
        fleet.fault(node, "heal")
    trial.reached("the node is ready when npu-smi answers again", 30, lambda: ready(node))
    trial.start("new", npus=[1])
    trial.settle()
    assert run_of(node, "kept-0") == before
    trial.clear()


def states(node: Node) -> set[str]:
    return {npu["state"] for npu in node.get("/v1/npus")["npus"]}


def outlast(trial: Trial) -> None:
    """Half of the time that npu-smi hangs: look after look, and a request that must be refused before each."""
    end, most = time.monotonic() + trial.profile.hang_s / 2, 0
    while time.monotonic() < end:
        answer = trial.ledger.put(trial.node, "late", image=IMAGE, npus=1, command=["true"])
        assert answer is not None
        assert (answer.status_code, answer.json()["code"]) == (503, "npu-unhealthy"), answer.text
        most = max(most, len(trial.node.ssh("pgrep -x npu-smi").stdout.split()))
        trial.check()
        time.sleep(trial.profile.hang_s / 100)
    assert most == 1, "the one that hangs is seen, and no second one beside it"
