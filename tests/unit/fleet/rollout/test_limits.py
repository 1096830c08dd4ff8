from __future__ import annotations

from typing import Any

from npufleet.rollout import limits, settings, states
from npufleet.rollout.rows import NodeRow


def rows(*wanted: tuple[int, str], **more: Any) -> list[NodeRow]:
    return [NodeRow("r", f"n{i}", i, batch, state, "", **more) for i, (batch, state) in enumerate(wanted)]


GOOD, BAD, SILENT = states.HEALTHY, states.FAILED, states.UNREACHABLE


def test_failed_and_unreachable_count_by_batch_and_altogether() -> None:
    ten = [(batch, BAD if i == 0 else GOOD) for batch in range(10) for i in range(10)]
    assert limits.exceeded(rows(*ten), 9)
    assert not limits.exceeded(rows(*ten), 10), "it must be exceeded"
    assert limits.exceeded(rows((0, SILENT), (0, GOOD), (1, GOOD), (1, GOOD)), 49)
    assert not limits.exceeded(rows((0, BAD), accepted=1), 0)


def test_room_counts_nodes_that_are_out_for_any_reason() -> None:
    nodes = rows(*[(0, states.PENDING)] * 8)
    wanted = nodes[:4]
    three = settings.read({"max_unavailable": 3})
    assert [n.node for n in limits.room(nodes, wanted, {"n7"}, three)] == ["n0", "n1"]
    assert [n.node for n in limits.room(nodes, wanted, {"n0"}, three)] == ["n0", "n1", "n2"]
    assert limits.room(nodes, wanted, {"n5", "n6", "n7"}, three) == []
    assert [n.node for n in limits.room(nodes, wanted, {"n3", "n5", "n6", "n7"}, three)] == ["n3"]


def test_without_a_limit_a_quarter_or_the_largest_batch() -> None:
    plain = settings.read({})
    eight = rows(*[(i, states.PENDING) for i in range(8)])
    assert len(limits.room(eight, eight[:1], {"n7"}, plain)) == 1
    assert limits.room(eight, eight[:1], {"n6", "n7"}, plain) == []
    wide = rows(*[(0, states.PENDING)] * 8)
    assert len(limits.room(wide, wide, set(), plain)) == 8
