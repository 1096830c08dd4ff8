"""What to forbid, as text for nft and for iptables: pure functions."""

from __future__ import annotations

import ipaddress
import posixpath
from typing import NamedTuple

TABLE = "npufleet_metadata"
FORWARDED = "NPUFLEET-METADATA"
LOCAL = "NPUFLEET-METADATA-OUT"
_NFT_FOLDER = "/sys/fs/cgroup"  # where nft looks for the paths that it is given


class Rules(NamedTuple):
    """`paths` are relative to `mount`; `class_id` is 0 where containers are told apart by path, or not at all."""

    addresses: list[str]
    mount: str = ""
    paths: list[str] = []  # noqa: RUF012  # never changed
    class_id: int = 0

    @property
    def tells_apart(self) -> bool:
        """Whether containers with host networking are told from the node's own programs."""
        return bool(self.paths or self.class_id)


def canonical(address: str) -> str:
    return str(ipaddress.ip_address(address))


def of_family(addresses: list[str], version: int) -> list[str]:
    return [canonical(item) for item in addresses if ipaddress.ip_address(item).version == version]


def _nft_matches(rules: Rules) -> list[str]:
    if rules.class_id:
        return [f"meta cgroup {rules.class_id}"]
    prefix = posixpath.relpath(rules.mount, _NFT_FOLDER) if rules.mount else "."
    return [
        f'socket cgroupv2 level {path.count("/") + 1} "{posixpath.normpath(posixpath.join(prefix, path))}"'
        for path in rules.paths
    ]


def _nft_destinations(rules: Rules) -> list[str]:
    return [
        f"{word} daddr {address}"
        for word, version in (("ip", 4), ("ip6", 6))
        for address in of_family(rules.addresses, version)
    ]


def nft(rules: Rules) -> str:
    """A table of its own, replaced in one step: nobody else's flush, reload or order of rules reaches it."""
    lines = [f"table inet {TABLE}", f"delete table inet {TABLE}", f"table inet {TABLE} {{"]
    for chain, matches in (("forward", [""]), ("output", _nft_matches(rules))):
        lines += [f" chain {chain} {{", f"  type filter hook {chain} priority -10; policy accept;"]
        for where in _nft_destinations(rules):
            for match in matches:
                lines.append(f"  {where} {match} meta l4proto tcp reject with tcp reset")
                lines.append(f"  {where} {match} reject with icmpx admin-prohibited")
        lines.append(" }")
    return "\n".join([*lines, "}", ""])


def nft_by_hardware(addresses: list[str], parents: dict[str, str]) -> str:
    """Packets that leave by an interface and are not the node's own carry another hardware address than it."""
    lines = [f"table netdev {TABLE}", f"delete table netdev {TABLE}", f"table netdev {TABLE} {{"]
    for index, (device, hardware) in enumerate(sorted(parents.items())):
        lines += [
            f" chain egress{index} {{",
            f'  type filter hook egress device "{device}" priority 0; policy accept;',
            *(f"  ether saddr != {hardware} {where} drop" for where in _nft_destinations(Rules(addresses))),
            " }",
        ]
    return "\n".join([*lines, "}", ""])


def iptables(rules: Rules, version: int) -> str:
    """Two chains for iptables-restore --noflush, which replaces them in one step."""
    matches = [f"-m cgroup --path {path}" for path in rules.paths]
    if rules.class_id:
        matches = [f"-m cgroup --cgroup {rules.class_id}"]
    lines = ["*filter", f":{FORWARDED} - [0:0]", f":{LOCAL} - [0:0]"]
    for address in of_family(rules.addresses, version):
        for chain, found in ((FORWARDED, [""]), (LOCAL, matches)):
            for match in found:
                lines.append(f"-A {chain} -d {address} {match} -p tcp -j REJECT --reject-with tcp-reset")
                lines.append(f"-A {chain} -d {address} {match} -j REJECT")
    return "\n".join([*lines, "COMMIT", ""])
