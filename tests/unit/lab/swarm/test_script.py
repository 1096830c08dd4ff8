from __future__ import annotations

from pathlib import Path

import pytest

from npufleet_lab.errors import LabUsageError
from npufleet_lab.swarm import script
from npufleet_lab.swarm.script import Script, Setting

NAMES = [f"sim-{number:04d}" for number in range(1, 101)]


@pytest.mark.parametrize(
    ("words", "setting"),
    [
        ("dead", Setting(dead=True)),
        ("slow=2s npu=3 npu=5", Setting(slow_s=2.0, npus=(3, 5))),
        ("flap=10 unhealthy-on=0.2.0", Setting(flap_s=10.0, unhealthy_on="0.2.0")),
        ("heal", Setting()),
        ("", Setting()),
    ],
)
def test_words(words: str, setting: Setting) -> None:
    assert script.parse(words.split()) == setting


@pytest.mark.parametrize("word", ["ded", "slow=", "slow=0", "npu=x", "slow", "dead=1", "flap=-1", "version="])
def test_what_is_no_fault(word: str) -> None:
    with pytest.raises(LabUsageError, match="Faults are"):
        script.parse([word])


def test_shares_are_by_chance_but_the_same_ones_again_and_never_the_same_node_twice() -> None:
    found = script.spread(["5% dead", "2% hang", "sim-0003 npu=3"], NAMES, 1)
    assert sorted(set(found.values())) == ["dead", "hang", "npu=3"]
    assert 5 <= len(found) <= 8
    assert found == script.spread(["5% dead", "2% hang", "sim-0003 npu=3"], NAMES, 1)
    with pytest.raises(LabUsageError, match="No node"):
        script.spread(["sim-9999 dead"], NAMES, 1)


def test_later_files_win_and_what_they_leave_out_stays(tmp_path: Path) -> None:
    control = Script(tmp_path)
    script.write(tmp_path, "00-start.yml", {"sim-000[1-3]": "dead", "sim-0004": {"version": "0.2.0"}})
    script.write(tmp_path, "90-sim-0004.yml", {"sim-0004": {"faults": "npu=1"}})
    assert control.changed()
    found = control.read(NAMES)
    assert [found[name].dead for name in NAMES[:4]] == [True, True, True, False]
    assert found["sim-0004"] == Setting(npus=(1,), version="0.2.0")
    assert not control.changed()
    script.command(tmp_path, "sim-0002", ["heal"])
    script.command(tmp_path, "sim-000*", ["slow=1"])
    assert control.changed()
    assert control.read(NAMES)["sim-0002"] == Setting(slow_s=1.0)
    (tmp_path / script.COMMANDS).unlink()
    assert control.changed()
    assert control.read(NAMES)["sim-0002"].dead


@pytest.mark.parametrize("text", ["[", "- a", "sim-0001: {x: 1}", "sim-0001: 3"])
def test_files_that_say_nothing_sensible(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.yml").write_text(text)
    control = Script(tmp_path)
    with pytest.raises(LabUsageError):
        control.read(NAMES) if control.changed() else None
