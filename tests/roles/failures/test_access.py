"""Nodes that do not let Ansible in: one message each, and the others are prepared."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from roles.failures.conftest import IMPATIENT, prepare
from support.fleet import Fleet
from support.nodes import Node

ADD_USER = (
    "useradd --create-home --shell /bin/bash steward && echo steward:right | chpasswd"
    " && echo 'steward ALL=(ALL) ALL' > /etc/sudoers.d/steward && mkdir -m 700 /home/steward/.ssh"
    " && cp /root/.ssh/authorized_keys /home/steward/.ssh && chown -R steward: /home/steward/.ssh"
)


@pytest.fixture(scope="module")
def steward(troubled: list[Node]) -> Iterator[Node]:
    """A node with a user who may use sudo, with a password."""
    troubled[0].run(ADD_USER)
    yield troubled[0]
    troubled[0].run(
        "rm /etc/sudoers.d/steward; pkill -u steward; sleep 0.2; userdel --remove steward 2>/dev/null; true"
    )


def as_steward(password: str) -> dict[str, str]:
    return {"ansible_user": "steward", "ansible_become_password": password}


def test_a_wrong_sudo_password_and_a_node_that_is_cut_off(
    fleet: Fleet, steward: Node, troubled: list[Node], well: Node, tmp_path: Path
) -> None:
    silent = troubled[1]
    changed = fleet.overlaid(tmp_path, {steward.name: as_steward("wrong"), silent.name: IMPATIENT})
    fleet.fault(silent, "cut")
    try:
        told = prepare(changed, "ip_forward")
    finally:
        fleet.fault(silent, "heal")
    assert "sudo refuses the password that was given for the user steward" in told.about(steward)
    assert "ansible_become_password" in told.about(steward)
    assert "cannot be reached by SSH" in told.about(silent)
    assert "ssh to" in told.about(silent)
    assert told.states == {steward.name: "failed", silent.name: "unreachable", well.name: "done"}
    assert told.code == 3
    assert steward.run("cat /proc/sys/net/ipv4/ip_forward").strip() == "0", "as it was"
    assert well.run("cat /proc/sys/net/ipv4/ip_forward").strip() == "1"


def test_with_the_right_password_and_the_cable_back_they_are_prepared(
    fleet: Fleet, steward: Node, troubled: list[Node], tmp_path: Path
) -> None:
    told = prepare(fleet.overlaid(tmp_path, {steward.name: as_steward("right")}), "ip_forward")
    assert (told.code, told.errors) == (0, [])
    for node in troubled:
        assert node.run("cat /proc/sys/net/ipv4/ip_forward").strip() == "1"
