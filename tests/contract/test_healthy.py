"""playbooks/healthy.yml and `npufleet rollout` let the same nodes pass."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from npu_agent import api
from npufleet.rollout import gate, settings
from npufleet.rollout.gate import GOOD, Seen
from npufleet.sweep import Answer
from support.repo import ROOT
from unit.fleet.samples import make_node

PORT = api.Component("npu-network/3", api.UNKNOWN, "not asked yet")
DRIVER = api.Component("driver", api.UNKNOWN, "no version.info")
LOST = api.Component("workload/a", api.UNKNOWN, "the engine is silent")
SICK = "npu/3: unhealthy: Alarm"


def by_playbook(report: api.HealthReport) -> bool:
    play = yaml.safe_load((ROOT / "playbooks/healthy.yml").read_text(encoding="utf-8"))[0]
    rules: dict[str, Any] = {name: trust_as_template(text) for name, text in play["vars"].items()}
    templar = Templar(DataLoader(), variables={**rules, "said": report.to_dict()})
    return bool(templar.template(rules["healthy_known"]))


def by_gate(report: api.HealthReport) -> bool:
    node = api.Node("n1", "0.1.0", boot_id="b1")
    seen = Seen(node, report, api.NpuReport("t1"), api.Cordons(cordoned=not report.ready))
    return gate.look(Answer(make_node("n1"), seen), settings.read({})).verdict == GOOD


@pytest.mark.parametrize(
    ("state", "reasons", "parts", "passes"),
    [
        (api.HEALTHY, [], [], True), (api.DEGRADED, [], [], True), (api.HEALTHY, ["cordoned by me: x"], [], True),
        (api.UNKNOWN, [], [PORT], True), (api.UNKNOWN, ["cordoned by me: x"], [PORT, LOST], True),
        (api.UNKNOWN, [], [], False), (api.UNKNOWN, [], [LOST], False), (api.UNKNOWN, [], [PORT, DRIVER], False),
        (api.UNKNOWN, ["npu-network/3: unknown: by an older agent"], [PORT], False),
        (api.UNHEALTHY, [SICK], [], False), ("splendid", [], [], False), (api.HEALTHY, [SICK], [], False),
    ],
)  # fmt: skip
def test_both_ways_agree(state: str, reasons: list[str], parts: list[api.Component], passes: bool) -> None:
    report = api.HealthReport("n1", not reasons, state, reasons, parts)
    assert (by_playbook(report), by_gate(report)) == (passes, passes)
