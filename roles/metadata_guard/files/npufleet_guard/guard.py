"""Puts the rules in force, and tells what is and what is not guarded."""

from __future__ import annotations

import os
import posixpath
import re
import time
from typing import Any, NamedTuple

from npufleet_guard import cgroups, engine, probe
from npufleet_guard.cgroups import Member
from npufleet_guard.engine import Engine
from npufleet_guard.filters import Iptables, Nft, nft_run
from npufleet_guard.rules import TABLE, Rules, nft_by_hardware

FILTERS: dict[str, Nft | Iptables] = {"nft": Nft(), "iptables": Iptables()}
_TRIES = 3
_LOOKS_AGAIN = 3
_MOMENT_S = 0.3


class Config(NamedTuple):
    """`accepted` are names of containers and networks that may reach the service."""

    addresses: list[str]
    method: str
    filter: str
    driver: str
    parents: list[str]
    accepted: list[str]


class Findings(NamedTuple):
    """Sentences: why the guard is not in force, who is not covered, what else is worth knowing."""

    filter: str
    failures: list[str]
    exposed: list[str]
    notes: list[str]

    def document(self, config: Config) -> dict[str, Any]:
        return {"method": config.method, **self._asdict()}


def apply(config: Config, before: str) -> Findings:
    """Make it so. `before` names the filter that held the rules until now."""
    mount = _prepare(config)
    chosen, problems = "", []
    for name in _candidates(config):
        problem = _load(config, mount, name)
        if not problem:
            chosen = name
            break
        problems.append(problem)
    for other in sorted(set(FILTERS) - {chosen}) if chosen and chosen != before else ():
        FILTERS[other].clear()
    read = engine.read()
    closed = _close_parents(config, read)
    return _judge(config, mount, read, chosen, [] if chosen else problems, closed)


def check(config: Config) -> Findings:
    """Change nothing; tell the same."""
    mount = _mount(config)
    rules = _rules(config, mount)
    chosen, failures = "", []
    for name in _candidates(config):
        problem = FILTERS[name].missing(rules)
        if not problem:
            chosen, failures = name, _leaks(config, mount)
            break
        failures.append(problem)
    return _judge(config, mount, engine.read(), chosen, failures, _closed_parents(), _LOOKS_AGAIN)


def clear() -> None:
    for kind in FILTERS.values():
        kind.clear()
    cgroups.unclassify()


def _candidates(config: Config) -> list[str]:
    return list(FILTERS) if config.filter == "auto" else [config.filter]


def _prepare(config: Config) -> str:
    """Have the groups that rules name; return where they are."""
    mount = _mount(config)
    if config.method == cgroups.NET_CLS:
        cgroups.classify(mount, config.parents, cgroups.members())
    elif config.method == cgroups.PATH:
        cgroups.make_parents(config.driver, mount)
    return mount


def _mount(config: Config) -> str:
    mounts = cgroups.now()
    mount = {cgroups.NET_CLS: mounts.classes, cgroups.PATH: mounts.v2, cgroups.NONE: "-"}[config.method]
    if not mount:
        raise OSError(f"the control groups for the method {config.method} are not mounted")
    return mount


def _rules(config: Config, mount: str) -> Rules:
    if config.method == cgroups.NET_CLS:
        return Rules(config.addresses, class_id=cgroups.CLASS)
    if config.method == cgroups.PATH:
        return Rules(config.addresses, mount, cgroups.nameable(cgroups.members(), config.parents, mount))
    return Rules(config.addresses)


def _load(config: Config, mount: str, name: str) -> str:
    """A container may go away between the listing and the load, and its group with it: then again."""
    problem = ""
    for _ in range(_TRIES):
        problem = FILTERS[name].load(_rules(config, mount))
        if not problem:
            # A kernel may take a rule that matches nothing; only trying tells.
            return "; ".join(_leaks(config, mount))
    return problem


def _leaks(config: Config, mount: str) -> list[str]:
    """Try from a group beside the containers; a node that has no way to an address has nothing to forbid."""
    if config.method == cgroups.NONE:
        return []
    groups = [os.path.join(mount, parent) for parent in config.parents]
    groups = [group for group in groups if os.path.isdir(group)]
    if not groups:
        return ["there is no control group by which a rule could name containers"]
    tried = {(group, address): probe.from_group(group, address) for group in groups for address in config.addresses}
    return [
        f"a process in {posixpath.relpath(group, mount)} that sends to {address}: {seen}"
        for (group, address), seen in tried.items()
        if seen not in (probe.FORBIDDEN, probe.NO_WAY)
    ]


def _close_parents(config: Config, read: Engine | None) -> list[str]:
    """Have interfaces under macvlan networks let only the node's own packets pass to the service.

    While the engine is away its containers may go on, so what is closed stays closed.
    """
    if read is None:
        return _closed_parents()
    wanted = {network.parent: _hardware(network.parent) for network in read.networks if network.driver == "macvlan"}
    wanted = {parent: hardware for parent, hardware in wanted.items() if hardware}
    if wanted:
        nft_run(nft_by_hardware(config.addresses, wanted))
    elif _closed_parents():
        nft_run(f"delete table netdev {TABLE}\n")
    return _closed_parents()


def _closed_parents() -> list[str]:
    """The interfaces whose table is in force; the kernel forgets a chain with its interface."""
    return nft_devices(nft_run(f"list table netdev {TABLE}\n").out)


def nft_devices(listing: str) -> list[str]:
    """Interfaces of a listed table: versions of nft write one or several in different ways."""
    hooks = re.findall(r"hook egress (.*?) priority", listing)
    return sorted({name for hook in hooks for name in re.findall(r'"([^"]+)"', hook)})


def _hardware(device: str) -> str:
    try:
        with open(f"/sys/class/net/{device}/address", encoding="ascii") as stream:
            return stream.read().strip()
    except OSError:
        return ""


def _judge(
    config: Config,
    mount: str,
    read: Engine | None,
    chosen: str,
    failures: list[str],
    closed: list[str],
    looks_again: int = 0,
) -> Findings:
    open_containers, notes = _settled_containers(config, mount, read.names if read else {}, looks_again)
    found = [*(_open_networks(read, closed) if read else []), *open_containers]
    if read is None:
        notes.append("the engine does not answer, so it is not known whether a network passes by the packet filter")
    exposed = [sentence for name, sentence in found if name not in config.accepted]
    return Findings(chosen, failures, exposed, [*notes, *(said for name, said in found if name in config.accepted)])


def _open_networks(read: Engine, closed: list[str]) -> list[tuple[str, str]]:
    """By name, those whose packets nobody stops. A macvlan network without a parent leads nowhere."""
    found = []
    for network in read.networks:
        if network.driver == "macvlan" and (network.parent in closed or not _hardware(network.parent)):
            continue
        who = f", with {', '.join(network.containers)} on it now," if network.containers else ""
        found.append(
            (network.name, f"the {network.driver} network {network.name}{who} passes by the node's packet filter")
        )
    return found


def _settled_containers(
    config: Config, mount: str, names: dict[str, str], looks_again: int
) -> tuple[list[tuple[str, str]], list[str]]:
    """A container that is just being made is in nobody's group for a moment: only who stays without a rule is told.

    Whoever asks can wait for that; whoever puts rules in force is asked again soon, and does not.
    """
    bare, notes = _containers(config, mount, names, cgroups.members())
    for _ in range(looks_again if config.method != cgroups.NONE else 0):
        if not bare:
            break
        time.sleep(_MOMENT_S)
        again, notes = _containers(config, mount, names, cgroups.members())
        bare = [one for one in bare if one in again]
    return bare, notes


def _containers(
    config: Config, mount: str, names: dict[str, str], members: list[Member]
) -> tuple[list[tuple[str, str]], list[str]]:
    """Name containers with host networking that no rule covers, and those that are covered only as they run now."""
    bare, loose = set(), set()
    for seen in members:
        name = names.get(seen.container, seen.container[:12])
        if config.method == cgroups.NET_CLS:
            if cgroups.class_of(mount, seen.classes) != cgroups.CLASS:
                bare.add(name)
            elif not cgroups.inside(seen.classes, config.parents):
                loose.add(name)
        elif config.method == cgroups.NONE:
            bare.add(name)
        elif not cgroups.inside(seen.v2, config.parents):
            (loose if cgroups.own_group(seen) else bare).add(name)
    exposed = [(name, f"the container {name} on the host network is covered by no rule") for name in sorted(bare)]
    notes = [
        f"the container {name} on the host network runs outside of the guarded control groups: it is covered as it"
        " runs now, and after a start of its own only within a minute; restart the engine and then the container"
        for name in sorted(loose - bare)
    ]
    return exposed, notes
