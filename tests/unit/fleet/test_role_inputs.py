from __future__ import annotations

from npufleet import role_inputs
from support.repo import ROOT


def test_every_role_and_its_inputs() -> None:
    found = role_inputs.read(ROOT / "roles")
    assert set(found.roles) >= {"agent", "docker", "preflight"}
    assert found.types["agent_port"] == "int"
    assert found.types["images_archives"] == "list"
