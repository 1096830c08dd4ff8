from __future__ import annotations

from pathlib import Path

from npufleet.run import beside_python


def test_tools_of_this_environment_come_first() -> None:
    found = Path(beside_python("ansible-inventory"))
    assert found.is_absolute()
    assert found.name == "ansible-inventory"


def test_other_tools_are_left_to_the_path() -> None:
    assert beside_python("no-such-tool-here") == "no-such-tool-here"
