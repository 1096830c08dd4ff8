from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from npu_agent import api, holders
from npu_agent.engine import Container
from unit.agent.bench import FakeProcess

ALL = list(range(4))


def container(name: str, npus: set[int], state: str = "running", **more: Any) -> Container:
    return Container(id=name * 8, name=name, state=state, npus=frozenset(npus), **more)


def ours(name: str, npus: set[int], **more: Any) -> Container:
    return container(f"npufleet-{name}", npus, labels={api.LABEL_WORKLOAD: name}, **more)


def lease(npu: int, workload: str) -> api.Lease:
    return api.Lease(npu, workload, "2026-01-01T00:00:00Z", "held")


def test_foreign_containers_are_named() -> None:
    found = holders.find(ALL, [container("vllm", {1})], [])
    assert {npu: (h.kind, h.name) for npu, h in found.items()} == {1: ("container", "vllm")}


@pytest.mark.parametrize("state", ["exited", "created", "dead"])
def test_a_container_that_does_not_run_holds_nothing(state: str) -> None:
    assert holders.find(ALL, [container("old", {1}, state)], []) == {}


def test_a_privileged_container_holds_all() -> None:
    assert set(holders.find(ALL, [container("root", set(), all_npus=True)], [])) == set(ALL)


def test_the_leaseholder_is_named_before_a_privileged_neighbour() -> None:
    neighbours = [container("root", set(), all_npus=True), ours("a", {2})]
    found = holders.find(ALL, neighbours, [lease(2, "a")])
    assert (found[2].name, found[1].name) == ("a", "root")


def test_a_lease_holds_before_its_container_exists() -> None:
    assert holders.find(ALL, [], [lease(3, "a")])[3] == api.Holder("workload", "a", since="2026-01-01T00:00:00Z")


def test_a_reservation_holds_what_nobody_has_yet() -> None:
    kept = api.Reservation("big-job", [2, 3], since="2026-01-01T00:00:00Z")
    found = holders.find(ALL, [container("c", {2})], [], (), [kept])
    assert (found[2].name, found[3]) == ("c", api.Holder("reservation", "big-job", since="2026-01-01T00:00:00Z"))


def test_processes_hold_what_nobody_else_does() -> None:
    processes = [FakeProcess(0, 42, "python"), FakeProcess(1, 43, "x"), FakeProcess(None, 44, "y")]
    found = holders.find(ALL, [container("c", {1})], [], processes, container_id=lambda _pid: None)
    assert found[0] == api.Holder("process", "python", pid=42)
    assert found[1].name == "c"
    assert set(found) == {0, 1}


def test_a_process_in_a_container_is_that_container() -> None:
    found = holders.find(ALL, [container("c", set())], [], [FakeProcess(0, 42, "p")], container_id=lambda _pid: "c" * 8)
    assert (found[0].kind, found[0].name) == ("container", "c")


@pytest.mark.parametrize(
    "line",
    ["0::/system.slice/docker-{}.scope", "4:memory:/docker/{}", "0::/npufleet.slice/{}"],
)
def test_the_container_is_read_from_the_cgroup(tmp_path: Path, line: str) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "cgroup").write_text(line.format("ab" * 32) + "\n")
    assert holders.container_of_pid(7, tmp_path) == "ab" * 32
    assert holders.container_of_pid(8, tmp_path) is None


def test_disagreement_with_the_leases_is_found() -> None:
    containers = [ours("a", {0}), ours("b", {1}), container("x", {2}), container("y", {3})]
    found = holders.conflicts(ALL, containers, [lease(0, "a"), lease(2, "c")])
    assert [(c.npu, c.holder.name, c.lease) for c in found] == [(1, "b", None), (2, "x", "c")]


def test_a_stranger_with_a_workloads_label_is_a_stranger() -> None:
    copy = container("copy", {0}, labels={api.LABEL_WORKLOAD: "a"})
    found = holders.conflicts(ALL, [ours("a", {0}), copy], [lease(0, "a")])
    assert [(c.holder.kind, c.holder.name, c.lease) for c in found] == [("container", "copy", "a")]


def test_the_root_of_a_namespace_that_has_an_npu_open_is_its_holder() -> None:
    me = os.getpid()
    found = holders.find([0, 1, 2], [], [], roots={0: (me,), 1: (2**22 + 1,)})
    assert found[0].kind == "process"
    assert found[0].pid == me
    assert found[0].name
    assert 1 not in found  # that process is gone, and with it its namespace
    assert 2 not in found


def test_the_root_of_a_containers_namespace_is_the_container() -> None:
    running = container("vllm", set())
    found = holders.find([0], [running], [], container_id=lambda _: running.id, roots={0: (os.getpid(),)})
    assert found[0].container_id == running.id


@pytest.mark.parametrize(
    ("where", "named"),
    [
        ("", "process python (pid 42)"),
        ("e" * 8, "container e"),
        ("j" * 8, None),
        ("f" * 8, None),
        (None, None),
    ],
)
def test_a_process_on_a_leased_npu_that_is_not_the_leaseholders(where: str | None, named: str | None) -> None:
    job = Container("j" * 8, "npufleet-job", "running", {api.LABEL_WORKLOAD: "job"}, frozenset({3}))
    processes = [FakeProcess(3, 42, "python"), FakeProcess(4, 43, "free"), FakeProcess(None, 44, "?")]
    found = holders.intruders(processes, [job, container("e", set())], [lease(3, "job")], lambda _pid: where)
    assert [(c.npu, c.holder.sentence(), c.lease) for c in found] == ([(3, named, "job")] if named else [])


def test_where_a_process_is(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "cgroup").write_text("0::/system.slice/ssh.service\n")
    (tmp_path / "8").mkdir()
    (tmp_path / "8" / "cgroup").write_text(f"0::/docker/{'a' * 64}\n")
    assert [holders.place_of_pid(pid, tmp_path) for pid in (7, 8, 9)] == ["", "a" * 64, None]
