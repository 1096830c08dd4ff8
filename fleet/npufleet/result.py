"""What a command returns: one frozen result that the edge shows as text or as the versioned JSON envelope."""

from __future__ import annotations

import enum
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

SCHEMA = "npufleet/v1"


class Exit(enum.IntEnum):
    """The exit codes that scripts may rely on."""

    FINE = 0
    FAILED = 1
    USAGE = 2
    PARTLY = 3
    UNREACHABLE = 4


@dataclass(frozen=True)
class Message:
    """A sentence beside the answer; level is info, note or warning."""

    level: str
    text: str


@dataclass(frozen=True)
class Failure:
    """What went wrong: a stable code for programs, cause and remedy for people."""

    code: str
    message: str
    remedy: str = ""
    node: str | None = None

    def to_dict(self) -> dict[str, Any]:
        return {"code": self.code, "message": self.message, "remedy": self.remedy, "node": self.node}


@dataclass(frozen=True)
class Result:
    """The answer of one command; `view` builds what a person sees, `data` is what a program reads."""

    command: str
    data: dict[str, Any] = field(default_factory=dict)
    messages: tuple[Message, ...] = ()
    errors: tuple[Failure, ...] = ()
    exit_code: Exit = Exit.FINE
    view: Callable[[], RenderableType] | None = field(default=None, compare=False, repr=False)
    # Printed as it is, in place of a view: a workload's own output is not ours to format.
    text: str | None = field(default=None, compare=False, repr=False)
    # The view of some commands tells every failure at its place: saying it again below would only be noise.
    view_tells_errors: bool = False

    @property
    def ok(self) -> bool:
        return self.exit_code == Exit.FINE

    def envelope(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "command": self.command,
            "ok": self.ok,
            "exit_code": int(self.exit_code),
            "data": self.data,
            "messages": [{"level": m.level, "text": m.text} for m in self.messages],
            "errors": [e.to_dict() for e in self.errors],
        }


@dataclass(frozen=True)
class Frame:
    """One moment of a long command: `view` replaces the frame before on a terminal, `line` goes to a log file."""

    view: Callable[[], RenderableType]
    line: str = ""


@dataclass(frozen=True)
class Progress:
    """A command that takes minutes: frames while it goes on, then its result."""

    command: str
    steps: Generator[Frame, None, Result]


@dataclass(frozen=True)
class Watch:
    """A command that answers again and again until it is interrupted."""

    command: str
    results: Iterator[Result]


@dataclass(frozen=True)
class Lines:
    """A command that passes text through as it comes, such as a followed log."""

    command: str
    chunks: Iterator[str]


@dataclass(frozen=True)
class Line:
    """One line of a feed: `view` for people, `data` for programs."""

    view: Callable[[], RenderableType]
    data: dict[str, Any]


@dataclass(frozen=True)
class Feed:
    """A command whose answer is line after line, perhaps without an end; `end` is what is to be said after the last."""

    command: str
    lines: Iterator[Line]
    end: Result | None = None


@dataclass(frozen=True)
class Screen:
    """A command that takes the whole terminal; where there is none, `look` is its answer."""

    command: str
    look: Callable[[], Result]
    run: Callable[[Console], None]


Outcome = Result | Progress | Watch | Lines | Feed | Screen


def spread(failed: int, unreachable: int, total: int) -> Exit:
    """Judge many nodes at once: 4 when none could be reached, 3 when some are not fine, 0 when all are."""
    if total and unreachable == total:
        return Exit.UNREACHABLE
    return Exit.PARTLY if failed or unreachable else Exit.FINE
