"""What a command printed on each node, below the node's name and exit code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from npufleet.views import marks
from npufleet.views.rows import AsciiDependent

if TYPE_CHECKING:
    from npufleet.execute import Done


def progress(left: Sequence[str], total: int) -> RenderableType:
    return Text(f"  {total - len(left)} of {total} done; waiting for {', '.join(left[:8])}")


def line(one: Done) -> str:
    return f"{one.node}: {_how(one)}"


def _how(one: Done) -> str:
    if one.exit_code is not None:
        return f"exit code {one.exit_code}"
    return f"{one.state}{f': {marks.clean(one.cause)}' if one.cause else ''}"


def outputs(done: Sequence[Done]) -> RenderableType:
    return AsciiDependent(lambda plain: Group(*(part for one in done for part in _one(one, plain))))


def _one(one: Done, plain: bool) -> list[Text]:
    mark = (marks.OK if one.fine else marks.BAD).text(ascii_only=plain)
    head = Text.assemble(mark, " ", (one.node, "bold"), f"  {_how(one)}, {one.took_s:.1f} s")
    said = [Text(f"  {marks.clean(text)}") for text in one.stdout.splitlines()]
    errors = [Text(f"  {marks.clean(text)}", style="yellow") for text in one.stderr.splitlines()]
    return [head, *said, *errors]
