from __future__ import annotations

import threading
from typing import Any

import pytest

from npu_agent import api, store
from npu_agent.problem import ProblemError
from npu_agent.store import LeaseConflictError, Record
from unit.agent.bench import Bench, spec


def refused(action: Any) -> api.Problem:
    with pytest.raises(ProblemError) as caught:
        action()
    return caught.value.problem


def put(bench: Bench, name: str = "job", reservation: str | None = None, **changes: Any) -> api.Workload:
    return bench.workloads.put(name, spec(name, **changes), reservation)[0]


def test_reserve_then_commit(bench: Bench) -> None:
    kept, created = bench.workloads.reserve("r1", {"npus": 2, "ttl_s": 30})
    assert (created, kept.npus, kept.expires_in_s) == (True, [0, 1], 30)
    assert put(bench, reservation="r1", npus=2).npus == [0, 1]
    assert (bench.leased(), bench.workloads.reservations.all()) == ({0: "job", 1: "job"}, [])


def test_what_is_reserved_is_held_and_its_holder_is_named(bench: Bench) -> None:
    bench.workloads.reserve("r1", {"npus": [3]})
    problem = refused(lambda: put(bench, npus=[3]))
    assert (problem.code, problem.holder and problem.holder.sentence()) == (api.CODE_NPU_HELD, "reservation r1")
    assert put(bench, npus=4).npus == [0, 1, 2, 4]
    assert refused(lambda: bench.workloads.reserve("r2", {"npus": [3]})).code == api.CODE_NPU_HELD
    assert refused(lambda: bench.workloads.reserve("r2", {"npus": [4]})).code == api.CODE_NPU_HELD


def test_the_limit_is_of_the_clock_that_survives_jumps(bench: Bench) -> None:
    bench.workloads.reserve("r1", {"npus": [3], "ttl_s": 30})
    bench.clock.at_s += 29
    bench.restart()
    assert [one.expires_in_s for one in bench.workloads.reservations.all()] == [1.0]
    bench.clock.at_s += 1
    assert refused(lambda: put(bench, npus=[3], reservation="r1")).code == api.CODE_RESERVATION_GONE
    assert put(bench, npus=[3]).npus == [3]


def test_a_reboot_ends_it(bench: Bench) -> None:
    bench.workloads.reserve("r1", {"npus": [3], "ttl_s": 3600})
    bench.clock.boot_id, bench.clock.at_s = "boot-2", 5.0
    bench.restart()
    bench.cycle()
    assert bench.workloads.reservations.all() == []
    assert bench.store.query("SELECT * FROM reserved_npus") == []


def test_the_same_again_renews_and_another_is_refused(bench: Bench) -> None:
    bench.workloads.reserve("r1", {"npus": 2, "ttl_s": 30})
    bench.clock.at_s += 20
    kept, created = bench.workloads.reserve("r1", {"npus": 2, "ttl_s": 30})
    assert (created, kept.expires_in_s, kept.npus) == (False, 30, [0, 1])
    assert refused(lambda: bench.workloads.reserve("r1", {"npus": 3})).code == api.CODE_RESERVATION_OTHER
    bench.workloads.reservations.cancel("r1")
    assert [bench.workloads.reserve("r2", {"npus": "all"})[1] for _ in range(2)] == [True, False]


def test_the_spec_must_ask_what_was_reserved(bench: Bench) -> None:
    bench.workloads.reserve("r1", {"npus": [4, 5]})
    assert refused(lambda: put(bench, npus=[4], reservation="r1")).code == api.CODE_RESERVATION_OTHER
    assert refused(lambda: put(bench, npus=3, reservation="r1")).code == api.CODE_RESERVATION_OTHER
    assert put(bench, npus=[5, 4], reservation="r1").npus == [4, 5]


def test_a_commit_that_is_repeated_is_the_same_workload(bench: Bench) -> None:
    bench.workloads.reserve("r1", {"npus": 1})
    first = put(bench, reservation="r1")
    again, created = bench.workloads.put("job", spec(), "r1")
    assert (again.container_id, created) == (first.container_id, False)


def test_a_reserved_npu_that_fell_ill_is_not_given(bench: Bench) -> None:
    bench.workloads.reserve("r1", {"npus": [3]})
    bench.ill(3, api.UNHEALTHY, "Alarm")
    assert refused(lambda: put(bench, npus=[3], reservation="r1")).code == api.CODE_NPU_UNHEALTHY


def test_a_spec_is_tried_against_the_guards_before_anything_is_kept(bench: Bench) -> None:
    wanted = spec(npus=2, resources={"shm": "1m"})
    assert refused(lambda: bench.workloads.reserve("r1", {"spec": wanted})).code == api.GUARD_SHM
    assert refused(lambda: bench.workloads.reserve("r1", {"spec": spec(image="none:1")})).code == api.CODE_IMAGE_MISSING
    assert bench.workloads.reserve("r1", {"spec": spec(npus=2)})[0].npus == [0, 1]


@pytest.mark.parametrize("document", [{}, {"npus": 0}, {"npus": 1, "ttl_s": 0}, {"npus": 1, "x": 1}, {"spec": {}}, []])
def test_what_says_nothing_is_refused(bench: Bench, document: Any) -> None:
    assert refused(lambda: bench.workloads.reserve("r1", document)).code == api.CODE_INVALID_SPEC
    assert refused(lambda: bench.workloads.reserve("a/b", {"npus": 1})).field == "reservation"


def test_cancel_gives_back_and_can_be_repeated(bench: Bench) -> None:
    bench.workloads.reserve("r1", {"npus": "all"})
    assert bench.workloads.reservations.cancel("r1")
    assert not bench.workloads.reservations.cancel("r1")
    assert put(bench, npus="all").npus == list(range(8))


def test_one_of_many_gets_the_npus(bench: Bench) -> None:
    won: list[str] = []

    def client(name: str) -> None:
        try:
            bench.workloads.reserve(name, {"npus": [2, 3]})
            won.append(name)
        except ProblemError as error:
            assert error.problem.code == api.CODE_NPU_HELD  # noqa: PT017  # one of many clients in a loop

    def starter(name: str) -> None:
        try:
            put(bench, name, npus=[3, 4])
            won.append(name)
        except ProblemError as error:
            assert error.problem.code == api.CODE_NPU_HELD  # noqa: PT017  # one of many clients in a loop

    threads = [threading.Thread(target=client, args=(f"r{i}",)) for i in range(24)]
    threads += [threading.Thread(target=starter, args=(f"w{i}",)) for i in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert len(bench.store.query("SELECT * FROM reserved_npus")) + len(bench.leased()) == 2


def test_a_disk_that_is_full_keeps_nothing_and_still_forgets_what_is_over(bench: Bench) -> None:
    bench.workloads.reserve("r1", {"npus": [3], "ttl_s": 30})
    pages = bench.store.query("PRAGMA page_count")[0][0]
    bench.store.query(f"PRAGMA max_page_count = {pages}")
    codes = set()
    for index in range(200):
        try:
            bench.workloads.reserve(f"r-{index}-{'x' * 100}", {"npus": [4 + index % 4], "ttl_s": 3600})
        except ProblemError as error:
            codes.add(error.problem.code)
        else:
            bench.clock.at_s += 0.001
    assert codes == {api.CODE_NPU_HELD}
    bench.clock.at_s += 30
    assert "r1" not in {one.reservation for one in bench.workloads.reservations.all()}


def test_the_database_itself_gives_an_npu_once(bench: Bench) -> None:
    kept = bench.workloads.reservations
    kept.reserve("r1", [2, 3], 60)
    with pytest.raises(LeaseConflictError) as caught:
        kept.reserve("r2", [3, 4], 60)
    assert (caught.value.npu, caught.value.owner, caught.value.kind) == (3, "r1", "reservation")
    record = Record("job", store.RESERVED, "s", {}, {}, {}, [3])
    with pytest.raises(LeaseConflictError):
        bench.store.reserve(record, also=lambda connection: kept.settle(connection, [3], None))
    assert ([one.reservation for one in kept.all()], bench.store.records()) == (["r1"], [])
