"""site.yml takes bare nodes to ready ones, says what it would do first, and has nothing to do the second time."""

from __future__ import annotations

import json
import subprocess

from support.fleet import Fleet, failures
from support.nodes import Node, wait_until

Run = tuple[subprocess.CompletedProcess[str], dict[str, dict[str, int]]]


def check_recap(run: Run, fleet: Fleet) -> None:
    done, recap = run
    assert done.returncode == 0, failures(done)
    assert set(recap) >= {node.name for node in fleet.nodes}
    for node, counts in recap.items():
        assert counts["failed"] == counts["unreachable"] == 0, f"{node}: {counts}"


def test_check_mode_works_on_bare_nodes(fleet: Fleet, bare_check: Run) -> None:
    check_recap(bare_check, fleet)


def test_check_mode_leaves_no_trace(bare_state: dict[str, str]) -> None:
    assert bare_state == dict.fromkeys(bare_state, "")


def test_first_run_prepares_every_node(fleet: Fleet, first_run: Run) -> None:
    check_recap(first_run, fleet)
    _, recap = first_run
    for node in fleet.nodes:
        assert recap[node.name]["changed"] > 0


def test_second_run_changes_nothing(prepared: Fleet) -> None:
    again = prepared.playbook("site.yml")
    check_recap(again, prepared)
    _, recap = again
    assert {name: counts["changed"] for name, counts in recap.items()} == dict.fromkeys(recap, 0)
    # A process of Ansible's for each: roles that have nothing to do are left out as a whole.
    assert {name: counts["ok"] + counts["skipped"] < 30 for name, counts in recap.items()} == dict.fromkeys(recap, True)


def test_an_agent_that_only_the_control_machine_does_not_reach_is_told_so(prepared: Fleet) -> None:
    elsewhere = ("--tags", "agent", "-e", "agent_address=127.0.0.9")
    done, recap = prepared.playbook("playbooks/verify.yml", *elsewhere)
    assert done.returncode != 0
    for node in prepared.nodes:
        assert f"{node.name}: the agent answers on the node, but not at 127.0.0.9:7443" in " ".join(done.stdout.split())
        assert recap[node.name]["changed"] == 0


def test_an_old_reading_is_no_proof(prepared: Fleet) -> None:
    done, recap = prepared.playbook("site.yml", "-e", "verify_oldest_reading_s=0")
    assert done.returncode == 0, failures(done)
    assert {name: counts["changed"] for name, counts in recap.items()} == dict.fromkeys(recap, 0)
    assert "The engine answers, now and after a boot" in done.stdout, "verified from a new reading"


def test_engine_comes_from_the_distributions_own_packages(prepared: Fleet) -> None:
    debian, hce = prepared.nodes
    assert "install ok installed" in debian.run("dpkg-query -W -f='${Status}' docker.io")
    assert hce.ssh("command -v apt-get").returncode != 0
    assert hce.run("rpm -qf $(command -v dockerd)").startswith("docker")
    for node in prepared.nodes:
        assert node.run("systemctl is-active docker").strip() == "active"
        assert node.run("systemctl is-enabled docker").strip() == "enabled"


def test_ip_forward_is_on_now_and_after_a_boot(node: Node) -> None:
    assert node.run("cat /proc/sys/net/ipv4/ip_forward").strip() == "1"
    # The last file that speaks decides at boot; systemd-sysctl prints them in that order.
    lines = node.run("cat /etc/sysctl.d/*.conf /etc/sysctl.conf 2>/dev/null | tr -d ' ' | grep '^net.ipv4.ip_forward='")
    assert lines.split()[-1] == "net.ipv4.ip_forward=1"


def test_training_variables_name_the_interface_that_reaches_the_peer(prepared: Fleet) -> None:
    names = set()
    for node, peer in zip(prepared.nodes, reversed(prepared.nodes), strict=True):
        nic = json.loads(node.run("cat /etc/npufleet/facts.d/nic.json"))
        peer_address = json.loads(peer.run("cat /etc/npufleet/facts.d/nic.json"))["address"]
        route = json.loads(node.run(f"ip -j route get {peer_address}"))[0]
        assert nic["interface"] == route["dev"]
        assert nic["address"] == route["prefsrc"]
        shell = node.run("bash -lc 'echo $GLOO_SOCKET_IFNAME $TP_SOCKET_IFNAME $HCCL_SOCKET_IFNAME'")
        assert set(shell.split()) == {nic["interface"]}
        names.add(nic["interface"])
    assert len(names) == len(prepared.nodes), "the lab gives each node its own interface names"


def test_driver_facts_are_what_is_on_the_node(node: Node) -> None:
    facts = json.loads(node.run("cat /etc/npufleet/facts.d/driver.json"))
    assert facts["npu_smi"] == node.run("command -v npu-smi").strip()
    assert facts["davinci"] == [int(n) for n in node.run("ls /dev | sed -n 's/^davinci\\([0-9]\\)/\\1/p'").split()]
    assert f"Version={facts['driver_version']}" in node.run(f"cat {facts['version_info']}")
    for key in ("npu_smi", "driver_dir", "dcmi_dir", "hccn_conf", "hccn_tool", "version_info", "install_info"):
        assert facts[key] is None or node.ssh(f"test -e {facts[key]}").returncode == 0, key


def test_private_keys_and_tokens_are_for_root_alone(node: Node) -> None:
    for path in ("/etc/npufleet/tls/server.key", "/etc/npufleet/tokens.json", "/etc/npufleet/agent.yaml"):
        assert node.run(f"stat -c '%U %a' {path}").split()[0] == "root"
        assert node.run(f"stat -c %a {path}").strip()[-1] == "0", f"{path} is readable by others"
    assert node.token("operate") not in node.run("cat /etc/npufleet/*.json /etc/npufleet/*.yaml")
    assert (node.pki / "ca.key").stat().st_mode & 0o077 == 0
    assert (node.pki / "fleet.secret").stat().st_mode & 0o077 == 0


def test_every_node_is_ready(node: Node) -> None:
    wait_until(f"{node.name} ready", 30, lambda: node.http("GET", "/readyz").status_code == 200)
    health = node.get("/v1/health")
    assert health["ready"] is True
    assert {c["name"]: c["state"] for c in health["components"]} == {c["name"]: "healthy" for c in health["components"]}
    assert {f"npu/{n}" for n in range(8)} <= {c["name"] for c in health["components"]}
