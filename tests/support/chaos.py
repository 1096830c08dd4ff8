"""What the chaos suites share: how much is done in a run, what was done and found, and the figures at its end."""

from __future__ import annotations

import collections
import json
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from support.fleet import Fleet, booted, failures
from support.invariants import settled, violations
from support.ledger import ABSENT, Ledger
from support.nodes import Node, wait_until
from support.repo import ROOT
from support.workloads import IMAGE, SLEEP, ready

T = TypeVar("T")
FOLDER = ROOT / "build" / "chaos"


@dataclass(frozen=True)
class Profile:
    """`interval_s` is the agent's, between two looks. `slowness` stretches every deadline on a machine that is slow."""

    name: str
    kills: int
    hang_s: float
    interval_s: int
    timeout_s: int
    slowness: float = 1.0

    def within(self, seconds: float) -> float:
        return seconds * self.slowness

    @property
    def cycle_s(self) -> float:
        """How long what disagrees may last: the interval, and the look itself."""
        return self.within(self.interval_s + 3)


_PROFILES = {
    "short": Profile("short", kills=12, hang_s=12, interval_s=2, timeout_s=6),
    # The intervals that the product has by itself.
    "full": Profile("full", kills=200, hang_s=600, interval_s=5, timeout_s=20),
}


def profile() -> Profile:
    """NPUFLEET_CHAOS is `short` or `full`; NPUFLEET_CHAOS_SLOWNESS stretches the deadlines."""
    chosen = _PROFILES[os.environ.get("NPUFLEET_CHAOS", "short")]
    return Profile(**{**vars(chosen), "slowness": float(os.environ.get("NPUFLEET_CHAOS_SLOWNESS", "1"))})


# The next agent comes at once: so there is more to kill, and no pause in which nothing can go wrong.
_IMPATIENT = {"npu-agent": "[Service]\\nRestartSec=200ms\\n"}


@contextmanager
def prepared(suite: str, scale: Profile, settings: Mapping[str, str] | None = None) -> Iterator[Fleet]:
    """One node whose agent looks as often as the profile says; `settings` are further drop-ins of units, by unit."""
    with booted(suite, "-n", "1", "--os", "debian12") as found:
        probe = {"agent_probe_fast_interval_s": scale.interval_s, "agent_probe_timeout_s": scale.timeout_s}
        done, _ = found.playbook("site.yml", "-e", json.dumps(probe))
        assert done.returncode == 0, failures(done)
        node = found.nodes[0]
        for unit, setting in {**_IMPATIENT, **(settings or {})}.items():
            folder = f"/etc/systemd/system/{unit}.service.d"
            node.run(f"mkdir -p {folder} && printf '{setting}' > {folder}/chaos.conf")
        node.run("systemctl daemon-reload && systemctl restart npu-agent")
        wait_until("node ready", scale.within(90), lambda: ready(node))
        yield found


def seed() -> int:
    """NPUFLEET_CHAOS_SEED repeats the choices of a run; what threads make of them is theirs."""
    return int(os.environ.get("NPUFLEET_CHAOS_SEED") or random.SystemRandom().randrange(1_000_000))


@dataclass
class Figures:
    """What a run did and found; the numbers that the docs quote are printed from here."""

    suite: str
    profile: str
    seed: int
    faults: collections.Counter[str] = field(default_factory=collections.Counter)
    requests: collections.Counter[str] = field(default_factory=collections.Counter)
    looks: int = 0
    checked: int = 0
    broken: list[str] = field(default_factory=list)
    longest_s: dict[str, float] = field(default_factory=dict)  # against a deadline, by what was waited for
    began: float = field(default_factory=time.monotonic)

    def document(self) -> dict[str, Any]:
        return {
            "suite": self.suite,
            "profile": self.profile,
            "seed": self.seed,
            "seconds": round(time.monotonic() - self.began),
            "faults": dict(sorted(self.faults.items())),
            "faults_caused": self.faults.total(),
            "requests": dict(sorted(self.requests.items())),
            "looks": self.looks,
            "invariants_checked": self.checked,
            "invariants_broken": len(self.broken),
            "broken": self.broken,
            "longest_s": {what: round(seconds, 1) for what, seconds in sorted(self.longest_s.items())},
        }

    def lines(self) -> list[str]:
        told = self.document()
        head = (
            f"chaos {self.suite} ({self.profile}, seed {self.seed}): {told['faults_caused']} faults caused in"
            f" {told['seconds']} s, {self.checked} invariants checked in {self.looks} looks, {len(self.broken)} broken"
        )
        parts = (("faults", told["faults"]), ("requests", told["requests"]), ("longest, s", told["longest_s"]))
        return [head, *(f"  {name}: {', '.join(f'{k} {v}' for k, v in part.items())}" for name, part in parts if part)]

    def write(self) -> None:
        FOLDER.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self.document(), indent=2, ensure_ascii=False) + "\n"
        (FOLDER / f"{self.suite}.json").write_text(text, encoding="utf-8")


class Trial:
    """One node that things are done to, the book of what it was asked, and what is looked at after each step."""

    def __init__(self, node: Node, scale: Profile, figures: Figures) -> None:
        self.node = node
        self.profile = scale
        self.figures = figures
        self.ledger = Ledger(scale.cycle_s)
        self.random = random.Random(figures.seed)

    def caused(self, fault: str) -> None:
        self.figures.faults[fault] += 1

    def check(self) -> None:
        """Look once, whatever is under way."""
        self._judged(violations(self.node, self.ledger, time.monotonic()))

    def settle(self) -> None:
        """Look until the agent and Docker agree about everything, which they must within a cycle."""
        self._judged(settled(self.node, self.ledger))

    def _judged(self, found: list[str]) -> None:
        self.figures.looks += 1
        self.figures.checked += self.ledger.checked
        self.ledger.checked = 0
        self.figures.broken += found
        assert not found, "\n".join(found)

    def reached(self, what: str, seconds: float, look: Callable[[], T | None]) -> T:
        """Wait for it until the sentence's deadline, and keep how long it took."""
        began = time.monotonic()
        answer = wait_until(what, self.profile.within(seconds), look)
        took = time.monotonic() - began
        self.figures.longest_s[what] = max(took, self.figures.longest_s.get(what, 0.0))
        return answer

    def start(self, name: str, **spec: Any) -> dict[str, Any]:
        """A workload whose start is acknowledged."""
        answer = self.ledger.put(self.node, name, image=IMAGE, command=SLEEP, **spec)
        assert answer is not None, f"PUT of {name} was not answered"
        assert answer.status_code in {200, 201}, answer.text
        return dict(answer.json())

    def stop(self, name: str) -> bool:
        """Whether its end is acknowledged."""
        answer = self.ledger.delete(self.node, name, grace_s=0)
        return answer is not None and answer.status_code in {200, 404}

    def clear(self) -> None:
        """Stop everything that was asked for; then nothing is left, in Docker nor in the agent's books."""
        for name, promise in self.ledger.promises().items():
            if promise.state != ABSENT:
                self.reached("every workload can be stopped", 40, lambda name=name: self.stop(name))  # type: ignore[misc]  # bound now
        self.settle()
        left = [one for one in self.node.containers() if one.startswith("npufleet-")]
        left += self.node.get("/v1/leases")["leases"]
        assert not left, f"everything was stopped, and this is left: {left}"

    def close(self) -> None:
        self.figures.requests.update(self.ledger.requests)
