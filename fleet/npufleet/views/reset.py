"""What was reset."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.text import Text

from npufleet.survey import spans
from npufleet.views import marks
from npufleet.views.rows import AsciiDependent

if TYPE_CHECKING:
    from npufleet.reset import Plan


def done(plan: Plan) -> RenderableType:
    return AsciiDependent(lambda plain: _done(plan, plain))


def _done(plan: Plan, plain: bool) -> Text:
    mark = marks.OK.text(ascii_only=plain)
    return Text.assemble(
        mark, f" NPU {spans(plan.ring)} of ", (plan.node, "bold"), f" reset; npufleet health {plan.node}"
    )
