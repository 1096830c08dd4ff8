"""Names and places of a lab."""

from __future__ import annotations

from pathlib import Path

import pytest

from npufleet_lab.config import LabConfig
from npufleet_lab.errors import LabError


def test_names_and_places_follow_the_labs_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NPUFLEET_LAB_NAME", "rehearsal")
    monkeypatch.setenv("NPUFLEET_LAB_HOME", "/srv/lab")
    config = LabConfig.from_environment()
    assert config.object_name("1") == "npufleet-rehearsal-1"
    assert config.state_dir == Path("/srv/lab/labs/rehearsal")
    assert config.inventory_dir == config.checkout / "inventory" / "rehearsal"
    assert (config.checkout / "site.yml").is_file()
    assert config.filter_by_role("node")["label"] == ["io.npufleet.lab=rehearsal", "io.npufleet.lab.role=node"]


@pytest.mark.parametrize("name", ["", "Lab", "a/b", "../x", "a" * 17])
def test_a_name_that_cannot_name_things_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("NPUFLEET_LAB_NAME", name)
    with pytest.raises(LabError, match="NPUFLEET_LAB_NAME"):
        LabConfig.from_environment()
