"""Nobody in a container reaches the metadata service, whatever the network, the firewall, the cgroups; in this order.

The tests build on each other: one node goes from a server without a guard through its firewalls to a clean one again.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import yaml

from roles.guard.net_cls import hierarchy
from roles.guard.ways import FOLDER, GUARD, IMAGE, OPEN, V4, Ways, settings
from support.fleet import Fleet
from support.nodes import Node, wait_until

EARLY = ("host", "bridge", "user", "six", "macvlan")
SYSTEMD_DRIVER = {"live-restore": True, "exec-opts": ["native.cgroupdriver=systemd"]}


def component(node: Node) -> tuple[str, str]:
    found = next(c for c in node.get("/v1/health")["components"] if c["name"] == "metadata-guard")
    return found["state"], found["reason"]


def wait_for_component(node: Node, state: str, word: str = "") -> None:
    def told() -> bool:
        now, reason = component(node)
        return now == state and word in reason

    wait_until(f"the agent says {state} {word}", 60, told)


def configure_engine(node: Node, **options: object) -> None:
    text = json.dumps({"live-restore": True, **options})
    node.run(f"printf %s {shlex.quote(text)} > /etc/docker/daemon.json && systemctl restart docker", timeout_s=180)


def install(node: Node, fleet: Fleet, *packages: str) -> None:
    """From the lab's repository, as an operator does it from his own."""
    hosts = yaml.safe_load((fleet.inventory / "hosts.yml").read_text(encoding="utf-8"))["npu_nodes"]["hosts"]
    url = hosts[node.name]["docker_repository_url"]
    apt = (
        "apt-get -qq -o Dir::Etc::sourcelist=/run/lab.list -o Dir::Etc::sourceparts=- -o APT::Sandbox::User=root"
        " -o Dir::State::lists=/run/lab-lists"
    )
    node.run(
        f"mkdir -p /run/lab-lists/partial && echo 'deb [trusted=yes] {url} ./' > /run/lab.list && {apt} update &&"
        f" DEBIAN_FRONTEND=noninteractive {apt} install -y --no-install-recommends {' '.join(packages)} >/dev/null",
        timeout_s=180,
    )


def listings(node: Node) -> list[str]:
    """Every rule of every packet filter, without counters and the order in which the engine made its networks."""
    saved = node.run(
        "for f in iptables ip6tables; do for v in nft legacy; do $f-$v-save 2>/dev/null; done; done;"
        " nft list tables | grep npufleet; ls -d /etc/systemd/system/*.d /usr/local/libexec/*; true"
    )
    lines = [re.sub(r" ?\[\d+:\d+\]|172\.17\.0\.\d+", "", line) for line in saved.splitlines()]
    # The engine that runs the node gives it a name server, at another port after every boot.
    return sorted(line for line in lines if not line.startswith("#") and "127.0.0.11" not in line)


def test_without_the_guard_every_way_is_open(unguarded: Node) -> None:
    # Without this the tests below would also pass where containers can reach nothing at all.
    assert Ways(unguarded).leaks(*EARLY) == {name: OPEN[name] for name in EARLY}


def test_iptables_close_every_way_but_the_one_past_them(ways: Ways) -> None:
    assert ways.status()["filter"] == "iptables"
    assert ways.leaks() == {"macvlan": {V4}}
    assert "wire, with macvlan on it now" in " ".join(ways.status()["notes"])
    wait_for_component(ways.node, "degraded", "wire")


def test_a_published_port_still_answers(ways: Ways) -> None:
    ways.node.run("docker exec -d published sh -c 'echo hello | nc -l -p 80'")
    assert ways.node.run("sleep 0.5; nc -w 3 127.0.0.1 8080 </dev/null").strip() == "hello"


def test_the_guard_comes_first_after_a_restart_of_the_engine(ways: Ways) -> None:
    ways.node.run("systemctl restart docker", timeout_s=180)
    for chain, target in (("FORWARD", "NPUFLEET-METADATA"), ("OUTPUT", "NPUFLEET-METADATA-OUT")):
        rules = [rule for rule in ways.node.run(f"iptables -S {chain}").splitlines() if rule.startswith("-A")]
        assert rules[0] == f"-A {chain} -j {target}", rules
    assert ways.leaks() == {"macvlan": {V4}}


def test_rules_put_in_front_hold_until_the_next_assertion(ways: Ways) -> None:
    with ways.timer_stopped():
        for chain in ("FORWARD", "OUTPUT", "DOCKER-USER"):
            ways.node.run(f"iptables -I {chain} -j ACCEPT")
        assert V4 in ways.leaks("host", "bridge")["host"]
        assert ways.assert_now()["failures"] == []
    assert ways.leaks("host", "bridge") == {}


def test_nft_closes_them_all_and_nobody_gets_in_front(ways: Ways, fleet: Fleet) -> None:
    install(ways.node, fleet, "nftables")
    found = ways.configure(accepted=[])
    assert (found["filter"], found["failures"], found["exposed"]) == ("nft", [], [])
    assert "NPUFLEET" not in ways.node.run("iptables-save")
    for chain in ("FORWARD", "OUTPUT", "DOCKER-USER"):
        ways.node.run(f"iptables -I {chain} -j ACCEPT")
    ways.check_closed()
    wait_for_component(ways.node, "healthy")


def test_legacy_iptables(ways: Ways) -> None:
    for name in ("iptables", "ip6tables"):
        ways.node.run(f"update-alternatives --set {name} /usr/sbin/{name}-legacy")
    ways.node.run("systemctl restart docker", timeout_s=180)
    ways.check_closed()
    assert ways.configure(filter="iptables")["failures"] == []
    assert "-j NPUFLEET-METADATA" in ways.node.run("iptables-legacy-save")
    ways.check_closed()


@pytest.mark.parametrize("kind", ["iptables", "nft"])
def test_an_engine_that_leaves_iptables_alone(ways: Ways, kind: str) -> None:
    if kind == "iptables":
        configure_engine(ways.node, iptables=False)
        ways.node.run("for t in filter nat; do iptables -t $t -F; iptables -t $t -X; done; iptables -P FORWARD ACCEPT")
    assert ways.configure(filter=kind)["failures"] == []
    ways.check_closed()


@contextmanager
def knocking(node: Node) -> Iterator[None]:
    """Containers try again and again; the first that gets through is told at the end."""
    attempt = "while [ -e /ways/knock ]; do nc -w 1 169.254.169.254 80 </dev/null >/dev/null 2>&1 && echo LEAK; done"
    node.run(f"touch {FOLDER}/knock")
    for name in ("host", "bridge"):
        node.run(f"docker exec {name} sh -c {shlex.quote(attempt)} >{FOLDER}/knock-{name} 2>&1 </dev/null &")
    yield
    told = node.run(f"rm {FOLDER}/knock; sleep 1; cat {FOLDER}/knock-host {FOLDER}/knock-bridge")
    assert told == "", told


@pytest.mark.parametrize("backend", ["nftables", "iptables"])
def test_a_reload_of_firewalld_opens_nothing(ways: Ways, fleet: Fleet, backend: str) -> None:
    if backend == "nftables":
        configure_engine(ways.node)
        install(ways.node, fleet, "firewalld")
    ways.node.run(f"sed -i 's/^FirewallBackend=.*/FirewallBackend={backend}/' /etc/firewalld/firewalld.conf")
    ways.node.run("systemctl restart firewalld", timeout_s=120)
    with knocking(ways.node):
        ways.node.run("firewall-cmd --reload", timeout_s=120)
    ways.check_closed()


def test_without_nft_firewalld_opens_for_no_longer_than_the_timer_takes(ways: Ways) -> None:
    ways.configure(filter="iptables")
    assert "OnUnitActiveUSec=1min" in ways.node.run("systemctl show npufleet-metadata-guard.timer -p TimersMonotonic")
    with ways.timer_stopped():
        ways.node.run("firewall-cmd --reload", timeout_s=120)
        assert "NPUFLEET" not in ways.node.run("iptables-save"), "the reload is expected to drop the chains"
        assert ways.assert_now()["failures"] == []
    ways.check_closed()
    with ways.timer_stopped():
        for _ in range(3):  # it is through with its own rules now before, now after it is known to run
            ways.node.run("systemctl restart firewalld", timeout_s=120)
            ways.check_closed()
    ways.node.run("systemctl disable -q --now firewalld")
    assert ways.configure(filter="auto")["filter"] == "nft"


def test_a_class_of_net_cls_tells_containers_apart_too(ways: Ways) -> None:
    with hierarchy(ways.node):
        found = ways.configure(method="net-cls")
        assert found["failures"] == []
        named = " ".join(found["exposed"])
        assert "container host " in named, "it runs since before the hierarchy was there"
        for kind in ("nft", "iptables"):
            assert ways.configure(filter=kind)["failures"] == []
            for name in ("host", "late-host"):
                ways.node.run(f"docker restart -t 0 {name}")
            ways.check_closed()
        ways.configure(filter="auto", method="cgroup-v2-path")
        assert ways.node.run("cat /sys/fs/cgroup/net_cls/docker/net_cls.classid").strip() != "0"
    for name in ("host", "late-host"):
        ways.node.run(f"docker restart -t 0 {name}")
    ways.check_closed()


def test_a_container_that_no_rule_can_name_is_named(ways: Ways, fleet: Fleet) -> None:
    pid = ways.node.run("docker inspect -f '{{.State.Pid}}' late-host").strip()
    mount = ways.node.run("awk '$3 == \"cgroup2\" {print $2; exit}' /proc/self/mounts").strip()
    ways.node.run(f"echo {pid} > {mount}/system.slice/cgroup.procs || echo {pid} > {mount}/cgroup.procs")
    assert any("late-host" in sentence for sentence in ways.assert_now()["exposed"])
    wait_for_component(ways.node, "degraded", "late-host")
    checked = ways.node.ssh(f"{GUARD} check")
    assert checked.returncode == 1
    assert "late-host" in checked.stdout
    ways.node.run("docker restart -t 0 late-host")
    assert ways.assert_now()["exposed"] == []


def test_a_guard_that_cannot_do_its_work_is_told(ways: Ways) -> None:
    ways.configure(method="net-cls")
    wait_for_component(ways.node, "unhealthy", "not mounted")
    ways.check_closed()
    ways.configure(method="cgroup-v2-path")
    wait_for_component(ways.node, "healthy")


def test_systemds_cgroups_and_containers_that_are_in_them_already(ways: Ways, fleet: Fleet) -> None:
    node = ways.node
    node.run("docker stop -t 0 $(docker ps -q)")
    configure_engine(node, **{"exec-opts": SYSTEMD_DRIVER["exec-opts"]})
    wait_until("containers run", 30, lambda: len(node.run("docker ps -q").split()) == len(OPEN))
    inputs = settings(docker_daemon_options=SYSTEMD_DRIVER)
    done, _ = fleet.playbook("site.yml", "--tags", "docker,metadata_guard", "-e", inputs)
    # The engine may not be restarted under its containers, and until it is, a new one on the host network is open for
    # as long as the guard does not look: that is told, and nothing is called proven.
    told = " ".join(done.stdout.split())
    assert done.returncode != 0
    assert "from a container on the network host: reached" in told
    assert "the container host on the host network runs outside of the guarded control groups" in told
    ways.check_closed()
    wait_for_component(node, "degraded", "container host ")
    # What the role wrote takes effect when the operator restarts the engine and the containers.
    node.run("systemctl restart docker && docker restart -t 0 host late-host", timeout_s=120)
    assert ways.leaks("host", "late-host") == {}
    assert ways.assert_now()["notes"] == []
    ways.check_closed()
    done, _ = fleet.playbook("playbooks/verify.yml", "--tags", "metadata_guard", "-e", inputs)
    assert done.returncode == 0, done.stdout[-4000:]


def test_where_the_host_network_is_not_guarded_the_agent_refuses_it(ways: Ways, fleet: Fleet) -> None:
    # As on a kernel where `auto` finds neither of the two.
    neither = settings(__metadata_guard_method="none")
    done, _ = fleet.playbook("playbooks/prepare.yml", "--tags", "metadata_guard", "-e", neither)
    assert done.returncode == 0, done.stdout[-4000:]
    done, _ = fleet.playbook("playbooks/verify.yml", "--tags", "metadata_guard", "-e", neither)
    assert done.returncode != 0
    assert "neither cgroup v2" in " ".join(done.stdout.split())
    assert set(ways.leaks()) == {"host", "late-host"}
    wait_for_component(ways.node, "degraded", "late-host")
    refused = ways.node.put_workload("curious", image=IMAGE, npus=1, network="host", command=["sleep", "60"])
    assert refused.status_code == 422, refused.text
    assert "169.254.169.254" in refused.json()["detail"]
    done, _ = fleet.playbook("playbooks/prepare.yml", "--tags", "metadata_guard", "-e", settings())
    assert done.returncode == 0, done.stdout[-4000:]


def test_a_reboot_opens_nothing_and_remove_leaves_nothing(ways: Ways, fleet: Fleet) -> None:
    def reboot() -> None:
        done = fleet.command("npufleet", "lab", "restart", ways.node.name)
        assert done.returncode == 0, done.stdout + done.stderr
        wait_until("containers run", 60, lambda: len(ways.node.ssh("docker ps -q").stdout.split()) == len(OPEN))

    for name in ("iptables", "ip6tables"):
        ways.node.run(f"update-alternatives --set {name} /usr/sbin/{name}-nft")
    reboot()
    assert ways.leaks("host", "late-host", "bridge", "user") == {}
    # The devices of a macvlan network are made anew at every boot; the next look of the guard finds them.
    wait_until("macvlan is closed", 75, lambda: ways.leaks("macvlan") == {})
    done, _ = fleet.playbook("playbooks/remove.yml", "--tags", "metadata_guard")
    assert done.returncode == 0, done.stdout[-4000:]
    removed = listings(ways.node)
    assert set(ways.leaks()) == set(OPEN)
    reboot()
    assert removed == listings(ways.node), "what a boot without the guard looks like"
