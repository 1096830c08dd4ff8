from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import pytest
from invoke.exceptions import CommandTimedOut

from npufleet.execute import Execution
from npufleet.inventory import Node
from npufleet.result import Exit, Result
from unit.fleet.samples import make_node


@dataclass
class Ran:
    exited: int | None
    stdout: str = "out\n"
    stderr: str = ""


class Connection:
    """What a node does: an exit code, or the error that the transport raises."""

    def __init__(self, outcome: int | Exception) -> None:
        self.outcome = outcome

    def run(self, _line: str, **_options: Any) -> Ran:
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return Ran(self.outcome)

    def close(self) -> None:
        pass


def execute(*outcomes: int | Exception) -> Result:
    nodes = [make_node(f"n{number}") for number in range(len(outcomes))]
    by_name = {node.name: outcome for node, outcome in zip(nodes, outcomes, strict=True)}

    def connect(node: Node) -> Connection:
        return Connection(by_name[node.name])

    steps = Execution(nodes, "true", timeout_s=2.0, connect=connect).steps()
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: Result = end.value
            return result


TIMED_OUT = CommandTimedOut(cast("Any", Ran(None)), 2)
REFUSED = OSError("refused")


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        ([0, 0], Exit.FINE), ([0, 3], Exit.PARTLY), ([3, 4], Exit.FAILED), ([REFUSED, REFUSED], Exit.UNREACHABLE),
        ([REFUSED, 0], Exit.PARTLY), ([TIMED_OUT], Exit.FAILED), ([REFUSED, 3], Exit.FAILED),
    ],
)  # fmt: skip
def test_the_rule_of_exit_codes(outcomes: list[Any], code: Exit) -> None:
    result = execute(*outcomes)
    assert result.exit_code == code
    assert len(result.errors) == sum(outcome != 0 for outcome in outcomes)


def test_each_nodes_own_code_and_output_are_kept() -> None:
    nodes = execute(0, 42, TIMED_OUT).data["nodes"]
    assert [(node["state"], node["exit_code"]) for node in nodes] == [("done", 0), ("done", 42), ("timeout", None)]
    assert nodes[1]["stdout"] == "out\n"


def test_an_interrupt_tells_which_were_not_ended() -> None:
    steps = Execution([make_node("n0")], "true", connect=lambda _node: Connection(0)).steps()
    next(steps)
    with pytest.raises(StopIteration) as stopped:
        steps.throw(KeyboardInterrupt())
    result: Result = stopped.value.value
    assert result.data["nodes"][0]["state"] in {"done", "interrupted"}
