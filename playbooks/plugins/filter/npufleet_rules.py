"""Packet filter rules that an engine leaves behind in the kernel when it is taken away."""

from __future__ import annotations

import re
from typing import Any

# What Docker calls its chains and bridges.
CHAIN = r"DOCKER[\w-]*"
BRIDGE = r"(?:docker0|docker_gwbridge|br-[0-9a-f]{12})"
THEIRS = re.compile(rf"^-A {CHAIN} |-j {CHAIN}(?: |$)|-[io] {BRIDGE}(?: |$)|-s [\d.]+/\d+ ! -o {BRIDGE}")


def tables_of(text: str) -> dict[str, dict[str, Any]]:
    """Chains with their policies, and rules in order, by table; counters and comments left out."""
    tables: dict[str, dict[str, Any]] = {}
    table: dict[str, Any] = {"chains": {}, "rules": []}
    for line in text.splitlines():
        if line.startswith("*"):
            table = tables.setdefault(line[1:].strip(), {"chains": {}, "rules": []})
        elif line.startswith(":"):
            chain, policy = line[1:].split()[:2]
            table["chains"][chain] = policy
        elif line.startswith("-A "):
            table["rules"].append(line.strip())
    return tables


def npufleet_rules_undo(now: str, before: str) -> str:
    """Input for `iptables-restore --noflush` that takes Docker's rules away, as far as they were not there before.

    Both are the output of `iptables-save`. Rules of others stay as they are; empty where nothing is to be done.
    """
    old, parts = tables_of(before), []
    for name, table in tables_of(now).items():
        had = old.get(name, {"chains": {}, "rules": []})
        chains = [c for c in table["chains"] if re.fullmatch(CHAIN, c) and c not in had["chains"]]
        rules = [rule for rule in table["rules"] if THEIRS.search(rule) and rule not in had["rules"]]
        # An engine that switches forwarding on shuts it for everybody else.
        policy = had["chains"].get("FORWARD", "ACCEPT")
        shut = [f":FORWARD {policy} [0:0]"] if table["chains"].get("FORWARD", policy) != policy else []
        outer = [f"-D{rule[2:]}" for rule in rules if rule.split()[1] not in chains]
        lines = [*shut, *outer, *(f"-F {chain}" for chain in chains), *(f"-X {chain}" for chain in chains)]
        if lines:
            parts += [f"*{name}", *lines, "COMMIT"]
    return "".join(f"{line}\n" for line in parts)


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"npufleet_rules_undo": npufleet_rules_undo}
