from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from npufleet.collect import SCHEMA, Bundle
from npufleet.errors import UsageError
from npufleet.playbook_events import DONE, UNREACHABLE, NodeRun, Tracker
from npufleet.playbook_story import End, Order, Story
from npufleet.result import Exit


def story(*nodes: NodeRun) -> Story:
    order = Order("collect", "playbooks/collect.yml", Path("inventory/test"))
    return Story(order, Tracker({n.name: n for n in nodes}, finished=True), End("failed", 4), 3, Path("build/runs/x"))


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    folder = tmp_path / "loose" / "a" / "files" / "etc"
    folder.mkdir(parents=True)
    (folder / "os-release").write_text("ID=hce\n")
    return Bundle(tmp_path / "loose", tmp_path / "out" / "bundle.tar.gz")


def test_one_archive_with_an_index_of_every_node(bundle: Bundle) -> None:
    result = bundle.conclude(story(NodeRun("a", DONE), NodeRun("b", UNREACHABLE, message="timed out")))
    assert result.exit_code == Exit.PARTLY
    assert result.data["bundle"] == str(bundle.to)
    assert not bundle.loose.exists()
    assert bundle.to.stat().st_mode & 0o077 == 0
    with tarfile.open(bundle.to) as archive:
        names = archive.getnames()
        assert names == ["bundle/index.json", "bundle/INDEX.md", "bundle/a/files/etc/os-release"]
        assert {about.uname for about in archive.getmembers()} <= {"", "root"}
        content = archive.extractfile("bundle/index.json")
        assert content
        index = json.loads(content.read())
        readable = archive.extractfile("bundle/INDEX.md")
        assert readable
        assert b"## b: unreachable\n\ntimed out" in readable.read()
    assert index["schema"] == SCHEMA
    assert [(node["node"], node["state"], len(node["files"])) for node in index["nodes"]] == [
        ("a", "done", 1), ("b", "unreachable", 0),
    ]  # fmt: skip


def test_no_archive_where_no_node_gave_anything(tmp_path: Path) -> None:
    bundle = Bundle(tmp_path / "loose", tmp_path / "bundle.tar.gz")
    result = bundle.conclude(story(NodeRun("b", UNREACHABLE, message="timed out")))
    assert "bundle" not in result.data
    assert result.exit_code == Exit.UNREACHABLE
    assert list(tmp_path.iterdir()) == []


def test_what_was_collected_stays_when_the_archive_cannot_be_written(bundle: Bundle) -> None:
    bundle.to.parent.write_text("in the way")
    with pytest.raises(UsageError) as caught:
        bundle.conclude(story(NodeRun("a", DONE)))
    assert str(bundle.loose) in caught.value.failure.message
    assert bundle.loose.is_dir()
