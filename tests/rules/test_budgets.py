"""Size budgets: a file or function that outgrows its page hides a second concern."""

from __future__ import annotations

import ast
from pathlib import Path

from support.repo import ROOT, python_files, syntax_tree, tracked_files

FUNCTION_LINES = 40
MODULE_LINES = 400
TASK_FILE_LINES = 80
TABLE_OF_CONTENTS_LINES = 30


def line_count(path: Path) -> int:
    return len((ROOT / path).read_text(encoding="utf-8").splitlines())


def test_functions_fit_a_screen() -> None:
    long = [
        f"{path}:{node.lineno} {node.name} has {node.end_lineno - node.lineno + 1} lines"
        for path in python_files("agent", "fleet", "lab", "playbooks", "scripts", "tests")
        for node in ast.walk(syntax_tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno + 1 > FUNCTION_LINES
    ]
    assert long == []


def test_modules_have_one_concern() -> None:
    long = [str(path) for path in tracked_files() if path.suffix == ".py" and line_count(path) > MODULE_LINES]
    assert long == []


def test_task_files_are_short_and_main_is_a_table_of_contents() -> None:
    for path in tracked_files():
        if path.parts[0] == "roles" and "tasks" in path.parts and path.suffix == ".yml":
            limit = TABLE_OF_CONTENTS_LINES if path.name == "main.yml" else TASK_FILE_LINES
            assert line_count(path) <= limit, f"{path} has more than {limit} lines"


def test_site_is_a_table_of_contents() -> None:
    assert line_count(Path("site.yml")) <= TABLE_OF_CONTENTS_LINES
