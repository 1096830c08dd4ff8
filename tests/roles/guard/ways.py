"""Every way out of a container to the metadata service, and who gets through at this moment."""

from __future__ import annotations

import json
import shlex
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

# In every container: one request to each address, and a line for each that answered with the node's secret.
_TRY = "; ".join(
    rf"(printf 'GET /openstack/latest/meta_data.json HTTP/1.0\r\n\r\n'; sleep 0.4) | nc -w 2 '{address}' 80 2>/dev/null"
    f" | grep -q admin_pass && echo LEAK {address}"
    for address in ADDRESSES
)
_SWEEP = (
    "for c in {names}; do (docker exec $c true 2>/dev/null || echo GONE $c; docker exec $c sh -c {attempt} 2>/dev/null"
    ' | sed "s/^/$c /") & done; wait; true'
)
# What a node of its own cannot have: the name of the way, and what reaches whom when nothing guards.
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
        self.node.run(f"docker run -d --name {name} --restart always {options} {IMAGE} sleep 86400")

    def leaks(self, *names: str) -> dict[str, set[str]]:
        """By container, the addresses from which it got the node's secret."""
        command = _SWEEP.format(names=" ".join(names or OPEN), attempt=shlex.quote(_TRY))
        lines = self.node.run(command).splitlines()
        assert not [line for line in lines if line.startswith("GONE")], lines
        found: dict[str, set[str]] = {}
        for container, _, address in (line.split() for line in lines):
            found.setdefault(container, set()).add(address)
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
        self.node.ssh("systemctl start npufleet-metadata-guard.service")
        return self.status()

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.node.run(f"cat {STATUS}"))
        return found
