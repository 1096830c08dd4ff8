"""The two packet filters of Linux, and how rules get into them, are looked for, and go away again."""

from __future__ import annotations

import os
import re
import shutil

from npufleet_guard import rules as text
from npufleet_guard.rules import FORWARDED, LOCAL, TABLE, Rules, of_family
from npufleet_guard.run import Done, run


def nft_run(commands: str) -> Done:
    """By the program, or by the library that firewalld brings along."""
    if shutil.which("nft", path="/usr/sbin:/sbin:/usr/bin:/usr/local/sbin"):
        return run("nft", "-f", "-", given=commands)
    try:
        from nftables import Nftables  # noqa: PLC0415  # most nodes have no such module
    except ImportError:
        return Done(127, "", "nft is not installed")
    code, out, err = Nftables().cmd(commands)
    return Done(code, out, err)


class Nft:
    """One table of our own, with hooks in front of everybody else's."""

    name = "nft"

    def load(self, rules: Rules) -> str:
        """Put the rules in force; return what went wrong."""
        done = nft_run(text.nft(rules))
        return "" if done.code == 0 else f"nft: {_first_line(done)}"

    def missing(self, rules: Rules) -> str:
        """Name what is not in force."""
        done = nft_run(f"list table inet {TABLE}\n")
        if done.code != 0:
            return f"nft: there is no table {TABLE}"
        chains = dict(re.findall(r"chain (\w+) \{(.*?)\n\t\}", done.out, re.DOTALL))
        for chain in ("forward", "output") if rules.tells_apart else ("forward",):
            for address in (*of_family(rules.addresses, 4), *of_family(rules.addresses, 6)):
                if f"daddr {address} " not in chains.get(chain, ""):
                    return f"nft: no rule for {address} in the chain {chain}"
        return ""

    def clear(self) -> None:
        for family in ("inet", "netdev"):
            nft_run(f"table {family} {TABLE}\ndelete table {family} {TABLE}\n")


class Iptables:
    """Two chains, and jumps to them in front of everybody else's, which must be put back there again and again."""

    name = "iptables"

    def load(self, rules: Rules) -> str:
        problems = [self._load_one(program, version, rules) for program, version in self._programs(rules)]
        return "; ".join(filter(None, problems))

    def _load_one(self, program: str, version: int, rules: Rules) -> str:
        done = run(f"{program}-restore", "--noflush", "-w", "5", given=text.iptables(rules, version))
        if done.code != 0:
            return f"{program}: {_first_line(done)}"
        # Docker keeps what is in DOCKER-USER, and puts it in front of its own rules, so it may be there before Docker.
        if run(program, "-w", "5", "-S", "DOCKER-USER").code != 0:
            run(program, "-w", "5", "-N", "DOCKER-USER")
        for chain, target in _HOOKS:
            _hook(program, chain, target)
        return ""

    def missing(self, rules: Rules) -> str:
        for program, version in self._programs(rules):
            for chain, target in _HOOKS:
                if not leads(_rules_of(program, chain), chain, target):
                    return f"{program}: {chain} does not begin with the guard"
            for chain in (FORWARDED, LOCAL) if rules.tells_apart else (FORWARDED,):
                there = run(program, "-w", "5", "-S", chain).out
                for address in of_family(rules.addresses, version):
                    if f"-d {address}/" not in there:
                        return f"{program}: no rule for {address} in the chain {chain}"
        return ""

    def clear(self) -> None:
        for family in ("iptables", "ip6tables"):
            for program in _variants(family):
                if FORWARDED not in run(program, "-w", "5", "-S").out:
                    continue
                for chain, target in _HOOKS:
                    while run(program, "-w", "5", "-D", chain, "-j", target).code == 0:
                        pass
                for chain in (FORWARDED, LOCAL):
                    run(program, "-w", "5", "-F", chain)
                    run(program, "-w", "5", "-X", chain)
                # Only an empty chain that nothing jumps to goes: Docker's own stays.
                run(program, "-w", "5", "-X", "DOCKER-USER")

    def _programs(self, rules: Rules) -> list[tuple[str, int]]:
        """The programs to use, by family; a node without IPv6 has nothing to guard there."""
        found = [(_variant_of_docker("iptables"), 4)] if of_family(rules.addresses, 4) else []
        six = _variant_of_docker("ip6tables")
        if of_family(rules.addresses, 6) and run(six, "-w", "5", "-S", "OUTPUT").code == 0:
            found.append((six, 6))
        return found


_HOOKS = (("FORWARD", FORWARDED), ("OUTPUT", LOCAL), ("DOCKER-USER", FORWARDED))


def _variants(family: str) -> list[str]:
    """The variants on this node. Asking the legacy one would load its tables, so only where they are in use."""
    named = [f"{family}-nft"]
    tables = f"/proc/net/{family[: -len('tables')]}_tables_names"
    if os.path.exists(tables):
        with open(tables, encoding="ascii") as stream:
            named += [f"{family}-legacy"] if "filter" in stream.read().split() else []
    return [*named, family]


def _variant_of_docker(family: str) -> str:
    """The one in which Docker has its chains, the system's default before one that is left over from a change."""
    candidates = (family, *_variants(family))
    return next((program for program in candidates if run(program, "-w", "5", "-S", "DOCKER").code == 0), family)


def _rules_of(program: str, chain: str) -> list[str]:
    return [line for line in run(program, "-w", "5", "-S", chain).out.splitlines() if line.startswith("-A")]


def leads(rules: list[str], chain: str, target: str) -> bool:
    """Whether the jump to ours comes first. Docker puts its DOCKER-USER in front again for each new network.

    That chain begins with the guard itself, which is looked at on its own.
    """
    return [rule for rule in rules if rule != "-A FORWARD -j DOCKER-USER"][:1] == [f"-A {chain} -j {target}"]


def _hook(program: str, chain: str, target: str) -> None:
    rules = _rules_of(program, chain)
    if leads(rules, chain, target):
        return
    run(program, "-w", "5", "-I", chain, "1", "-j", target)
    for index in reversed(range(len(rules))):
        if rules[index] == f"-A {chain} -j {target}":
            run(program, "-w", "5", "-D", chain, str(index + 2))


def _first_line(done: Done) -> str:
    lines = (done.err or done.out).strip().splitlines()
    return lines[0] if lines else f"exit status {done.code}"
