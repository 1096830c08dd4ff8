"""A transaction that was cut off is known by its journal, finished by the next, and undone with the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from unit.plugins.loading import load

packages = load("modules/npufleet_packages.py")


class Manager:
    """A package manager of one node, which can be made to break."""

    def __init__(self, *installed: str) -> None:
        self.there = list(installed)
        self.half_done = False
        self.breaks_after = 99
        self.mended = 0

    def installed(self) -> list[str]:
        return sorted(self.there)

    def satisfied(self, names: list[str]) -> bool:
        return not self.half_done and set(names) <= set(self.there)

    def interrupted(self) -> bool:
        return self.half_done

    def install(self, names: list[str], mend: bool = False) -> None:
        self.mended += mend
        self.half_done = self.half_done and not mend
        for done, name in enumerate([*names, "library"]):
            if done >= self.breaks_after:
                self.half_done = self.half_done or done > 0
                raise packages.PackageError("broken")
            if name not in self.there:
                self.there.append(name)

    def remove(self, names: list[str]) -> None:
        self.there = [name for name in self.there if name not in names]


@pytest.fixture
def journal(tmp_path: Path) -> object:
    return packages.Journal(str(tmp_path / "found/docker-packages.json"))


def test_what_came_is_told_and_the_journal_stays_until_that_is_written_down(journal: object) -> None:
    manager = Manager("base")
    assert packages.have(manager, journal, ["engine"]) == {"changed": True, "added": ["engine", "library"]}
    assert journal.before() == ["base"]  # type: ignore[attr-defined]


def test_a_failure_that_left_the_node_as_it_was_leaves_no_journal(journal: object) -> None:
    manager = Manager("base")
    manager.breaks_after = 0
    with pytest.raises(packages.PackageError):
        packages.have(manager, journal, ["engine"])
    assert journal.before() is None  # type: ignore[attr-defined]


def test_a_cut_is_finished_by_the_next_run_which_knows_what_was_there_before(journal: object) -> None:
    manager = Manager("base")
    manager.breaks_after = 1
    with pytest.raises(packages.PackageError):
        packages.have(manager, journal, ["engine"])
    manager.breaks_after = 99
    assert packages.have(manager, journal, ["engine"]) == {"changed": True, "added": ["engine", "library"]}
    assert manager.mended == 1


def test_a_connection_that_was_lost_after_all_was_done_loses_nothing(journal: object) -> None:
    manager = Manager("base")
    packages.have(manager, journal, ["engine"])
    assert packages.have(manager, journal, ["engine"]) == {"changed": True, "added": ["engine", "library"]}


def test_what_is_broken_by_others_is_not_repaired_by_us(journal: object) -> None:
    manager = Manager("base", "engine")
    manager.half_done = True
    manager.breaks_after = 0
    with pytest.raises(packages.PackageError):
        packages.have(manager, journal, ["engine"])
    assert manager.mended == 0
    assert journal.before() is None, "the next run would mend it"  # type: ignore[attr-defined]


def test_removing_takes_what_an_unfinished_transaction_brought(journal: object) -> None:
    manager = Manager("base")
    packages.have(manager, journal, ["engine"])
    assert packages.drop(manager, journal, []) == {"changed": True, "added": []}
    assert manager.there == ["base"]
    assert journal.before() is None  # type: ignore[attr-defined]
    assert packages.drop(manager, journal, ["engine"])["changed"] is False
