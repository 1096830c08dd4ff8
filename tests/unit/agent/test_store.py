from __future__ import annotations

import dataclasses
import sqlite3
import threading
from pathlib import Path

import pytest

from npu_agent import api, store
from npu_agent.problem import ProblemError
from npu_agent.store import LeaseConflictError, Record, Store


def record(name: str, npus: list[int], phase: str = store.RESERVED) -> Record:
    return Record(name=name, phase=phase, spec_sha256="s", spec={"name": name}, plan={}, resolved={}, npus=npus)


@pytest.fixture
def made(tmp_path: Path) -> Store:
    return Store(tmp_path / "a.db")


def test_every_commit_is_on_disk_before_it_is_answered(made: Store) -> None:
    assert made._connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert made._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_records_and_leases_survive_a_restart(tmp_path: Path) -> None:
    first = Store(tmp_path / "a.db")
    first.reserve(record("a", [1, 2]))
    first.close()
    again = Store(tmp_path / "a.db")
    assert again.get("a") == record("a", [1, 2])
    assert [(lease.npu, lease.workload, lease.state) for lease in again.leases()] == [
        (1, "a", "reserved"),
        (2, "a", "reserved"),
    ]


def test_a_conflict_writes_nothing(made: Store) -> None:
    made.reserve(record("a", [1]))
    with pytest.raises(LeaseConflictError) as caught:
        made.reserve(record("b", [0, 1]))
    assert (caught.value.npu, caught.value.owner) == (1, "a")
    assert made.get("b") is None
    assert [lease.npu for lease in made.leases()] == [1]


def test_one_of_many_gets_the_npu(made: Store) -> None:
    wins: list[str] = []

    def claim(name: str) -> None:
        try:
            made.reserve(record(name, [0]))
            wins.append(name)
        except LeaseConflictError:
            pass

    threads = [threading.Thread(target=claim, args=(f"w{index}",)) for index in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(wins) == 1
    assert [lease.workload for lease in made.leases()] == wins


def test_release_gives_the_npus_back_and_keeps_the_record(made: Store) -> None:
    made.reserve(record("a", [1]))
    made.save_and_release(record("a", [1], store.FINISHED))
    assert made.leases() == []
    assert made.get("a") == record("a", [1], store.FINISHED)


def test_forget_leaves_nothing(made: Store) -> None:
    made.reserve(record("a", [1]))
    made.forget("a")
    assert (made.records(), made.leases()) == ([], [])


def test_a_full_disk_refuses_and_loses_nothing(made: Store) -> None:
    made.reserve(record("a", [1]))
    pages = made._connection.execute("PRAGMA page_count").fetchone()[0]
    made._connection.execute(f"PRAGMA max_page_count = {pages}")
    big = dataclasses.replace(record("b", [2]), notes=["x" * 100_000])
    with pytest.raises(ProblemError) as caught:
        made.reserve(big)
    assert (caught.value.problem.status, caught.value.problem.code) == (503, api.CODE_STATE_WRITE)
    assert [lease.npu for lease in made.leases()] == [1]
    assert [item.name for item in made.records()] == ["a"]


def test_a_record_of_a_newer_agent_is_read(made: Store) -> None:
    made.reserve(record("a", [1]))
    with made.transaction() as connection:
        connection.execute("UPDATE workloads SET document = json_set(document, '$.later', 4)")
    assert made.get("a") == record("a", [1])


def test_a_file_that_is_no_database_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(b"not a database, but long enough to be looked at" * 100)
    with pytest.raises(sqlite3.DatabaseError):
        Store(path)


def test_a_file_that_is_made_is_not_written_at_the_start(tmp_path: Path) -> None:
    made = Store(tmp_path / "a.db")
    made._connection.execute("PRAGMA user_version = 7")  # a newer agent was here
    made.close()
    again = Store(tmp_path / "a.db")
    assert again._connection.execute("PRAGMA user_version").fetchone() == (7,)
    again.close()
