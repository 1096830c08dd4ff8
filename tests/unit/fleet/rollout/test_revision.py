from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from npufleet.errors import UsageError
from npufleet.rollout import revision


def read(folder: Path, document: Any) -> tuple[revision.Revision, dict[str, Any]]:
    path = folder / "r.yml"
    path.write_text(document if isinstance(document, str) else yaml.safe_dump(document), encoding="utf-8")
    return revision.read(path, folder)


def test_parts_become_the_variables_of_their_roles(tmp_path: Path) -> None:
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents/manifest.json").write_text("{}", encoding="utf-8")
    found, settings = read(
        tmp_path,
        {
            "agent": {"version": "0.2.0", "build_folder": "agents"},
            "engine": {"live-restore": True},
            "images": {"images_pulls": [{"name": "x"}]},
            "variables": {"hccl_ports_reserved": "60000-60031"},
            "rollout": {"canary": 2},
        },
    )
    assert (found.name, found.agent_version, settings) == ("r", "0.2.0", {"canary": 2})
    assert found.variables == {
        "agent_build_folder": str(tmp_path / "agents"),
        "docker_daemon_options": {"live-restore": True},
        "images_pulls": [{"name": "x"}],
        "hccl_ports_reserved": "60000-60031",
    }
    assert revision.restore(found.to_dict()).digest == found.digest


def test_a_revision_whose_files_were_changed_is_another_one(tmp_path: Path) -> None:
    (tmp_path / "driver.yml").write_text("- hosts: all\n", encoding="utf-8")
    before, _ = read(tmp_path, {"playbook": "driver.yml"})
    revision.check_files(before, tmp_path)
    (tmp_path / "driver.yml").write_text("- hosts: none\n", encoding="utf-8")
    assert read(tmp_path, {"playbook": "driver.yml"})[0].digest != before.digest
    with pytest.raises(UsageError, match="was changed since"):
        revision.check_files(before, tmp_path)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("[1", "cannot be read"),
        ("- a", "is not a mapping"),
        ({"playbok": "x"}, "playbok"),
        ({"agent": {"vesion": "1"}}, "vesion"),
        ({"variables": [1]}, "no mapping under variables"),
        ({"playbook": "none.yml"}, "cannot be read"),
    ],
)
def test_what_is_no_revision_is_refused(tmp_path: Path, document: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read(tmp_path, document)
