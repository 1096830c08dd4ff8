"""The edge: the only place that prints. One outcome in, text or the JSON envelope out, and the exit code."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Generator, Mapping
from typing import Any, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from npufleet.errors import NpufleetError
from npufleet.result import Exit, Failure, Feed, Frame, Lines, Message, Outcome, Progress, Result, Screen, Watch
from npufleet.views import marks

# Into a pipe or a file: wide enough that nothing a program may look for is cut.
PIPE_WIDTH = 160


def make_console(stream: TextIO, environ: Mapping[str, str]) -> Console:
    """Rich minds NO_COLOR, TERM and COLUMNS by itself; what is no terminal gets a fixed width."""
    fixed = None if stream.isatty() or "COLUMNS" in environ else PIPE_WIDTH
    return Console(file=stream, width=fixed, highlight=False, soft_wrap=False, _environ=environ)


class Edge:
    def __init__(
        self,
        *,
        as_json: bool,
        stdout: TextIO | None = None,
        stderr: TextIO | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._as_json = as_json
        self._stdout = stdout or sys.stdout
        self._out = make_console(self._stdout, environ)
        self._err = make_console(stderr or sys.stderr, environ)

    def show(self, outcome: Outcome) -> int:
        """Show an outcome to its end; errors that come up on the way become its result."""
        try:
            if isinstance(outcome, Progress):
                return self._result(self._follow(outcome.steps))
            if isinstance(outcome, Watch):
                return self._watch(outcome)
            if isinstance(outcome, Lines):
                return self._lines(outcome)
            if isinstance(outcome, Feed):
                return self._feed(outcome)
            if isinstance(outcome, Screen):
                return self._screen(outcome)
            return self._result(outcome)
        except NpufleetError as error:
            assert not isinstance(outcome, Result), "a result has nothing left to do"
            return self._result(error.result(outcome.command))

    def _result(self, result: Result) -> int:
        if self._as_json:
            self._json(result.envelope(), indent=2)
            return int(result.exit_code)
        if result.text is not None:
            self._stdout.write(result.text)
        elif result.view is not None:
            self._out.print(result.view())
        for message in result.messages:
            self._message(message)
        for failure in () if result.view_tells_errors else result.errors:
            self._err.print(_failure(failure, plain=self._plain(self._err)))
        return int(result.exit_code)

    def _json(self, document: Mapping[str, Any], indent: int | None = None) -> None:
        self._stdout.write(json.dumps(document, indent=indent, ensure_ascii=True) + "\n")
        self._stdout.flush()

    def _message(self, message: Message) -> None:
        if message.level == "warning":
            mark = marks.WARN.text(ascii_only=self._plain(self._err))
            self._err.print(Text.assemble(mark, " ", (marks.clean(message.text), "yellow")))
        else:
            prefix = "note: " if message.level == "note" else ""
            self._out.print(Text(f"  {prefix}{marks.clean(message.text)}", style="dim"), soft_wrap=True)

    def _follow(self, steps: Generator[Frame, None, Result]) -> Result:
        """Show frames until the result; an interrupt, wherever it strikes, is left to the steps to deal with."""
        try:
            if self._as_json or not self._err.is_terminal:
                return self._follow_in_lines(steps)
            return self._follow_live(steps)
        except KeyboardInterrupt:
            return _interrupted(steps)

    def _follow_live(self, steps: Generator[Frame, None, Result]) -> Result:
        with Live(console=self._err, transient=True, auto_refresh=False) as live:
            while True:
                try:
                    live.update(next(steps).view(), refresh=True)
                except StopIteration as end:
                    return _its_result(end)

    def _follow_in_lines(self, steps: Generator[Frame, None, Result]) -> Result:
        """For logs and pipes: what is new, once, on stderr."""
        while True:
            try:
                frame = next(steps)
            except StopIteration as end:
                return _its_result(end)
            if frame.line:
                self._err.print(Text(marks.clean(frame.line)), soft_wrap=True)

    def _watch(self, watch: Watch) -> int:
        """Redraw until the interrupt, which is the normal way to leave."""
        code = int(Exit.FINE)
        try:
            if self._as_json or not self._out.is_terminal:
                for result in watch.results:
                    code = self._line_or_page(result)
                return code
            with Live(console=self._out, screen=True, auto_refresh=False) as live:
                for result in watch.results:
                    live.update(_page(result), refresh=True)
                    code = int(result.exit_code)
        except KeyboardInterrupt:
            pass
        return code

    def _line_or_page(self, result: Result) -> int:
        if not self._as_json:
            return self._result(result)
        self._json(result.envelope())
        return int(result.exit_code)

    def _lines(self, lines: Lines) -> int:
        try:
            for chunk in lines.chunks:
                if self._as_json:
                    self._json(Result(lines.command, data={"text": chunk}).envelope())
                else:
                    self._stdout.write(chunk)
                    self._stdout.flush()
        except KeyboardInterrupt:
            pass
        return int(Exit.FINE)

    def _feed(self, feed: Feed) -> int:
        """Line by line as they come; in JSON each is a document, and so is the end."""
        try:
            for line in feed.lines:
                if self._as_json:
                    self._json(Result(feed.command, data=line.data).envelope())
                else:
                    self._out.print(line.view(), soft_wrap=True)
        except KeyboardInterrupt:
            return int(Exit.FINE)
        if feed.end is None:
            return int(Exit.FINE)
        return self._line_or_page(feed.end)

    def _screen(self, screen: Screen) -> int:
        if self._as_json or not (self._out.is_terminal and sys.stdin.isatty()):
            return self._result(screen.look())
        with contextlib.suppress(KeyboardInterrupt):
            screen.run(self._out)
        return int(Exit.FINE)

    def _plain(self, console: Console) -> bool:
        return marks.ascii_only(console, console.options)


def _its_result(end: StopIteration) -> Result:
    assert isinstance(end.value, Result), "the steps of a command end with its result"
    return end.value


def _interrupted(steps: Generator[Frame, None, Result]) -> Result:
    try:
        while True:
            steps.throw(KeyboardInterrupt)
    except StopIteration as end:
        return _its_result(end)


def _page(result: Result) -> RenderableType:
    parts = [result.view()] if result.view is not None else []
    told = () if result.view_tells_errors else result.errors
    return Group(*parts, *(_failure(failure, plain=False) for failure in told))


def _failure(failure: Failure, *, plain: bool) -> Text:
    text = marks.BAD.text(ascii_only=plain)
    text.append(f" {marks.clean(failure.message)}", style="red")
    if failure.remedy:
        arrow = marks.ADVICE.plain if plain else marks.ADVICE.sign
        text.append(f"\n  {arrow} {marks.clean(failure.remedy)}", style="cyan")
    return text
