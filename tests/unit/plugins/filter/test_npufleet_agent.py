"""Tokens, the build and the interpreter of the agent."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from unit.plugins.loading import load

agent = load("filter/npufleet_agent.py")

SECRET = "0" * 64 + "\n"
# The fleet's client derives the same ones: both sides are held to these.
TOKENS = {
    "operate": "npf_5c7598ff2e76301df424cd3fdf7fb9126f63e38f970c10e6ccf4e5da3ed00a71",
    "view": "npf_1626a4f4c888cebab12355ea41d83cd257fb3767f68fb9532810a19905872c70",
}


@pytest.mark.parametrize("scope", TOKENS)
def test_token_is_the_one_that_the_client_derives(scope: str) -> None:
    assert agent.npufleet_token(SECRET, scope, "lab-1") == TOKENS[scope]


def test_a_node_knows_hashes_and_no_token() -> None:
    text = agent.npufleet_tokens_document(SECRET, "lab-1")
    assert "npf_" not in text
    tokens = {token["name"]: token for token in json.loads(text)["tokens"]}
    assert tokens["fleet-operate"]["sha256"] == hashlib.sha256(TOKENS["operate"].encode()).hexdigest()
    assert tokens["fleet-operate"]["scopes"] == ["view", "operate"]
    assert tokens["fleet-view"]["scopes"] == ["view"]


def built(folder: Path) -> Path:
    (folder / "npu-agent-1.2-x86_64.pyz").write_bytes(b"x")
    artefacts = {
        "x86_64": {"file": "npu-agent-1.2-x86_64.pyz", "sha256": "abcdef0123456789"},
        "aarch64": {"file": "npu-agent-1.2-aarch64.pyz", "sha256": "00"},
    }
    (folder / "manifest.json").write_text(json.dumps({"version": "1.2", "artefacts": artefacts}))
    return folder


def test_release_is_named_by_version_architecture_and_content(tmp_path: Path) -> None:
    build = agent.npufleet_agent_build(str(built(tmp_path)), "x86_64")
    assert build["release"] == "npu-agent-1.2-x86_64-abcdef01.pyz"
    assert build["source"] == str(tmp_path / "npu-agent-1.2-x86_64.pyz")


@pytest.mark.parametrize(("arch", "words"), [("riscv64", "not for this node's riscv64"), ("aarch64", "is not there")])
def test_what_is_not_built_is_said_with_the_remedy(tmp_path: Path, arch: str, words: str) -> None:
    error = agent.npufleet_agent_build(str(built(tmp_path)), arch)["error"]
    assert words in error
    assert "make agent" in error


def test_nothing_built_is_said_with_the_remedy(tmp_path: Path) -> None:
    assert "make agent" in agent.npufleet_agent_build(str(tmp_path), "x86_64")["error"]


def system(own: str, *others: str) -> dict[str, Any]:
    return {
        "python": {"version": own, "executable": "/usr/bin/python3"},
        "pythons": [{"version": version, "path": f"/usr/bin/python{version}"} for version in others],
    }


@pytest.mark.parametrize(
    ("node", "told", "python"),
    [
        (system("3.11.2"), "", "/usr/bin/python3"),
        (system("3.11.2"), "/opt/py/bin/python3", "/opt/py/bin/python3"),
        (system("3.8.5", "3.10", "3.8"), "", "/usr/bin/python3.10"),
        (system("3.8.5", "3.8"), "", ""),
    ],
)
def test_interpreter_is_new_enough_or_none(node: dict[str, Any], told: str, python: str) -> None:
    assert agent.npufleet_agent_python(node, told) == python


def test_old_releases_go_oldest_first_and_the_current_one_stays() -> None:
    files = {f"/r/{name}.pyz": {"mtime": time} for name, time in (("d", 1), ("a", 2), ("c", 3), ("b", 4))}
    files["/r/note.txt"] = {"mtime": 0}
    assert agent.npufleet_old_releases(files, "/r", "d.pyz", 3) == ["/r/a.pyz"]
    assert agent.npufleet_old_releases(files, "/r", "b.pyz", 1) == ["/r/d.pyz", "/r/a.pyz", "/r/c.pyz"]
    assert agent.npufleet_old_releases(files, "/r", "b.pyz", 9) == []
