"""After a reboot nothing is to do, and `remove` gives back what was found: file by file, rule by rule."""

from __future__ import annotations

from roles.mixed.conftest import Found, check, running, wait_until_ready
from support.fleet import Fleet
from support.nodes import Node
from support.snapshot import differences, snapshot


def test_reboot_changes_nothing(prepared: Fleet) -> None:
    before = {node.name: snapshot(node) for node in prepared.nodes}
    for node in prepared.nodes:
        done = prepared.command("npufleet", "lab", "restart", node.name)
        assert done.returncode == 0, done.stdout + done.stderr
    for node in prepared.nodes:
        wait_until_ready(node)
    assert {n.name: differences(before[n.name], snapshot(n)) for n in prepared.nodes} == {n: [] for n in before}
    check(prepared.playbook("site.yml"), prepared, changed=False)


def test_remove_gives_back_what_was_found(prepared: Fleet, busy: Node, found: Found) -> None:
    before = running(busy)
    check(prepared.playbook("playbooks/remove.yml"), prepared)
    assert running(busy) == before
    left = {node.name: differences(found[node.name], snapshot(node)) for node in prepared.nodes}
    assert left == {node.name: [] for node in prepared.nodes}


def test_a_node_can_be_prepared_again(prepared: Fleet) -> None:
    done, recap = prepared.playbook("site.yml", "--limit", prepared.nodes[1].name)
    assert done.returncode == 0, done.stdout[-4000:]
    assert recap[prepared.nodes[1].name]["changed"] > 0
    wait_until_ready(prepared.nodes[1])
