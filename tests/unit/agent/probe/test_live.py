"""`npu-agent probe` on the node, and around a command."""

from __future__ import annotations

from pathlib import Path

from npu_agent.facts import NodePaths
from npu_agent.probe.live import command_document, live_document
from npu_agent.run import Completed
from unit.agent.fake_node import FakeNode
from unit.agent.recorded import read


def test_physical_ids_come_from_the_mapping(tmp_path: Path) -> None:
    node = FakeNode(tmp_path)
    found = live_document(NodePaths(str(tmp_path)), run_dir=str(tmp_path / "run"), run=node.smi)
    assert [chip["phy_id"] for chip in found["chips"]] == list(range(8))
    assert found["complete"] is True
    assert node.smi.calls == ["info", "info -m"]


def test_a_node_without_the_tool(tmp_path: Path) -> None:
    found = live_document(NodePaths(str(tmp_path)), run_dir=str(tmp_path / "run"))
    assert [error["class"] for error in found["errors"]] == ["missing-tool"]
    assert found["complete"] is False


def test_a_command_is_split_without_a_shell() -> None:
    seen: list[list[str]] = []

    def run(argv: list[str], **_: object) -> Completed:
        seen.append(argv)
        return Completed(tuple(argv), 0, read("info/910B4_1card_id2.txt"))

    found = command_document("ssh node-1 'npu-smi info'; true", run=run)  # type: ignore[arg-type]  # a smaller door
    assert seen == [["ssh", "node-1", "npu-smi info;", "true"]]
    assert found["chips"][0]["npu_id"] == 2
