"""The agent's hardening on a real systemd, the page that is enough to use it, and what is left behind of secrets."""

from __future__ import annotations

import html
import json
import re

import pytest

from support.fleet import Fleet
from support.nodes import Node, wait_until
from support.repo import ROOT
from support.workloads import MAIN_PID, ready

IMAGE = "npufleet-lab/busybox:1"
LINE = " elapsed time per iteration (ms): 10.0"


@pytest.fixture
def node(prepared: Fleet) -> Node:
    node = prepared.nodes[0]
    wait_until("node ready", 60, lambda: ready(node))
    return node


def test_the_sandbox_is_no_weaker_than_documented(node: Node) -> None:
    page = (ROOT / "docs/reference/sandbox.md").read_text(encoding="utf-8")
    documented = re.search(r"\*\*(\d+\.\d)\*\*", page)
    found = re.search(
        r"Overall exposure level.*?: (\d+\.\d)", node.run("systemd-analyze security npu-agent --no-pager")
    )
    assert documented is not None
    assert found is not None
    print(found.group(0))
    assert float(found.group(1)) <= float(documented.group(1))


def test_the_driver_sees_the_host_and_not_a_container(node: Node) -> None:
    """What it looks at: the mount namespace of pid 1, and all of its capabilities."""
    look = f"P=$({MAIN_PID}); for p in 1 $P; do readlink /proc/$p/ns/mnt; grep CapBnd /proc/$p/status; done"
    first, capabilities, agents, agents_capabilities = node.run(look).splitlines()
    assert (agents, agents_capabilities) == (first, capabilities)


def test_what_can_be_held_is_held(node: Node) -> None:
    status = node.run(f"P=$({MAIN_PID}); cat /proc/$P/status; grep core /proc/$P/limits")
    assert re.search(r"NoNewPrivs:\s+1", status)
    assert re.search(r"Seccomp:\s+2", status)
    assert re.search(r"Max core file size\s+0\s+0", status)
    assert node.run("stat -c '%a %U' /run/npufleet/agent.sock /var/lib/npufleet").split() == [
        "600",
        "root",
        "700",
        "root",
    ]


def told(page: str, name: str) -> str:
    found = re.search(rf'<pre id="try-{name}">(.*?)</pre>', page, re.DOTALL)
    assert found is not None
    return html.unescape(found.group(1))


def run_as_told(node: Node, page: str, *names: str) -> str:
    """Type what the page says, with an image and a program that this node has."""
    typed = "\n".join(told(page, name) for name in ("local", *names))
    typed = typed.replace("ascend/modellink:latest", IMAGE).replace("cd /data/llama && bash train.sh", PROGRAM)
    return node.run(typed.replace('"bash", "-c"', '"sh", "-c"').replace("grace_s=60", "grace_s=1"))


PROGRAM = f"echo '{LINE}'; sleep 600"


def test_who_reads_only_the_page_can_start_watch_and_stop_a_training(node: Node) -> None:
    node.run("mkdir -p /data")
    page = node.http("GET", "/docs").text
    assert '"ready":true' in run_as_told(node, page, "look")
    try:
        started = json.loads(run_as_told(node, page, "spec", "start"))
        assert (started["state"], started["npus"]) == ("running", list(range(8)))
        assert json.loads(run_as_told(node, page, "watch"))["state"] == "running"
        wait_until("log", 20, lambda: LINE in run_as_told(node, page, "logs"))
        assert '"workload llama-sft is' in run_as_told(node, page, "events")
    finally:
        stopped = json.loads(run_as_told(node, page, "stop"))
    assert stopped["state"] == "removed"
    assert "npufleet-llama-sft" not in node.containers()


def test_every_change_has_its_author_in_roots_file(node: Node) -> None:
    node.http("PUT", "/v1/cordon", token=node.token("operate"), json={"owner": "audit-test"})
    node.http("DELETE", "/v1/cordon?owner=audit-test", token=node.token("operate"))
    node.http("DELETE", "/v1/cordon?owner=audit-test", token=node.token("view"))
    lines = [json.loads(line) for line in node.run("grep /v1/cordon /var/lib/npufleet/audit.jsonl").splitlines()]
    assert [(line["who"], line["what"], line["status"]) for line in lines[-2:]] == [
        ("fleet-operate", "PUT /v1/cordon", 200),
        ("fleet-operate", "DELETE /v1/cordon", 200),
    ]
    refused = json.loads(node.run("tail -n 1 /var/lib/npufleet/refused.jsonl"))
    assert (refused["what"], refused["status"]) == ("DELETE /v1/cordon", 403)
    assert node.run("stat -c %a /var/lib/npufleet/audit.jsonl /var/lib/npufleet/refused.jsonl").split() == ["600"] * 2


def test_no_token_is_left_anywhere(node: Node) -> None:
    node.http("GET", "/v1/events", token=node.token("view"))
    kept = node.run("ps axww -o args; journalctl -u npu-agent --no-pager; cat /var/lib/npufleet/*.jsonl")
    kept += node.run("grep -a -o 'npf_[0-9a-f]*' -r /var/lib/npufleet /etc/npufleet /run/npufleet || true")
    assert "npf_" not in kept
