"""Each system gets its engine from its own kind of packages, keeps kernel and driver, and asks nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from roles.systems.conftest import packages_of
from support.fleet import Fleet
from support.nodes import Node
from support.packages import copy_of, deb, rpm

ENGINES = (
    ["docker.io"],
    ["docker"],
    ["docker-engine", "docker-engine-selinux", "docker-runc"],
)
KERNEL = {"deb": "linux-image-generic", "rpm": "kernel"}
DRIVER = {"deb": "ascend-driver", "rpm": "Ascend-driver"}
# Every connection that the node begins, and every name that it looks up, before any address is rewritten.
COUNTERS = (
    "iptables -t raw {} OUTPUT ! -o lo -p tcp --syn -j ACCEPT",
    "iptables -t raw {} OUTPUT -p udp --dport 53 -j ACCEPT",
)


def kind_of(node: Node) -> str:
    return "deb" if node.ssh("command -v dpkg").returncode == 0 else "rpm"


@pytest.fixture(scope="module")
def sites(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of plain package files, as they are carried to a closed site, by kind: see `fill`."""
    folders = {kind: tmp_path_factory.mktemp(kind) for kind in ("deb", "rpm")}
    for node, kind in ((fleet.nodes[0], "deb"), (fleet.nodes[1], "rpm")):
        fill(folders[kind], kind, fleet.variable(node, "docker_repository_url"))
    return folders


def fill(folder: Path, kind: str, repository: str) -> None:
    """`old`: a kernel and a driver; `needy`: newer ones, and what needs them; `whole`: the engine beside them."""
    make, needs = (deb, "Depends") if kind == "deb" else (rpm, "Requires")
    old, needy, whole = (folder / name for name in ("old", "needy", "whole"))
    copy_of(repository, whole)
    newer = {name: f"{name} (>= 2.0)" if kind == "deb" else f"{name} >= 2.0" for name in (KERNEL[kind], DRIVER[kind])}
    for name in newer:
        make(old, name, "1.0")
        for place in (needy, whole):
            make(place, name, "2.0")
    make(whole, "wishful", "1.0", f"Recommends: {', '.join(newer.values())}")
    make(needy, "needs-kernel", "1.0", f"{needs}: {newer[KERNEL[kind]]}")
    make(needy, "needs-driver", "1.0", f"{needs}: {newer[DRIVER[kind]]}")


@pytest.fixture(scope="module")
def old(fleet: Fleet, sites: dict[str, Path]) -> Iterator[Fleet]:
    """Every node has a kernel and a driver package, older than those on offer."""
    for node in fleet.nodes:
        kind = kind_of(node)
        for path in (sites[kind] / "old").glob("*.*"):
            node.put(path, f"/run/{path.name}")
            node.run(f"{'dpkg -i' if kind == 'deb' else 'rpm -i'} /run/{path.name}; rm /run/{path.name}")
    yield fleet
    for node in fleet.nodes:
        kind = kind_of(node)
        node.run(f"{'dpkg -r' if kind == 'deb' else 'rpm -e'} {KERNEL[kind]} {DRIVER[kind]}")


def closed(fleet: Fleet, sites: dict[str, Path], part: str, folder: Path, names: list[list[str]]) -> Fleet:
    """An inventory that names a folder on the control machine, and for each node what to install from it."""
    variables = {
        node.name: {
            "docker_repository_folder": str(sites[kind_of(node)] / part),
            "docker_repository_url": "",
            "docker_packages": wanted,
        }
        for node, wanted in zip(fleet.nodes, names, strict=True)
    }
    return fleet.overlaid(folder, variables)


def test_what_needs_another_kernel_or_driver_is_refused(old: Fleet, sites: dict[str, Path], tmp_path: Path) -> None:
    before = {node.name: packages_of(node) for node in old.nodes}
    asked = [["needs-kernel"], ["needs-driver"], ["needs-kernel"]]
    done, recap = closed(old, sites, "needy", tmp_path, asked).playbook("playbooks/prepare.yml", "--tags", "docker")
    said = " ".join(done.stdout.split())
    for node, (name,) in zip(old.nodes, asked, strict=True):
        assert recap[node.name]["failed"] == 1
        kept = (KERNEL if name == "needs-kernel" else DRIVER)[kind_of(node)]
        assert f"{name} cannot be installed from" in said
        assert f"it needs {kept}, and docker_package_excludes keeps kernel and driver as they are" in said
        # What the role remembers of the node may stay; a journal would say that something was begun.
        left = "ls -d /var/lib/npufleet/packages /run/npufleet-packages* /var/lib/npufleet/found/docker-*.json"
        assert node.ssh(left).stdout == ""
    assert "Traceback" not in done.stdout
    assert {node.name: packages_of(node) for node in old.nodes} == before


@pytest.fixture
def counted(old: Fleet) -> Iterator[Fleet]:
    """Every node's own sources name a server that answers, and each connection that the node begins is counted."""
    for node in old.nodes:
        server = old.variable(node, "docker_repository_url")
        line, path = (
            (f"deb [trusted=yes] {server} ./", "/etc/apt/sources.list.d/own.list")
            if kind_of(node) == "deb"
            else (f"[own]\\nname=own\\nbaseurl={server}\\nenabled=1\\ngpgcheck=0", "/etc/yum.repos.d/own.repo")
        )
        node.run(f"printf '{line}\\n' > {path}; " + "; ".join(rule.format("-I") for rule in COUNTERS))
    yield old
    for node in old.nodes:
        node.run("; ".join(rule.format("-D") for rule in COUNTERS))
        node.run("rm -f /etc/apt/sources.list.d/own.list /etc/yum.repos.d/own.repo")


def went_out(node: Node) -> int:
    """How often the node turned to somebody since it is counted."""
    rules = [line.split() for line in node.run("iptables -t raw -nvxL OUTPUT").splitlines()[2:]]
    assert len(rules) == len(COUNTERS)
    return sum(int(rule[0]) for rule in rules)


def test_from_a_folder_each_gets_its_engine_and_nobody_is_asked(
    counted: Fleet, sites: dict[str, Path], tmp_path: Path
) -> None:
    before = {node.name: packages_of(node) for node in counted.nodes}
    asked = [[*engine, "wishful"] for engine in ENGINES]
    done, _ = closed(counted, sites, "whole", tmp_path, asked).playbook("playbooks/prepare.yml", "--tags", "docker")
    assert done.returncode == 0, done.stdout[-4000:]
    for node, engine in zip(counted.nodes, asked, strict=True):
        now = packages_of(node)
        assert set(engine) <= set(now)
        assert {name: now.get(name) for name in before[node.name]} == before[node.name], "nothing was upgraded"
        assert not {"needs-kernel", "needs-driver"} & set(now)
        assert node.run("systemctl is-active docker").strip() == "active"
        assert went_out(node) == 0, "it asked somebody"
        node.run(f"curl -s {counted.variable(node, 'docker_repository_url')}/; getent hosts elsewhere.invalid; true")
        assert went_out(node) > 1, "what it asks is counted"


def test_remove_takes_the_engine_and_nothing_else(old: Fleet) -> None:
    done, _ = old.playbook("playbooks/remove.yml", "--tags", "docker")
    assert done.returncode == 0, done.stdout[-4000:]
    for node in old.nodes:
        kind, left = kind_of(node), packages_of(node)
        assert not set(left) & {"wishful", "containerd", "runc"}.union(*ENGINES)
        assert (left[KERNEL[kind]], left[DRIVER[kind]]) == ("1.0", "1.0")


def test_a_folder_that_is_on_the_node_already(counted: Fleet, tmp_path: Path) -> None:
    """Plain files without an index; the euleros node is asked for its engine by the names that it has by default."""
    for node in counted.nodes:
        server = counted.variable(node, "docker_repository_url")
        listed = f"curl -s {server}/ | grep -oE '[^\"]+\\.(deb|rpm)\"' | tr -d '\"'"
        node.run(f"mkdir /srv/site && cd /srv/site && for f in $({listed}); do curl -sO {server}/$f; done; ls *.[dr]*")
    asked_before = {node.name: went_out(node) for node in counted.nodes}
    local = {node.name: {"docker_repository_url": "file:///srv/site"} for node in counted.nodes}
    done, _ = counted.overlaid(tmp_path, local).playbook("playbooks/prepare.yml", "--tags", "docker")
    assert done.returncode == 0, done.stdout[-4000:]
    for node, engine in zip(counted.nodes, ENGINES, strict=True):
        assert set(engine) <= set(packages_of(node))
        assert node.run("systemctl is-active docker").strip() == "active"
        assert went_out(node) == asked_before[node.name], "it asked somebody"
