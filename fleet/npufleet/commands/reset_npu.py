"""npufleet reset-npu: reset an NPU, and what shares its ring, once nothing runs there."""

from __future__ import annotations

from typing import Annotated

import typer

from npufleet import agent_cordon, reset
from npufleet.commands.options import InventoryOption, YesOption, verb
from npufleet.confirm import confirm
from npufleet.fleet import open_fleet
from npufleet.result import Outcome


def reset_npu(
    node: Annotated[str, typer.Argument(help="Its name in the inventory.")],
    npu: Annotated[int, typer.Argument(min=0, help="The NPU's physical id.")],
    *,
    force: Annotated[bool, typer.Option(help="Although something that is not npufleet's own uses it.")] = False,
    yes: YesOption = False,
    inventory: InventoryOption = None,
) -> Outcome:
    """Reset an NPU that nothing runs on. Others on its ring are reset with it.

    They are cordoned while it lasts. Exit codes: 0 it was reset, 1 it was refused or failed, 4 the node is unreachable.
    """
    fleet = open_fleet(inventory)
    plan = reset.plan(fleet, node, npu, force=force)
    confirm(f"Reset NPU {npu} of {node}", plan.hurts, yes=yes)
    return reset.carry_out(fleet, plan, agent_cordon.operator(), force=force)


app = verb(reset_npu)
