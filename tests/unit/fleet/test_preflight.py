from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from npufleet import ticket
from npufleet.errors import UsageError
from npufleet.playbook_events import DONE, FAILED, UNREACHABLE, NodeRun, Tracker
from npufleet.playbook_story import End, Order, Story
from npufleet.preflight import Report, judge
from npufleet.result import Exit


def finding(name: str, severity: str, state: str = "fail") -> dict[str, Any]:
    said = {"en": {"text": f"{name} is wrong.", "tip": "Mend it."}, "zh": {"text": f"{name} 有误。", "tip": "请修正。"}}
    return {"id": name, "severity": severity, "state": state, **said["en"], "values": {}, "languages": said}


SUMMARY = {
    "system": "HCE 2.0", "arch": "aarch64", "kernel": "5.10", "python": "3.9.9", "cgroup": "v1",
    "engine": {"version": "18.09.0"}, "driver": {"driver_version": "23.0.6", "firmware_version": None},
    "counts": {"pci": 8, "npu-smi info": None}, "holders": [],
}  # fmt: skip
SICK = NodeRun("sick", FAILED, findings=[finding("info-1", "info"), finding("npus", "error")], summary=SUMMARY)
WARNED = NodeRun("warned", DONE, findings=[finding("clock", "warning"), finding("npus", "error", "pass")])
GONE = NodeRun("gone", UNREACHABLE, message="timed out")


def conclude(*nodes: NodeRun, to: Path | None = None, code: int = 0) -> Any:
    tracker = Tracker({node.name: node for node in nodes}, finished=True)
    order = Order("preflight", "playbooks/preflight.yml", Path("inventory/test"))
    return Report("en", everything=False, to=to).conclude(
        Story(order, tracker, End("successful", code), 3.0, Path("build/runs/x"))
    )


@pytest.mark.parametrize(
    ("node", "verdict"),
    [
        (SICK, "error"),
        (WARNED, "warning"),
        (NodeRun("a", DONE, findings=[finding("x", "info")]), "fine"),
        (GONE, "unreachable"),
        (NodeRun("a", FAILED, message="no Python"), "failed"),
        (NodeRun("a", DONE), "failed"),
    ],
)
def test_verdict_is_the_worst_that_was_found_and_never_fine_without_findings(node: NodeRun, verdict: str) -> None:
    assert judge(node).verdict == verdict


def test_the_worst_finding_stands_first() -> None:
    assert [one["id"] for one in judge(SICK).amiss] == ["npus", "info-1"]


def test_result_counts_errors_and_not_warnings() -> None:
    assert conclude(WARNED).exit_code == Exit.FINE
    assert conclude(SICK, WARNED, code=2).exit_code == Exit.PARTLY
    assert conclude(GONE, code=4).exit_code == Exit.UNREACHABLE
    assert [node["verdict"] for node in conclude(SICK, WARNED, code=2).data["nodes"]] == ["error", "warning"]


def test_the_ticket_is_for_people_and_for_programs(tmp_path: Path) -> None:
    path = tmp_path / "tickets" / "t.md"
    result = conclude(SICK, GONE, to=path, code=2)
    assert result.messages[-1].text == f"ticket: {path}"
    text = path.read_text(encoding="utf-8")
    for says in (
        "## sick: error",
        "driver 23.0.6, firmware unknown",
        "- NPUs: pci 8, npu-smi info unknown",
        "### [error] npus\n\nnpus is wrong. Mend it.\n\n> npus 有误。 请修正。",
        "## gone: unreachable",
        "- timed out",
    ):
        assert says in text
    block = re.search(r"```json\n(.*)\n```", text, re.DOTALL)
    assert block
    data = json.loads(block.group(1))
    assert (data["schema"], [node["node"] for node in data["nodes"]]) == (ticket.SCHEMA, ["sick", "gone"])


def test_a_ticket_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError) as caught:
        conclude(WARNED, to=tmp_path / "file" / "t.md")
    assert caught.value.failure.code == "ticket-not-written"
