from __future__ import annotations

import importlib
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from npufleet import cli, commands
from npufleet.commands import options
from npufleet.result import Exit, Outcome, Result


def failing(*arguments: str) -> Result:
    outcome: Outcome | int = cli.call(arguments)
    assert isinstance(outcome, Result)
    return outcome


@pytest.mark.parametrize(
    ("arguments", "command", "said"),
    [
        (["staus"], "", "No such command 'staus'"),
        (["status", "--jsn"], "status", "No such option"),
        (["status", "extra"], "status", "extra"),
        (["logs"], "logs", "Missing argument"),
        (["stop", "x", "--grace", "abc"], "stop", "--grace"),
        (["--nonsense"], "", "No such option"),
        (["run", "img", "--name", "x"], "run", "has no npus"),
    ],
)
def test_mistakes_on_the_command_line_are_results_with_code_two(arguments: list[str], command: str, said: str) -> None:
    result = failing(*arguments)
    assert (result.exit_code, result.command) == (Exit.USAGE, command)
    assert result.errors[0].code == "usage"
    assert said in result.errors[0].message
    assert result.errors[0].remedy


def test_near_miss_of_a_verb_is_suggested() -> None:
    assert "'status'" in failing("staus").errors[0].message


def test_every_verb_has_its_module_and_every_module_its_verb() -> None:
    modules = {path.stem for path in Path(commands.__path__[0]).glob("*.py")} - {"__init__", "options"}
    assert modules == {cli.module_of(name) for name in cli.VERBS}


@pytest.mark.parametrize("name", [name for name, verb in cli.VERBS.items() if verb.answers])
def test_every_verb_loads_and_helps(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.call([name, "--help"]) == 0
    helped = capsys.readouterr().out
    assert "--json" in helped
    assert "--inventory" in helped


@pytest.mark.parametrize("name", [name for name, verb in cli.VERBS.items() if verb.answers])
def test_verbs_own_first_line_is_the_one_in_the_overview(name: str) -> None:
    module: Any = importlib.import_module(f"npufleet.commands.{cli.module_of(name)}")
    # A verb with sub-verbs says it in its callback.
    first = module.app.registered_callback or module.app.registered_commands[0]
    told = first.callback.__doc__.strip().splitlines()[0].rstrip(".:")
    assert told.partition(":")[0].partition(".")[0] in cli.VERBS[name].help


def test_no_verb_at_all_shows_the_help_and_is_a_usage_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.call([]) == 2
    shown = capsys.readouterr()
    assert all(name in shown.out + shown.err for name in cli.VERBS)


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["status", "--json"], True),
        (["--json", "ps"], True),
        (["run", "img", "--", "tool", "--json"], False),
        ([], False),
    ],
)
def test_json_is_ours_only_before_the_containers_command(arguments: list[str], wanted: bool) -> None:
    assert cli.wants_json(arguments) is wanted


@pytest.mark.parametrize("arguments", [["-i", "/no/where", "ps"], ["ps", "-i", "/no/where"]])
def test_inventory_may_stand_before_or_after_the_verb(arguments: list[str]) -> None:
    assert failing(*arguments).errors[0].message == "The inventory /no/where that -i names does not exist."


def test_inventory_after_the_verb_wins() -> None:
    assert "/b/b" in failing("-i", "/a/a", "ps", "-i", "/b/b").errors[0].message


def test_own_mistake_is_a_sentence_and_not_a_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise ZeroDivisionError("division by zero")

    plugged_in = types.ModuleType("npufleet.commands.broken")
    plugged_in.app = options.verb(broken)  # type: ignore[attr-defined]  # it is made here
    monkeypatch.setitem(sys.modules, plugged_in.__name__, plugged_in)
    monkeypatch.setitem(cli.VERBS, "broken", cli.Verb("Break.", "See"))
    with pytest.raises(SystemExit) as ended:
        cli.main(["broken"])
    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith(
        "✖ npufleet has made a mistake of its own: ZeroDivisionError: division by"
    )


def test_verb_that_cannot_be_loaded_takes_no_other_along(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cli.VERBS, "absent", cli.Verb("Miss.", "See"))
    assert failing("absent").errors[0].code == "verb-broken"
    assert cli.call(["ps", "--help"]) == 0
