"""What is wrong on one node is told in one sentence that names it, changes nothing, and leaves the others alone."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.fleet import Fleet
from support.nodes import Node, wait_until
from support.repo import ROOT

# A file system whose server never answers: whoever looks at it waits in the kernel until he is killed.
SILENT_SERVER = r"""
import ctypes, os, time
os.makedirs("/mnt/silent", exist_ok=True)
if not os.path.exists("/dev/fuse"):
    os.mknod("/dev/fuse", 0o20600, os.makedev(10, 229))
device = os.open("/dev/fuse", os.O_RDWR)
options = f"fd={device},rootmode=40000,user_id=0,group_id=0".encode()
assert ctypes.CDLL(None).mount(b"silent:/share", b"/mnt/silent", b"fuse", 0, options) == 0
time.sleep(600)
"""
SILENT = {
    "storage_mounts": [{"source": "silent:/share", "path": "/mnt/silent", "type": "fuse"}],
    "storage_folders": [{"path": "/mnt/silent/ws"}],
}
REGISTRY = ROOT / "build/docker-registry"
REGISTRY_CONFIG = """
version: 0.1
storage: {filesystem: {rootdirectory: /var/tmp/registry/data}}
http: {addr: "127.0.0.1:5000"}
auth: {htpasswd: {realm: lab, path: /var/tmp/registry/htpasswd}}
"""
PASSWORD = "pull-me-s0ftly"  # of a registry that lives for one test


def expect_told(fleet: Fleet, node: Node, tags: str, variables: object, words: str, *, limit: bool = True) -> str:
    """Run some roles, expect the one node to fail with the words, and the others to go on."""
    options = ["--tags", tags, "-e", json.dumps(variables), *(["--limit", node.name] if limit else [])]
    done, recap = fleet.playbook("playbooks/prepare.yml", *options)
    output = " ".join(done.stdout.split())
    failed = {name for name, counts in recap.items() if counts["failed"]}
    assert failed == {node.name}, done.stdout[-4000:]
    assert f"{node.name}: " in output
    assert re.search(words, output), output[-2000:]
    return output


def interface(node: Node) -> str:
    return str(json.loads(node.run("cat /etc/npufleet/facts.d/nic.json"))["interface"])


def test_an_interface_that_is_down(prepared: Fleet) -> None:
    node = prepared.nodes[1]
    name = interface(node)
    node.run(f"ip link set {name} down")
    try:
        words = rf"{name} has an address in the network of the peer [\d.]+ but is down"
        expect_told(prepared, node, "nic_env", {}, words, limit=False)
    finally:
        node.run(f"ip link set {name} up")


def test_an_mtu_of_its_own(prepared: Fleet) -> None:
    node = prepared.nodes[2]
    name = interface(node)
    node.run(f"ip link set {name} mtu 1400")
    try:
        expect_told(prepared, node, "nic_env", {}, rf"{name} has MTU 1400, but .* have 1500", limit=False)
    finally:
        node.run(f"ip link set {name} mtu 1500")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"nic_env_interface": "eth9"}, "there is no interface eth9; this node has lo, "),
        ({"nic_env_interface": "docker0"}, r"docker0 \(nic_env_interface names it\) does not leave the node"),
        (
            {"nic_env_address": "10.99.0.1"},
            "no route to the peer 10.99.0.1 .* correct the peer's nic_env_address",
        ),
    ],
)
def test_an_inventory_that_is_wrong(prepared: Fleet, wrong: dict[str, str], words: str) -> None:
    expect_told(prepared, prepared.nodes[1], "nic_env", wrong, words)


def test_a_daemon_json_that_is_broken_is_left_as_it_is(prepared: Fleet) -> None:
    node = prepared.nodes[2]
    good = node.run("cat /etc/docker/daemon.json")
    node.run("cp -a /etc/docker/daemon.json /run/ && echo '{\"debug\": tru' > /etc/docker/daemon.json")
    try:
        expect_told(prepared, node, "docker", {}, "/etc/docker/daemon.json is not valid JSON")
        assert node.run("cat /etc/docker/daemon.json") == '{"debug": tru\n'
    finally:
        node.run("cp -a /run/daemon.json /etc/docker/")
    assert node.run("cat /etc/docker/daemon.json") == good


def test_an_option_that_the_engine_does_not_know(prepared: Fleet, busy: Node) -> None:
    # It would be noticed at the next start of the engine, which may be a reboot in a year.
    before = busy.run("cat /etc/docker/daemon.json; stat -c %a /etc/docker/daemon.json")
    expect_told(
        prepared,
        busy,
        "docker",
        {"docker_daemon_options": {"live-restor": True}},
        "did not take live-restor .*old file",
    )
    assert busy.run("cat /etc/docker/daemon.json; stat -c %a /etc/docker/daemon.json") == before


@pytest.fixture
def silent_server(prepared: Fleet) -> Iterator[Node]:
    node = prepared.nodes[2]
    node.run(f"cat > /run/silent.py <<'END'\n{SILENT_SERVER}\nEND")
    node.run("systemd-run --quiet --unit=silent python3 /run/silent.py && sleep 1 && grep silent /proc/self/mounts")
    yield node
    node.run(
        "systemctl stop silent; umount /mnt/silent; rmdir --ignore-fail-on-non-empty /mnt/silent; rm /run/silent.py"
    )


def test_a_file_server_that_is_gone_holds_nobody_up(prepared: Fleet, silent_server: Node) -> None:
    began = time.monotonic()
    expect_told(prepared, silent_server, "storage", SILENT, r"/mnt/silent cannot be looked at \(no answer within 5 s\)")
    assert time.monotonic() - began < 90
    assert (
        silent_server.ssh(
            "test -e /var/lib/npufleet/found/storage.json && grep silent /var/lib/npufleet/found/*"
        ).stdout
        == ""
    )


def registry_program() -> Path:
    """Debian's registry, fetched once for this checkout."""
    program = REGISTRY / "usr/bin/docker-registry"
    if not program.is_file():
        REGISTRY.mkdir(parents=True, exist_ok=True)
        fetch = "apt-get download -q docker-registry && dpkg-deb -x docker-registry_*.deb ."
        done = subprocess.run(
            ["sh", "-c", fetch], cwd=REGISTRY, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    return program


@pytest.fixture
def registry(prepared: Fleet) -> Iterator[tuple[Node, str]]:
    """A registry on a node that wants a login, with one image, and the image's digest."""
    node = prepared.nodes[0]
    node.run("mkdir -p /var/tmp/registry /run/pusher")
    done = subprocess.run(
        ["scp", "-q", *node.ssh_arguments, str(registry_program()), f"root@{node.address}:/var/tmp/registry/"],
        check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0
    node.run(f"cat > /var/tmp/registry/config.yml <<'END'{REGISTRY_CONFIG}END")
    crypt = (
        f"import crypt; print('puller:' + crypt.crypt('{PASSWORD}', crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)))"
    )
    node.run(f'python3 -W ignore -c "{crypt}" > /var/tmp/registry/htpasswd')
    node.run("systemd-run --quiet --unit=registry /var/tmp/registry/docker-registry serve /var/tmp/registry/config.yml")
    wait_until("the registry answers", 30, lambda: "401" in node.ssh("curl -si http://127.0.0.1:5000/v2/").stdout)
    name = "127.0.0.1:5000/base/busy:1"
    client = "docker --config /run/pusher"
    node.run(f"echo {PASSWORD} | {client} login -u puller --password-stdin 127.0.0.1:5000 && rm -rf /run/nothing")
    pushed = node.run(f"docker tag npufleet-lab/busybox:1 {name} && {client} push {name} && docker rmi {name}")
    found = re.search(r"digest: (sha256:[0-9a-f]{64})", pushed)
    assert found, pushed
    yield node, found[1]
    node.run(f"systemctl stop registry; docker rmi {name}; rm -rf /var/tmp/registry /run/pusher")


def test_images_come_from_a_registry_by_digest_and_the_login_stays_secret(
    prepared: Fleet, registry: tuple[Node, str]
) -> None:
    node, digest = registry
    variables = {
        "images_pulls": [{"name": "127.0.0.1:5000/base/busy:1", "digest": digest}],
        "images_registry_server": "127.0.0.1:5000",
        "images_registry_username": "puller",
        "images_registry_password": PASSWORD[:-1],
    }
    expect_told(prepared, node, "images", variables, "images could not be pulled: .*(unauthorized|denied)")
    variables["images_registry_password"] = PASSWORD
    options = ["--tags", "images", "--limit", node.name, "-e", json.dumps(variables)]
    for changes in (True, False):
        done, recap = prepared.playbook("playbooks/prepare.yml", "-vv", *options)
        assert done.returncode == 0, done.stdout[-4000:]
        assert (recap[node.name]["changed"] > 0) is changes
        assert PASSWORD[:-1] not in done.stdout + done.stderr
    digests = node.run("docker image inspect -f '{{.RepoDigests}}' 127.0.0.1:5000/base/busy:1")
    assert digest in digests
    # The test's own command is in no journal: it came by SSH.
    assert node.ssh(f"journalctl --no-pager | grep -F {PASSWORD[:-1]}").stdout == ""
    assert node.ssh("ls -d /run/npufleet-images").returncode != 0
