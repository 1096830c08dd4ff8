"""Nodes whose system Python is too old: a finding with the remedy, and another interpreter by one variable."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.fleet import Fleet
from support.nodes import Node, wait_until

# The real interpreter goes where nobody looks for one; python3 is left as one that says it is older.
AGE = """
mkdir -p /opt/runtime/bin /usr/local/lib/older
test -e /opt/runtime/bin/python || mv /usr/bin/python3.11 /opt/runtime/bin/python
cat > /usr/local/lib/older/sitecustomize.py <<'END'
import collections, sys
version = collections.namedtuple("version_info", "major minor micro releaselevel serial")
sys.version_info = version(3, {minor}, 5, "final", 0)
sys.version = "3.{minor}.5 (default, Jan  1 2021, 00:00:00) [GCC 9.3.0]"
END
rm -f /usr/bin/python3
printf '#!/bin/sh\\nPYTHONPATH=/usr/local/lib/older exec /opt/runtime/bin/python "$@"\\n' > /usr/bin/python3
chmod 755 /usr/bin/python3
"""
RENEW = "mv /opt/runtime/bin/python /usr/bin/python3.11; ln -sf python3.11 /usr/bin/python3; rm -r /opt/runtime"
OTHER = "/opt/runtime/bin/python"


@pytest.fixture
def aged(euleros: Node, request: pytest.FixtureRequest) -> Iterator[Node]:
    euleros.run(AGE.format(minor=request.param))
    yield euleros
    euleros.run(RENEW)


def message_of(fleet: Fleet, node: Node, *arguments: str) -> str:
    code, envelope = fleet.npufleet(*arguments, "--limit", node.name)
    assert code == 1, envelope
    assert len(envelope["errors"]) == 1, envelope["errors"]
    return f"{envelope['errors'][0]['message']} {envelope['errors'][0]['remedy']}"


@pytest.mark.parametrize("aged", [7], indirect=True)
def test_too_old_for_ansible(fleet: Fleet, aged: Node, tmp_path: Path) -> None:
    told = message_of(fleet, aged, "preflight")
    assert "its Python is 3.7.5, and Ansible needs 3.8 or newer there" in told
    assert "Install a newer one beside it" in told
    assert "name it in ansible_python_interpreter" in told
    aged.run(f"ln -s {OTHER} /usr/local/bin/python3.11")
    assert "The node has /usr/local/bin/python3.11 (3.11." in message_of(fleet, aged, "preflight")
    aged.run("rm /usr/local/bin/python3.11")
    named = fleet.overlaid(tmp_path, {aged.name: {"ansible_python_interpreter": OTHER}})
    # A transaction of yum, which itself runs on the old Python, under an Ansible that does not.
    assert aged.ssh("rpm -q docker-engine").returncode == 0, "the tests before this one installed it"
    done, _ = named.playbook("playbooks/remove.yml", "--tags", "docker", "--limit", aged.name)
    assert done.returncode == 0, done.stdout[-4000:]
    assert aged.ssh("rpm -q docker-engine").returncode != 0


@pytest.mark.parametrize("aged", [8], indirect=True)
def test_too_old_for_the_agent(fleet: Fleet, aged: Node, tmp_path: Path) -> None:
    told = message_of(fleet, aged, "preflight")
    assert "The node has Python 3.8.5; the agent needs 3.9 or newer." in told
    assert "agent_python" in told
    assert "agent_python" in message_of(fleet, aged, "prepare", "--tags", "certificates,agent")
    named = fleet.overlaid(tmp_path, {aged.name: {"agent_python": OTHER}})
    for playbook in ("playbooks/preflight.yml", "playbooks/agent.yml"):
        done, _ = named.playbook(playbook, "--limit", aged.name)
        assert done.returncode == 0, done.stdout[-4000:]
    assert f"exec {OTHER} " in aged.run("cat /usr/local/bin/npu-agent")
    wait_until("the agent runs", 30, lambda: aged.ssh("npu-agent health --json").returncode in {0, 1})
    command = aged.run("tr '\\0' ' ' < /proc/$(systemctl show -p MainPID --value npu-agent)/cmdline")
    assert command.startswith(f"{OTHER} ")
    done, _ = named.playbook("playbooks/remove.yml", "--tags", "agent,certificates", "--limit", aged.name)
    assert done.returncode == 0, done.stdout[-4000:]
