"""Every way out of a container to the metadata service, and who gets through at this moment."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from support.nodes import Node

IMAGE = "npufleet-lab/busybox:1"
V4, LINK, V6 = "169.254.169.254", "fe80::a9fe:a9fe%vmeta", "fd00:ec2::254"
ADDRESSES = (V4, LINK, V6)
GUARDED = (V4, "fe80::a9fe:a9fe", V6)
CONFIG = "/etc/npufleet/metadata-guard.json"
STATUS = "/run/npufleet/metadata-guard.json"
GUARD = "/usr/local/libexec/npufleet/metadata-guard"

FOLDER = "/root/ways"

# In every container: when told to, one request to each address, and a line for each that gave the node's secret away.
_TRY = "; ".join(
    rf"(printf 'GET /openstack/latest/meta_data.json HTTP/1.0\r\n\r\n'; sleep 0.4) | nc -w 2 '{address}' 80 2>/dev/null"
    f" | grep -q admin_pass && echo LEAK {address}"
    for address in ADDRESSES
)
_WAIT = "trap exit TERM; while :; do read -r go < /ways/{name}.in; ({attempt}) > /ways/{name}.out; done"
_ASK = "timeout 100 sh -c \"echo go > $c.in; echo $c answers; sed 's/^/$c /' $c.out\""
_SWEEP = f"cd {{folder}} && for c in {{names}}; do ({_ASK}) & done; wait; true"
# By container, what it reaches when nothing guards.
OPEN = {
    "host": {V4, LINK, V6},
    "bridge": {V4},
    "user": {V4},
    "six": {V4, V6},
    "macvlan": {V4},
    "late-host": {V4, LINK, V6},
    "late-user": {V4},
    "published": {V4},
}


def settings(**more: Any) -> str:
    """Inputs of the role for one run of a playbook."""
    return json.dumps({"metadata_guard_addresses": list(GUARDED), **more})


@dataclass(frozen=True)
class Ways:
    node: Node

    def open_early(self) -> None:
        """Containers that were there before the guard, on each kind of network."""
        self.node.run(
            "docker network create user && docker network create --ipv6 --subnet fd00:77::/64 six &&"
            " docker network create -d macvlan --subnet 169.254.169.0/24 -o parent=vmeta wire"
        )
        for name, options in {
            "host": "--network host",
            "bridge": "",
            "user": "--network user",
            "six": "--network six",
            "macvlan": "--network wire --ip 169.254.169.77",
        }.items():
            self.start(name, options)

    def open_late(self) -> None:
        self.node.run("docker network create later")
        self.start("late-host", "--network host")
        self.start("late-user", "--network later")
        self.start("published", "-p 8080:80")

    def start(self, name: str, options: str) -> None:
        waiting = shlex.quote(_WAIT.format(name=name, attempt=_TRY))
        self.node.run(
            f"mkdir -p {FOLDER} && mkfifo {FOLDER}/{name}.in {FOLDER}/{name}.out &&"
            f" docker run -d --name {name} --restart always -v {FOLDER}:/ways {options} {IMAGE} sh -c {waiting}",
            timeout_s=120,
        )

    def leaks(self, *names: str) -> dict[str, set[str]]:
        """By container, the addresses from which it got the node's secret."""
        command = _SWEEP.format(folder=FOLDER, names=" ".join(names or OPEN))
        lines = [line.split() for line in self.node.run(command, timeout_s=120).splitlines()]
        assert {line[0] for line in lines} == set(names or OPEN), lines
        found: dict[str, set[str]] = {}
        for container, what, *address in lines:
            if what == "LEAK":
                found.setdefault(container, set()).update(address)
        return found

    def check_closed(self) -> None:
        """No container gets through, and the node itself does, to every address."""
        assert self.leaks() == {}
        for address in ADDRESSES:
            place = f"[{address.replace('%', '%25')}]" if ":" in address else address
            assert "admin_pass" in self.node.run(f"curl -sf -m 5 'http://{place}/openstack/latest/meta_data.json'")

    def configure(self, **changes: Any) -> dict[str, Any]:
        """Change the guard's own settings as the role would, and give what it finds with them."""
        settings = json.loads(self.node.run(f"cat {CONFIG}"))
        text = json.dumps({**settings, **changes})
        self.node.run(f"printf %s {shlex.quote(text)} > {CONFIG}")
        return self.assert_now()

    def assert_now(self) -> dict[str, Any]:
        """What the timer does once a minute."""
        self.node.ssh("systemctl start npufleet-metadata-guard.service", timeout_s=120)
        return self.status()

    @contextmanager
    def timer_stopped(self) -> Iterator[None]:
        """What is opened stays open until the test asserts, however slow the machine is."""
        self.node.run("systemctl stop npufleet-metadata-guard.timer")
        yield
        self.node.run("systemctl start npufleet-metadata-guard.timer")

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.node.run(f"cat {STATUS}"))
        return found
