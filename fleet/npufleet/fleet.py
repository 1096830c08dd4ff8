"""An opened fleet: the inventory, its credentials, and one kept-alive client for every node."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from npufleet import inventory as inventories
from npufleet import pki, tls
from npufleet.agent_client import AgentClient, Timeouts, connect
from npufleet.inventory import Inventory, Node
from npufleet.project import ansible_environment, find_inventory
from npufleet.sweep import Answer, sweep

T = TypeVar("T")


@dataclass
class Fleet:
    inventory: Inventory
    connect: Callable[[Node], AgentClient]
    _clients: dict[str, AgentClient] = field(default_factory=dict)

    def client(self, name: str) -> AgentClient:
        """The client of one node; a name that is not in the inventory is a usage problem."""
        if name not in self._clients:
            self._clients[name] = self.connect(self.inventory.node(name))
        return self._clients[name]

    def ask(self, call: Callable[[AgentClient], T], names: Iterable[str] | None = None) -> list[Answer[T]]:
        """Ask some nodes, or all, at once; answers come in the inventory's order."""
        wanted = self.inventory.names if names is None else tuple(names)
        return sweep([self.client(name) for name in wanted], call)


def open_inventory(
    given: Path | None, environ: Mapping[str, str] = os.environ, *, limit: str | None = None
) -> Inventory:
    source = find_inventory(given, environ)
    return inventories.load(source, ansible_environment(environ), limit)


def open_fleet(
    given: Path | None,
    *,
    timeouts: Timeouts | None = None,
    environ: Mapping[str, str] = os.environ,
    limit: str | None = None,
) -> Fleet:
    inventory = open_inventory(given, environ, limit=limit)
    _allow_connections(len(inventory.nodes))
    credentials = pki.load(inventory.folder, environ)
    context = tls.trust(credentials.ca)
    return Fleet(inventory, lambda node: connect(node, credentials, context, timeouts))


def _allow_connections(nodes: int) -> None:
    """Every node's connection stays open, and many a system gives a process 1,024 files unless it asks for more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = nodes * 2 + 256
    if soft < wanted and soft != resource.RLIM_INFINITY:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
