"""The report before anything is changed: it names what is amiss, and leaves nothing behind."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.fleet import Fleet
from support.nodes import Node

IMAGE = "npufleet-lab/busybox:1"
# Every file but the kernel's own, with all that a change of it changes; rules, settings, packages, processes.
# Whoever logs in is written down by sshd, PAM and systemd, and has processes of their own; a module of Ansible is
# unpacked below /tmp and gone with its end, so that the folder's own time changes and nothing in it.
FINGERPRINT = r"""
find / /run /tmp /dev /var/lib/docker -xdev \
  \( -path /proc -o -path /sys -o -path /run/user -o -path '/run/systemd/*' -o -path /run/log \
     -o -path /var/log/journal -o -path /dev/pts -o -path /dev/ptmx \) -prune \
  -o ! -name wtmp ! -name btmp ! -name lastlog ! -name utmp ! -name auth.log ! -name motd.dynamic \
  ! -name 'systemd-private-*' \
  -printf 'file %p %y %m %U:%G %s %T@ %C@ %l\n' | sed -E 's#^(file /(run|tmp) d [^ ]+ [^ ]+) .*#\1#' | sort
{ iptables-save; ip6tables-save; } | grep -v '^#' | sed 's/\[[0-9:]*\]//; s/^/rule /'
sysctl -a 2>/dev/null | grep -E '^(net\.(ipv4|ipv6|bridge)|vm|kernel)\.' \
  | grep -vE 'random|ns_last_pid|pty.nr|tcp_mem|route\.|conntrack|sched|stat_refresh' | sed 's/^/sysctl /'
{ dpkg-query -W 2>/dev/null; rpm -qa 2>/dev/null; } | sort | sed 's/^/package /'
docker ps --all --no-trunc --format 'container {{.ID}} {{.Names}} {{.Status}}' | sed 's/Up .*/Up/'
ps -eo pid=,ppid=,comm= | grep -vE ' (sshd|systemd|\(sd-pam\)|bash|sh|ps|grep|sed|sort|find|login)$|\bkworker' \
  | sed 's/^/process /'
"""


def fingerprint(node: Node) -> set[str]:
    return set(node.run(FINGERPRINT).splitlines())


def test_preflight_leaves_nothing_behind(prepared: Fleet) -> None:
    node = prepared.nodes[0]
    # What the agent and the guard's timer write by themselves is theirs.
    node.run("systemctl stop npu-agent npufleet-metadata-guard.timer")
    try:
        before = fingerprint(node)
        assert {line.split(" ", 1)[0] for line in before} >= {"file", "rule", "sysctl", "package", "process"}
        code, envelope = prepared.npufleet("preflight", "--limit", node.name)
        assert code == 0, envelope
        assert before ^ fingerprint(node) == set()
    finally:
        node.run("systemctl start npu-agent npufleet-metadata-guard.timer")


@pytest.fixture
def held(prepared: Fleet) -> Iterator[tuple[Node, int]]:
    """A node with a container that somebody started by hand, and a process of the host that npu-smi names."""
    node = prepared.nodes[0]
    node.run(f"docker run -d --name by-hand --device /dev/davinci2 --device /dev/davinci3 {IMAGE} sleep 86400")
    pid = int(node.run("setsid sleep 86400 >/dev/null 2>&1 </dev/null & echo $!"))
    prepared.fault(node, "process", "npu=5", f"pid={pid}", "name=torchrun")
    yield node, pid
    prepared.fault(node, "heal")
    node.run(f"kill {pid}; docker rm -f by-hand")


@pytest.fixture
def broken(prepared: Fleet) -> Iterator[Node]:
    """A node where a bad mount left a folder in the place of npu-smi, and a card fell off the bus."""
    node = prepared.nodes[1]
    tool = node.run("command -v npu-smi").strip()
    prepared.fault(node, "drop-card", "5")
    node.run(f"mv {tool} /root/npu-smi.away && mkdir {tool}")
    yield node
    node.run(f"rm -rf {tool}; mv /root/npu-smi.away {tool}")
    prepared.fault(node, "heal")


def amiss(envelope: dict[str, Any], node: Node) -> dict[str, dict[str, Any]]:
    (found,) = [one for one in envelope["data"]["nodes"] if one["node"] == node.name]
    return {one["id"]: one for one in found["findings"] if one["state"] == "fail"}


def test_holders_and_broken_counts_are_named(
    prepared: Fleet, held: tuple[Node, int], broken: Node, tmp_path: Path
) -> None:
    node, pid = held
    path = tmp_path / "ticket.md"
    code, envelope = prepared.npufleet("preflight", "--lang", "zh", "--ticket", str(path))
    assert code == 3, envelope
    holders = amiss(envelope, node)["npu-holders"]
    assert "NPU 2-3: container by-hand" in holders["text"]
    assert f"NPU 5: torchrun (pid {pid})" in holders["text"]
    found = amiss(envelope, broken)
    assert re.search(r"一个目录", found["npu-smi-is-a-file"]["text"])
    assert "npu-smi-answers" not in found
    assert found["npu-count"]["values"]["by_source"]["inventory"] == 8
    assert found["npu-count"]["values"]["by_source"]["pci"] == 7
    assert "is a directory" in found["npu-smi-is-a-file"]["languages"]["en"]["text"]
    ticket = path.read_text(encoding="utf-8")
    assert json.loads(ticket.split("```json\n")[1].split("\n```")[0])["nodes"][0]["node"] == node.name
    assert "by-hand" in ticket


def test_a_tool_without_its_execute_bit_is_told(prepared: Fleet) -> None:
    node = prepared.nodes[1]
    tool = node.run("readlink -f $(command -v npu-smi)").strip()
    node.run(f"chmod 0644 {tool}")
    try:
        code, envelope = prepared.npufleet("preflight", "--limit", node.name)
        assert (code, set(amiss(envelope, node)) & {"npu-smi-runs", "npu-smi-answers"}) == (1, {"npu-smi-runs"})
    finally:
        node.run(f"chmod 0755 {tool}")
