"""Package steps that cannot work: one message each, the node as it was, and nothing stops elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from roles.failures.conftest import IMPATIENT, prepare, state_of
from support.fleet import Fleet
from support.nodes import Node

# A process that holds a lock file as the package managers do, under a name of its own.
HOLD = (
    "ln -sf /usr/bin/python3 /run/{name}; systemd-run --quiet --unit=holder --collect /run/{name} -c"
    ' \'import fcntl, time; f = open("{path}", "a"); fcntl.lockf(f, fcntl.LOCK_EX); time.sleep(600)\''
)
LOCKS = (("unattended-upgr", "/var/lib/dpkg/lock-frontend"), ("yum-cron", "/var/lib/rpm/.rpm.lock"))


@pytest.fixture
def locked(troubled: list[Node]) -> Iterator[list[Node]]:
    for node, (name, path) in zip(troubled, LOCKS, strict=True):
        node.run(HOLD.format(name=name, path=path))
    yield troubled
    for node, (name, _) in zip(troubled, LOCKS, strict=True):
        node.run(f"systemctl stop holder; rm /run/{name}")


def test_a_held_lock(fleet: Fleet, locked: list[Node], well: Node, bare: dict[str, list[str]], tmp_path: Path) -> None:
    pids = [node.run("systemctl show -p MainPID --value holder").strip() for node in locked]
    impatient = fleet.overlaid(tmp_path, {node.name: {"docker_lock_timeout_s": 2} for node in locked})
    told = prepare(impatient, "docker")
    for node, pid, (name, path) in zip(locked, pids, LOCKS, strict=True):
        message = told.about(node)
        assert f"{name[:15]} (pid {pid})" in message
        assert path in message
        assert "Wait for it to end, or stop it" in message
        assert state_of(node) == bare[node.name]
    assert (told.code, told.states[well.name]) == (3, "done")
    assert well.run("systemctl is-active docker").strip() == "active"


def test_a_broken_repository(
    fleet: Fleet, troubled: list[Node], well: Node, bare: dict[str, list[str]], tmp_path: Path
) -> None:
    gone = fleet.variable(troubled[0], "docker_repository_url") + "-gone"
    silent = fleet.variable(troubled[1], "docker_repository_url").replace("/rpm", ":81/rpm")
    told = prepare(
        fleet.overlaid(
            tmp_path,
            {
                troubled[0].name: {"docker_repository_url": gone},
                troubled[1].name: {"docker_repository_url": silent},
            },
        ),
        "docker",
    )
    for node, url in zip(troubled, (gone, silent), strict=True):
        message = told.about(node)
        assert "the repository does not work" in message
        assert url in message
        assert "docker_repository_url" in message
        assert state_of(node) == bare[node.name]
    assert (told.code, told.states[well.name]) == (3, "done")


@pytest.fixture
def full(troubled: list[Node]) -> Iterator[list[Node]]:
    """The folders into which packages are fetched are on a disk of their own, which is too small."""
    places = ("/var/cache/apt/archives", "/var/cache/dnf")
    for node, place in zip(troubled, places, strict=True):
        node.run(f"mkdir -p {place} && mount -t tmpfs -o size=2m none {place}")
    yield troubled
    for node, place in zip(troubled, places, strict=True):
        node.run(f"umount {place}")


def test_a_full_disk(fleet: Fleet, full: list[Node], well: Node, bare: dict[str, list[str]]) -> None:
    told = prepare(fleet, "docker")
    for node in full:
        message = told.about(node)
        assert "the disk is full" in message
        assert "Free some space" in message
        assert state_of(node) == bare[node.name]
    assert (told.code, told.states[well.name]) == (3, "done")


@pytest.fixture
def etc_docker_is_full(well: Node) -> Iterator[Node]:
    # A page for the file that is there, and none for another.
    well.run(
        "cp -a /etc/docker /run/etc-docker && mount -t tmpfs -o size=8k none /etc/docker"
        " && cp -a /run/etc-docker/. /etc/docker; test -s /etc/docker/daemon.json"
        " && dd if=/dev/zero of=/etc/docker/filler bs=4k 2>/dev/null; test -e /etc/docker/filler"
    )
    yield well
    well.run("umount /etc/docker; rm -r /run/etc-docker")


def test_a_disk_that_is_full_when_a_setting_is_written(fleet: Fleet, etc_docker_is_full: Node, tmp_path: Path) -> None:
    node = etc_docker_is_full
    look = "ls -A /etc/docker; cat /etc/docker/daemon.json"
    before = node.run(look)
    wanted = {"docker_daemon_options": {"live-restore": True, "debug": True}}
    told = prepare(fleet.overlaid(tmp_path, {node.name: wanted}), "docker", "--limit", node.name)
    message = told.about(node)
    assert "/etc/docker/daemon.json" in message
    assert "No space left on device" in message
    assert node.run(look) == before
    assert node.run("systemctl is-active docker").strip() == "active"


def test_a_node_that_dies_half_way_and_one_that_is_cut_off(
    fleet: Fleet, troubled: list[Node], well: Node, tmp_path: Path
) -> None:
    dying, cut = troubled
    impatient = fleet.overlaid(tmp_path, {node.name: IMPATIENT for node in troubled})
    run = impatient.start("npufleet", "-i", str(impatient.inventory), "--json", "prepare", "--tags", "docker")
    dying.run("until pgrep -f '[-]-unpack' >/dev/null; do sleep 0.02; done", timeout_s=300)
    fleet.power_off(dying)
    cut.run("until pgrep -f '[d]nf.*install|docker[d]' >/dev/null; do sleep 0.02; done", timeout_s=300)
    fleet.fault(cut, "cut")
    out, _ = run.communicate(timeout=300)
    fleet.fault(cut, "heal")
    fleet.power_on(dying)
    envelope = json.loads(out)
    states = {node["node"]: node["state"] for node in envelope["data"]["nodes"]}
    assert states == {dying.name: "unreachable", cut.name: "unreachable", well.name: "done"}
    for node in troubled:
        told = [error for error in envelope["errors"] if node.name in json.dumps(error)]
        assert [error["code"] for error in told] == ["ssh-unreachable"]
        assert told[0]["remedy"]
    assert "docker-packages.json" in dying.run("ls /var/lib/npufleet/found"), "it was cut off in the middle"


def test_the_next_run_repairs_what_was_left(fleet: Fleet, troubled: list[Node]) -> None:
    told = prepare(fleet, "docker")
    assert (told.code, told.errors) == (0, [])
    for node in troubled:
        assert node.run("systemctl is-active docker").strip() == "active"
        found = node.run("ls /var/lib/npufleet/found").split()
        assert "docker.json" in found
        assert "docker-packages.json" not in found
    assert troubled[0].run("dpkg --audit") == ""


def test_remove_gives_the_packages_back_all_the_same(fleet: Fleet, bare: dict[str, list[str]]) -> None:
    done, _ = fleet.playbook("playbooks/remove.yml", "--tags", "docker")
    assert done.returncode == 0, done.stdout[-4000:]
    assert {node.name: state_of(node) for node in fleet.nodes} == bare
