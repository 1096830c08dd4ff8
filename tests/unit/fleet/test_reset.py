from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from npu_agent import api
from npufleet import reset
from npufleet.errors import NpufleetError
from npufleet.fleet import Fleet
from npufleet.result import Exit
from npufleet.testing import Reply
from unit.fleet.samples import make_facts, make_fleet, make_npu, replies_of


@dataclass
class Connection:
    said: str = "\tMessage : resetting ...\n\tStatus                         : OK\n\tMessage : Reset card successfully."
    code: int = 0
    lines: list[str] = field(default_factory=list)

    def run(self, line: str, **_options: Any) -> Any:
        self.lines.append(line)
        return type("Ran", (), {"exited": self.code, "stdout": self.said, "stderr": ""})()

    def close(self) -> None:
        pass


def fleet(holders: dict[int, api.Holder] | None = None, resets: tuple[int, ...] = (4, 5)) -> Fleet:
    npus = [replace(make_npu(n, card=n, chip=0), holder=(holders or {}).get(n)) for n in range(8)]
    sick = api.Component("npu/4", api.UNHEALTHY, "it hangs", "reset-npu", resets=list(resets), advice="Reset it.")
    cordons = Reply(api.Cordons().to_dict())
    table = replies_of(make_facts("n1", npus=npus, components=[sick]))
    return make_fleet({"n1": {**table, "PUT /v1/cordon": cordons, "DELETE /v1/cordon": cordons}})


def refused(holder: api.Holder, npu: int, *, force: bool = False) -> str:
    with pytest.raises(NpufleetError) as caught:
        reset.plan(fleet({npu: holder}), "n1", 4, force=force)
    assert caught.value.failure.remedy
    return caught.value.failure.message


OURS = api.Holder("workload", "train-1")
FOREIGN = api.Holder("process", "python", pid=7)


def test_a_workload_on_it_or_on_its_ring_is_in_the_way_forced_or_not() -> None:
    assert "workload train-1 is on it" in refused(OURS, 4)
    assert "NPU 5, which is reset with it" in refused(OURS, 5, force=True)
    assert reset.plan(fleet({6: OURS}), "n1", 4, force=False).ring == (4, 5)


def test_a_foreign_process_is_in_the_way_unless_forced_and_then_it_is_named() -> None:
    assert "process python (pid 7), which is not npufleet's" in refused(FOREIGN, 5)
    plan = reset.plan(fleet({5: FOREIGN}), "n1", 4, force=True)
    assert any("process python (pid 7) on NPU 5 loses it" in line for line in plan.hurts)


def test_without_the_agents_word_all_npus_are_taken_for_the_ring() -> None:
    plan = reset.plan(fleet(resets=()), "n1", 4, force=False)
    assert plan.ring == tuple(range(8))
    assert any("does not tell its ring" in line for line in plan.hurts)


def test_it_is_cordoned_reset_by_card_and_chip_and_uncordoned() -> None:
    site, connection = fleet(), Connection()
    plan = reset.plan(site, "n1", 4, force=False)
    result = reset.carry_out(site, plan, "me@here", force=False, connect=lambda _node: connection)
    assert result.exit_code == Exit.FINE
    assert "npu-smi set -t reset -i 4 -c 0" in connection.lines[0]
    asked: Any = site.client("n1")._adapter
    calls = [f"{request.method} {request.path_url}" for request in asked.asked if "cordon" in request.path_url]
    assert calls == [
        "PUT /v1/cordon",
        "DELETE /v1/cordon?owner=me%40here%3Areset-npu&npu=4",
        "DELETE /v1/cordon?owner=me%40here%3Areset-npu&npu=5",
    ]


@pytest.mark.parametrize(
    ("said", "code"), [("Status : Fail", 0), ("Status : OK", 1), ("", 1), ("", 0), ("are you sure? (Y/N)", 0)]
)
def test_a_reset_that_npu_smi_refused_is_no_success(said: str, code: int) -> None:
    site = fleet()
    plan = reset.plan(site, "n1", 4, force=False)
    connection = Connection(said, code)
    result = reset.carry_out(site, plan, "me@here", force=False, connect=lambda _node: connection)
    assert (result.exit_code, result.errors[0].code) == (Exit.FAILED, "reset-failed")
