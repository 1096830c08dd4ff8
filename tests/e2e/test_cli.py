"""The fleet CLI against real agents: what it says and what its exit code says agree with the nodes."""

from __future__ import annotations

from support.fleet import Fleet
from support.nodes import wait_until

IMAGE = "npufleet-lab/busybox:1"


def test_status_of_a_healthy_fleet(prepared: Fleet) -> None:
    wait_until("all ready", 60, lambda: all(n.http("GET", "/readyz").status_code == 200 for n in prepared.nodes))
    code, envelope = prepared.npufleet("status")
    assert (code, envelope["ok"]) == (0, True)
    text = prepared.command("npufleet", "-i", str(prepared.inventory), "status").stdout
    for node in prepared.nodes:
        assert node.name in text


def test_run_ps_logs_stop(prepared: Fleet) -> None:
    node = prepared.nodes[1]
    code, envelope = prepared.npufleet(
        "run", IMAGE, "--name", "cli-job", "--node", node.name, "--npus", "2", "--", "sh", "-c", "echo hello; sleep 600"
    )
    assert code == 0, envelope
    try:
        container = node.containers()["npufleet-cli-job"]
        given = [d["PathOnHost"] for d in container["HostConfig"]["Devices"] if d["PathOnHost"][-1].isdigit()]
        assert len(given) == 2
        assert "cli-job" in str(prepared.npufleet("ps")[1]["data"])
        logs = wait_until(
            "log", 20, lambda: prepared.command("npufleet", "-i", str(prepared.inventory), "logs", "cli-job").stdout
        )
        assert logs == "hello\n"
    finally:
        code, envelope = prepared.npufleet("stop", "cli-job", "--grace", "1")
    assert code == 0, envelope
    assert "npufleet-cli-job" not in node.containers()


def test_a_sick_node_and_a_silent_one_are_counted(prepared: Fleet) -> None:
    sick, silent = prepared.nodes
    prepared.fault(sick, "npu=1", "health=Alarm")
    try:
        wait_until("not ready", 40, lambda: sick.http("GET", "/readyz").status_code == 503)
        silent.run("systemctl stop npu-agent")
        code, envelope = prepared.npufleet("status")
        assert code == 3, envelope
        assert envelope["ok"] is False
        text = str(envelope)
        assert "npu/1" in text
        assert silent.name in text
    finally:
        silent.run("systemctl start npu-agent")
        prepared.fault(sick, "heal")
    wait_until("all ready", 60, lambda: prepared.npufleet("status")[0] == 0)
