"""What of the time before the start still holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from npu_agent import api, memory
from npu_agent.changes import Picture
from npu_agent.health.ledger import Ledger
from npu_agent.history import History
from npu_agent.monitor import Past
from unit.agent.fake_node import FakeNode
from unit.agent.recorded import healthy_table


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "history.db")


def kept(history: History, boot_id: str) -> None:
    picture = Picture({"npu/3": api.Component("npu/3", api.UNHEALTHY, "why", "reset-npu", "long ago")})
    ledger = Ledger()
    ledger.look("npu/3", ["80E3A203"], 1.0, boot_id)
    history.remember(memory.PICTURE, {"boot_id": boot_id, **picture.to_document()})
    history.remember(memory.LEDGER, ledger.to_document())
    history.write()


def test_states_hold_within_a_boot_and_faults_are_counted_over_all(history: History) -> None:
    kept(history, "b1")
    found = memory.recall(history)
    assert found.past("b1").components["npu/3"].since == "long ago"
    assert found.past("b2").components == {}
    assert found.past("b2").ledger.boots_with("npu/3", ["80E3A203"], 0.0) == 1


def test_nothing_kept_is_nothing_known(history: History) -> None:
    found = memory.recall(history)
    assert (found.picture, found.boot_id) == (Picture(), None)
    assert found.past(None).components == {}


@pytest.mark.parametrize(("boot_id", "kinds"), [("b1", ["agent"]), ("b2", ["reboot", "agent"])])
def test_a_start_is_told_and_a_boot_before_it(history: History, boot_id: str, kinds: list[str]) -> None:
    kept(history, "b1")
    memory.announce(history, memory.recall(history), "1.0", boot_id)
    history.write()
    assert [event.kind for event in history.read(0).events] == kinds


def test_the_first_start_is_no_reboot(history: History) -> None:
    memory.announce(history, memory.recall(history), "1.0", "b1")
    history.write()
    assert [event.kind for event in history.read(0).events] == ["agent"]


class Restarted:
    """A node whose NPU 3 is sick with a code that asks for a reset, over restarts of the agent and boots."""

    def __init__(self, folder: Path) -> None:
        self.node = FakeNode(folder)
        self.kept: list[dict[str, Any]] = []
        self.sick()

    def sick(self) -> None:
        self.node.smi.info, self.node.smi.health = healthy_table(n3="Alarm"), {3: "80E3A203"}

    def restart(self, boot: str = "boot-1") -> None:
        view = self.node.monitor.view()
        same = boot == (self.node.root / "proc/sys/kernel/random/boot_id").read_text().strip()
        components = {component.name: component for component in view.components} if same else {}
        self.kept = self.node.monitor.news_of_faults() or self.kept
        ledger = Ledger.from_document(self.kept)
        self.node.boot(boot)
        self.node.start(Past(components, ledger))

    def npu(self) -> api.Component:
        return next(c for c in self.node.monitor.view().components if c.name == "npu/3")


def test_a_restart_of_the_agent_keeps_since_and_says_nothing_before_it_looked(tmp_path: Path) -> None:
    restarted = Restarted(tmp_path)
    restarted.node.cycles(2)
    since = restarted.npu().since
    restarted.node.wait(2)
    restarted.restart()
    assert restarted.npu().state == api.UNKNOWN
    restarted.node.cycles(1)
    assert (restarted.npu().state, restarted.npu().since) == (api.UNHEALTHY, since)


def test_a_restart_is_no_way_around_the_second_good_look(tmp_path: Path) -> None:
    restarted = Restarted(tmp_path)
    restarted.node.cycles(1)
    restarted.restart()
    restarted.node.smi.heal()
    seen: list[bool] = []
    restarted.node.monitor.cycle(lambda: seen.append(restarted.node.monitor.view().ready))
    assert seen == [False]
    assert restarted.npu().state == api.UNHEALTHY
    restarted.node.cycles(1)
    assert restarted.npu().state == api.HEALTHY


def test_after_a_boot_a_fault_is_judged_anew(tmp_path: Path) -> None:
    restarted = Restarted(tmp_path)
    restarted.node.cycles(1)
    restarted.restart("boot-2")
    restarted.node.smi.heal()
    restarted.node.cycles(1)
    assert restarted.npu().state == api.HEALTHY


def test_a_fault_that_two_boots_did_not_cure_asks_for_other_hardware(tmp_path: Path) -> None:
    restarted = Restarted(tmp_path)
    told = []
    for boot in ("boot-2", "boot-3", "boot-4"):
        restarted.node.cycles(1)
        told.append(restarted.npu().action)
        restarted.restart(boot)
    assert told == ["reset-npu", "reset-npu", "replace-hardware"]


def test_a_card_that_two_boots_did_not_bring_back_asks_for_other_hardware(tmp_path: Path) -> None:
    restarted = Restarted(tmp_path)
    restarted.node.smi.info, restarted.node.smi.health = healthy_table(3), {}
    told = []
    for boot in ("boot-2", "boot-3", "boot-4"):
        restarted.node.cycles(1)
        told.append(restarted.npu().action)
        restarted.restart(boot)
    assert told == ["reboot-node", "reboot-node", "replace-hardware"]


def test_only_news_of_faults_are_given_out(tmp_path: Path) -> None:
    node = Restarted(tmp_path).node
    node.cycles(1)
    assert [row["mark"] for row in node.monitor.news_of_faults() or []] == ["80E3A203"]
    node.cycles(1)
    assert node.monitor.news_of_faults() is None
