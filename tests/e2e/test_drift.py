"""Somebody changes a prepared node by hand: verify says what, changes nothing, and names the command that mends it."""

from __future__ import annotations

import shlex
from typing import Any

from support.fleet import Fleet

DAMAGE = """
set -e
sed -i 's/"live-restore": true/"live-restore": false/' /etc/docker/daemon.json
sysctl -qw net.ipv4.ip_forward=0
rm /etc/sysctl.d/99-npufleet-ip-forward.conf
systemctl disable -q --now npufleet-metadata-guard.timer
/usr/local/libexec/npufleet/metadata-guard remove
"""


def differences(envelope: dict[str, Any], name: str) -> set[tuple[str, str, str]]:
    (node,) = [node for node in envelope["data"]["nodes"] if node["node"] == name]
    return {(one["role"], one["kind"], one["what"]) for one in node["differences"]}


def verdicts(envelope: dict[str, Any]) -> dict[str, str]:
    return {node["node"]: node["verdict"] for node in envelope["data"]["nodes"]}


def test_drift_is_found_told_and_mended(prepared: Fleet, metadata_is_local: None) -> None:
    node, other = prepared.nodes
    node.run(DAMAGE)
    code, envelope = prepared.npufleet("verify")
    assert code == 3, envelope
    assert verdicts(envelope) == {node.name: "drifted", other.name: "in-step"}
    found = differences(envelope, node.name)
    assert {(role, kind) for role, kind, _ in found} == {
        ("ip_forward", "file"), ("ip_forward", "proof"), ("docker", "option"), ("docker", "proof"),
        ("metadata_guard", "unit"), ("metadata_guard", "proof"),
    }  # fmt: skip
    assert ("docker", "option", "/etc/docker/daemon.json: live-restore") in found
    assert any("net.ipv4.ip_forward is 0 now" in what for _, _, what in found)
    # It only looked.
    assert node.run("sysctl -n net.ipv4.ip_forward").strip() == "0"
    assert node.ssh("systemctl is-enabled npufleet-metadata-guard.timer").stdout.strip() == "disabled"

    remedy = prepared.command(*shlex.split(envelope["data"]["remedy"]))
    assert remedy.returncode == 0, remedy.stdout + remedy.stderr
    code, envelope = prepared.npufleet("verify", "--limit", node.name)
    assert (code, verdicts(envelope)) == (0, {node.name: "in-step"}), envelope


def test_the_comparison_refuses_to_run_as_anything_else(prepared: Fleet) -> None:
    done, recap = prepared.playbook("playbooks/drift.yml")
    assert done.returncode != 0
    assert "run it with --check" in done.stdout
    assert all(counts["changed"] == 0 and counts["ok"] == 0 for counts in recap.values())
