"""What a committed file may say, and what must be there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from support.repo import ROOT, python_files, syntax_tree, tracked_files

TEXT = {".py", ".yml", ".yaml", ".md", ".sh", ".toml", ".txt", ".in", ".j2", ".cfg", ".json", ""}


def text_files() -> list[Path]:
    return [path for path in tracked_files() if path.suffix in TEXT]


def test_no_file_names_a_registry_or_a_path_of_one_machine() -> None:
    # Built from parts so that this file does not trip over itself.
    hosts = ["py" + "pi.org", "python" + "hosted", "registry.npm" + "js", "deb." + "debian.org", "snapshot." + "debian"]
    pattern = re.compile("|".join(map(re.escape, hosts)) + "|/" + r"(?:work|root/\.pyenv|home/[a-z]+/git)/")
    for path in text_files():
        for number, line in enumerate((ROOT / path).read_text(encoding="utf-8").splitlines(), 1):
            assert not pattern.search(line), f"{path}:{number}: {line.strip()[:120]}"


@pytest.mark.parametrize("name", ["agent", "bench", "dev"])
def test_requirements_are_pinned_and_hashed(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    pins = re.findall(r"^[a-z0-9][\w.-]*==[^\s]+", text, re.MULTILINE)
    blocks = re.split(r"^(?=[a-z0-9][\w.-]*==)", text, flags=re.MULTILINE)[1:]
    assert len(pins) > 5
    assert len(blocks) == len(pins)
    for block in blocks:
        assert "--hash=sha256:" in block, block.splitlines()[0]
    assert "index-url" not in text


def test_every_test_asserts() -> None:
    # A comparison without assert proves nothing, and a test without either cannot fail.
    words = ("Assert", "raises", "assert_", "check", "verify", "expect", "wait_until")
    for path in python_files("tests"):
        for node in ast.walk(syntax_tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                assert any(word in ast.dump(node) for word in words), f"{path}: {node.name} asserts nothing"


def test_changelog_fragments_are_well_named() -> None:
    fragments = [path for path in tracked_files() if path.parts[0] == "changelog.d" and path.name != "README.md"]
    assert fragments
    for path in fragments:
        assert re.fullmatch(r"[a-z0-9-]+\.(added|changed|fixed|removed|security)\.md", path.name), path
        assert (ROOT / path).read_text(encoding="utf-8").strip(), f"{path} is empty"


def test_decisions_are_numbered_without_gaps() -> None:
    numbers = sorted(
        int(path.name[:4])
        for path in tracked_files()
        if path.parent == Path("docs/decisions") and path.name[0].isdigit()
    )
    assert numbers == list(range(1, len(numbers) + 1))


def test_links_between_documents_resolve() -> None:
    for path in (path for path in tracked_files() if path.suffix == ".md"):
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", (ROOT / path).read_text(encoding="utf-8")):
            if not re.match(r"[a-z]+:", target):
                assert (ROOT / path.parent / target).exists(), f"{path} links to {target}, which is not there"


def test_readme_fits_a_screen_and_a_half() -> None:
    for name in ("README.md", "README.zh-CN.md"):
        lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
        assert len(lines) <= 120, f"{name} has {len(lines)} lines; a page is missing in docs/"


def test_make_help_lists_the_promised_targets() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in ("setup", "demo", "test", "check", "unit", "lab", "lab-down", "bench", "clean"):
        assert re.search(rf"^{target}:.*## \S", makefile, re.MULTILINE), target
