"""A system that nobody knows, and one without a package manager: a sentence, and no attempt."""

from __future__ import annotations

import pytest

from support.fleet import Fleet
from support.nodes import Node

NO_ENGINE = "systemctl stop docker docker.socket 2>/dev/null; for f in $(which -a dockerd); do mv $f $f.away; done"
ENGINE_BACK = "for f in $(ls /usr/bin/dockerd.away /usr/sbin/dockerd.away 2>/dev/null); do mv $f ${f%.away}; done"


@pytest.mark.parametrize(
    ("make", "undo", "told"),
    [
        (
            "sed -i 's/^ID=.*/ID=plan9/' /etc/os-release",
            "sed -i 's/^ID=.*/ID=ubuntu/' /etc/os-release",
            "(ID plan9) with apt-get: the names of its Docker packages are not known. Set docker_packages",
        ),
        (
            "chmod -x /usr/bin/apt-get",
            "chmod +x /usr/bin/apt-get",
            "with none of apt-get, dnf and yum: its package manager is not known. Install an engine by hand",
        ),
    ],
    ids=["system", "package manager"],
)
def test_it_is_told_in_a_sentence(fleet: Fleet, ubuntu: Node, make: str, undo: str, told: str) -> None:
    ubuntu.run(f"{NO_ENGINE}; {make}")
    try:
        code, envelope = fleet.npufleet("prepare", "--tags", "docker", "--limit", ubuntu.name)
    finally:
        ubuntu.run(f"{undo}; {ENGINE_BACK}; true")
    assert code == 1
    (error,) = envelope["errors"]
    assert told in error["message"]
