"""After a reboot nothing is to do, and `remove` gives back what was found: file by file, rule by rule."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

from roles.mixed.conftest import Found, check, running, wait_until_ready
from support.fleet import Fleet
from support.nodes import Node
from support.snapshot import differences, snapshot

# The agent writes its own diary, and an engine that starts puts its rules where it finds room. It also closes FORWARD
# where it switches forwarding on by itself, and leaves it as it is where the node forwards already.
OF_A_START = re.compile(
    r"^files: /var/lib/npufleet/(?!found/)|tables-save: in another order$|^iptables-save: :FORWARD (ACCEPT|DROP):"
)
REORDERED = re.compile(r"tables-save: in another order$")


def test_reboot_changes_nothing(prepared: Fleet) -> None:
    before = {node.name: snapshot(node) for node in prepared.nodes}
    with ThreadPoolExecutor() as pool:
        restarts = list(
            pool.map(lambda node: prepared.command("npufleet", "lab", "restart", node.name), prepared.nodes)
        )
    assert [done.returncode for done in restarts] == [0] * len(restarts), [done.stderr for done in restarts]
    for node in prepared.nodes:
        wait_until_ready(node)
        # Shared storage remembers; the tmpfs that stands in for it begins empty.
        node.run("install -d -o 1000 -g 100 -m 755 /mnt/sfs_turbo/ws")
    for node in prepared.nodes:
        differing = differences(before[node.name], snapshot(node))
        assert [line for line in differing if not OF_A_START.search(line)] == [], node.name
    check(prepared.playbook("site.yml"), prepared, changed=False)


def test_remove_gives_back_what_was_found(prepared: Fleet, busy: Node, found: Found) -> None:
    before = running(busy)
    check(prepared.playbook("playbooks/remove.yml"), prepared)
    assert running(busy) == before
    left = {
        node.name: [line for line in differences(found[node.name], snapshot(node)) if not REORDERED.search(line)]
        for node in prepared.nodes
    }
    assert left == {node.name: [] for node in prepared.nodes}


def test_a_node_can_be_prepared_again(prepared: Fleet) -> None:
    done, recap = prepared.playbook("site.yml", "--limit", prepared.nodes[1].name)
    assert done.returncode == 0, done.stdout[-4000:]
    assert recap[prepared.nodes[1].name]["changed"] > 0
    wait_until_ready(prepared.nodes[1])
