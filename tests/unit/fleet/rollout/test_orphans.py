from __future__ import annotations

from pathlib import Path

import pytest
from rich.text import Text

from npufleet.fleet import Fleet
from npufleet.inventory import Inventory
from npufleet.result import Frame
from npufleet.rollout import orphans
from npufleet.rollout.site import Clock, Site


def make(proc: Path, pid: int, *words: str) -> None:
    (proc / str(pid)).mkdir(parents=True)
    (proc / str(pid) / "cmdline").write_bytes("\0".join(words).encode())


def test_playbook_of_a_dead_session_is_found_and_waited_for(tmp_path: Path) -> None:
    make(tmp_path, 11, "ansible-playbook", "-e", "@/x/build/runs/20260101T000000-rollout-77/env/extravars")
    make(tmp_path, 12, "ansible-playbook", "-e", "@/x/build/runs/20260101T000000-rollout-7/env/extravars")
    make(tmp_path, 13, "bash")
    assert orphans.find(77, tmp_path) == [11]
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        (tmp_path / "11" / "cmdline").write_bytes(b"")

    site = Site(Fleet(Inventory(Path("x"), ()), None), None, Path(), Clock(lambda: sum(slept), sleep))  # type: ignore[arg-type]
    assert len(list(orphans.wait(site, 77, Frame(Text), proc=tmp_path))) == 1
    make(tmp_path, 14, "x-rollout-77/y")
    site = Site(site.fleet, site.apply, Path(), Clock(lambda: sum(slept), slept.append))
    with pytest.raises(orphans.OrphanError, match="process 14"):
        list(orphans.wait(site, 77, Frame(Text), proc=tmp_path))
