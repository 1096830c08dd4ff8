from __future__ import annotations

import io
import json
from collections.abc import Generator, Iterator

import pytest
from rich.text import Text

from npufleet.errors import WorkloadError
from npufleet.output import PIPE_WIDTH, Edge, make_console
from npufleet.result import Exit, Failure, Feed, Frame, Line, Lines, Message, Outcome, Progress, Result, Screen, Watch
from unit.fleet.terminals import AsciiOnly, Terminal

FAILED = Result(
    "run",
    messages=(Message("warning", "lab-3 did not answer"), Message("note", "less shm")),
    errors=(Failure("npu-held", "NPU 3 is held", "stop train-1", "lab-1"),),
    exit_code=Exit.FAILED,
    view=lambda: Text("the view"),
)


def show(outcome: Outcome, *, as_json: bool = False, stream: type[io.StringIO] = io.StringIO) -> tuple[int, str, str]:
    out, err = stream(), stream()
    code = Edge(as_json=as_json, stdout=out, stderr=err, environ={"TERM": "xterm"}).show(outcome)
    return code, out.getvalue(), err.getvalue()


def test_text_has_the_view_on_stdout_and_what_went_wrong_on_stderr() -> None:
    code, out, err = show(FAILED)
    assert code == 1
    assert out == "the view\n  note: less shm\n"
    assert err == "▲ lab-3 did not answer\n✖ NPU 3 is held\n  → stop train-1\n"


def test_json_is_one_document_on_stdout_and_nothing_else() -> None:
    code, out, err = show(FAILED, as_json=True)
    assert json.loads(out) == FAILED.envelope()
    assert (code, err) == (1, "")


def test_view_that_tells_its_errors_is_not_echoed() -> None:
    _, _, err = show(Result("status", errors=FAILED.errors, view=lambda: Text("x"), view_tells_errors=True))
    assert err == ""


def test_text_of_a_workload_goes_through_untouched() -> None:
    log = "step 1 [bold]not markup[/bold] " + "x" * 300 + "\n"
    assert show(Result("logs", text=log))[1] == log


def test_controls_in_messages_do_not_reach_the_terminal() -> None:
    failure = Failure("x", "evil\x1b[2J\x1b]0;title\x07 name\r", "\x1b[1A")
    _, _, err = show(Result("run", errors=(failure,), exit_code=Exit.FAILED))
    assert "\x1b" not in err
    assert "\r" not in err
    assert "evil name" in err


def progress() -> Generator[Frame, None, Result]:
    yield Frame(lambda: Text("frame 1"), "== docker")
    yield Frame(lambda: Text("frame 2"))
    return Result("prepare", view=lambda: Text("summary"))


def test_progress_in_a_pipe_is_lines_on_stderr_then_the_summary() -> None:
    assert show(Progress("prepare", progress())) == (0, "summary\n", "== docker\n")


def test_progress_on_a_terminal_is_drawn_and_wiped() -> None:
    code, out, err = show(Progress("prepare", progress()), stream=Terminal)
    assert code == 0
    assert "frame 1" in err
    assert "frame 2" in err
    assert "== docker" not in err
    assert "summary" in out


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_progress_as_json_keeps_stdout_for_the_result(stream: type[io.StringIO]) -> None:
    code, out, err = show(Progress("prepare", progress()), as_json=True, stream=stream)
    assert (code, json.loads(out)["command"], err) == (0, "prepare", "== docker\n")


def breaking() -> Generator[Frame, None, Result]:
    yield Frame(lambda: Text("x"))
    raise WorkloadError("it is gone", remedy="look")


def test_error_in_the_middle_becomes_the_result() -> None:
    code, out, _ = show(Progress("prepare", breaking()), as_json=True)
    assert code == 1
    assert json.loads(out)["errors"][0]["message"] == "it is gone"


def test_interrupt_while_drawing_is_dealt_with_by_the_command() -> None:
    def drawing() -> Text:
        raise KeyboardInterrupt

    def steps() -> Generator[Frame, None, Result]:
        try:
            yield Frame(drawing)
        except KeyboardInterrupt:
            return Result("prepare", errors=(Failure("interrupted", "Stopped."),), exit_code=Exit.FAILED)
        return Result("prepare")

    code, _, err = show(Progress("prepare", steps()), stream=Terminal)
    assert code == 1
    assert "Stopped." in err


def watching() -> Iterator[Result]:
    yield Result("status", data={"n": 1}, view=lambda: Text("first"))
    yield Result("status", data={"n": 2}, view=lambda: Text("second"), exit_code=Exit.PARTLY)
    raise KeyboardInterrupt


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_watch_ends_with_the_interrupt_and_the_last_answers_code(stream: type[io.StringIO]) -> None:
    code, out, _ = show(Watch("status", watching()), stream=stream)
    assert code == 3
    assert "first" in out
    assert "second" in out


def test_watch_as_json_is_one_envelope_a_line() -> None:
    _, out, _ = show(Watch("status", watching()), as_json=True)
    assert [json.loads(line)["data"]["n"] for line in out.splitlines()] == [1, 2]


def test_followed_text_passes_through_until_the_interrupt() -> None:
    def chunks() -> Iterator[str]:
        yield "a\n"
        yield "b"
        raise KeyboardInterrupt

    assert show(Lines("logs", chunks())) == (0, "a\nb", "")


def test_followed_text_as_json_is_one_envelope_a_piece() -> None:
    _, out, _ = show(Lines("logs", iter(["a\n", "b"])), as_json=True)
    assert [json.loads(line)["data"]["text"] for line in out.splitlines()] == ["a\n", "b"]


def test_terminal_without_utf8_gets_plain_signs() -> None:
    terminal = AsciiOnly()
    Edge(as_json=False, stdout=terminal, stderr=terminal, environ={}).show(FAILED)
    assert terminal.drawn.getvalue().decode() == (
        "the view\n! lab-3 did not answer\n  note: less shm\nx NPU 3 is held\n  -> stop train-1\n"
    )


def test_no_color_is_respected() -> None:
    def drawn(environ: dict[str, str]) -> str:
        terminal = Terminal()
        make_console(terminal, {"TERM": "xterm-256color", **environ}).print(Text("x", style="red"))
        return terminal.getvalue()

    assert drawn({"NO_COLOR": "1"}) == "x\n"
    assert "\x1b[31m" in drawn({})


def test_pipes_are_wide_and_terminals_and_columns_decide_for_themselves() -> None:
    assert make_console(io.StringIO(), {}).width == PIPE_WIDTH
    assert make_console(io.StringIO(), {"COLUMNS": "70"}).width == 70


def test_feed_is_line_by_line_and_ends_with_what_went_wrong() -> None:
    lines = [Line(lambda: Text("one"), {"n": 1}), Line(lambda: Text("two"), {"n": 2})]
    code, out, err = show(Feed("events", iter(lines), FAILED))
    assert code == 1
    assert out.startswith("one\ntwo\n")
    assert "NPU 3 is held" in err
    code, out, _ = show(Feed("events", iter(lines), FAILED), as_json=True)
    assert [json.loads(text)["data"] for text in out.splitlines()] == [{"n": 1}, {"n": 2}, {}]
    assert json.loads(out.splitlines()[-1])["exit_code"] == code == 1


def test_screen_without_a_terminal_is_an_answer() -> None:
    def never(_console: object) -> None:
        raise AssertionError("there is no terminal to take")

    assert show(Screen("top", lambda: FAILED, never))[0] == 1
    assert json.loads(show(Screen("top", lambda: FAILED, never), as_json=True)[1]) == FAILED.envelope()
