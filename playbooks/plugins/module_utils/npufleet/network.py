"""Facts about the network: interfaces, routes to the peers, the packet filter that is in use."""

from __future__ import annotations

import json
from typing import Any

from ansible.module_utils.npufleet.run import run, which


def gather(peers: list[str]) -> dict[str, Any]:
    return {
        "interfaces": interfaces(run("ip", "-j", "-d", "address", "show").out),
        "routes": {peer: route(peer) for peer in peers},
        "iptables": {name: bool(which(name)) for name in ("iptables", "ip6tables", "iptables-nft", "iptables-legacy")},
    }


def interfaces(text: str) -> list[dict[str, Any]]:
    try:
        links = json.loads(text)
    except ValueError:
        return []
    return [interface(link) for link in links if link.get("ifname")]


def interface(link: dict[str, Any]) -> dict[str, Any]:
    flags = link.get("flags", [])
    return {
        "name": link["ifname"],
        "kind": kind(link),
        "mtu": link.get("mtu"),
        "up": "UP" in flags and "LOWER_UP" in flags,
        "master": link.get("master"),
        # What a VLAN or the like rides on.
        "link": link.get("link"),
        "addresses": [
            {"address": a["local"], "prefix": a["prefixlen"], "family": a["family"], "scope": a.get("scope")}
            for a in link.get("addr_info", [])
            if a.get("local")
        ],
    }


def kind(link: dict[str, Any]) -> str:
    if "LOOPBACK" in link.get("flags", []):
        return "loopback"
    return link.get("linkinfo", {}).get("info_kind") or "physical"


def route(peer: str) -> dict[str, str | None]:
    """The kernel's own answer, so that policy rules and several tables are taken into account."""
    done = run("ip", "-j", "route", "get", peer)
    try:
        answer = json.loads(done.out)[0]
    except (ValueError, LookupError):
        return {"interface": None, "source": None, "gateway": None, "error": (done.err.strip() or "no route")}
    return {
        "interface": answer.get("dev"),
        "source": answer.get("prefsrc"),
        "gateway": answer.get("gateway"),
        "error": None,
    }
