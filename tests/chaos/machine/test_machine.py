"""A real node, and requests, crashes, ends, sick chips and reboots in an order that Hypothesis chooses.

After every step: no NPU in two running containers, none leased to nobody for longer than a cycle, no container lost or
doubled, no acknowledged request forgotten. NPUFLEET_CHAOS=full takes many more steps, and other ones at every run.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import requests
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from support.chaos import FOLDER, Figures, Profile, Trial
from support.fleet import Fleet
from support.ledger import PRESENT
from support.workloads import IMAGE, ready

FAULTS = (
    "agent killed", "dockerd killed", "dockerd restarted", "container ended", "chip failed", "chips healed",
    "node rebooted",
)  # fmt: skip
NAMES = st.sampled_from(["a", "b", "c", "d"])
NPUS = st.one_of(st.integers(1, 3), st.lists(st.integers(0, 7), min_size=1, max_size=3, unique=True))
RESTART = st.sampled_from(["no", {"policy": "always", "backoff_s": 0}])
ASKED = st.one_of(
    st.tuples(st.just("submit"), NAMES, NPUS, RESTART), st.tuples(st.just("stop"), NAMES, st.just(1), st.just("no"))
)
Asked = tuple[str, str, Any, Any]
DELAY_S = st.sampled_from([0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8])
# Ends at once when a node that goes down asks it to; the engine keeps it alive until then.
ENDS = ["sh", "-c", "trap exit TERM; sleep 86400 & wait"]
# What a node under these faults may answer; anything else is a finding.
FINE = {"submit": {200, 201, 409, 503}, "stop": {200, 404, 409, 503}}


class Machine(RuleBasedStateMachine):
    def __init__(self, fleet: Fleet, trial: Trial) -> None:
        super().__init__()
        self.fleet, self.trial, self.node = fleet, trial, trial.node
        self.log = (FOLDER / "machine-steps.log").open("a", encoding="utf-8")
        self.ill: set[int] = set()
        self.note("--- a new example")

    def teardown(self) -> None:
        try:
            if self.ill:
                self.heal()
            self.trial.reached("the node is ready", 90, lambda: ready(self.node))
            self.trial.settle()
            self.trial.clear()
        finally:
            self.log.close()

    def note(self, words: str) -> None:
        self.log.write(f"{time.strftime('%H:%M:%S')} {words}\n")
        self.log.flush()

    # Requests

    def ask(self, what: str, name: str, npus: Any, restart: Any) -> None:
        sick = set(self.ill)
        if what == "submit":
            answer = self.trial.ledger.put(
                self.node, name, image=IMAGE, command=ENDS, npus=npus, restart=restart, stop_grace_s=0
            )
        else:
            there = sorted(one for one, promise in self.trial.ledger.promises().items() if promise.state == PRESENT)
            name = there[ord(name) % len(there)] if there else name
            answer = self.trial.ledger.delete(self.node, name, grace_s=0)
        told = "no answer" if answer is None else f"{answer.status_code} {answer.json().get('code', '')}"
        self.note(f"{what} {name} {npus} {restart}: {told}")
        if answer is not None and answer.status_code not in FINE[what]:
            self.trial.ledger.broken.append(f"{what} of {name} was answered {answer.status_code}: {answer.text[:300]}")
        if answer is not None and answer.status_code == 201 and set(answer.json()["npus"]) & sick:
            self.trial.ledger.broken.append(f"{name} was given {answer.json()['npus']}, of which {sick} are ill")

    @contextmanager
    def asking(self, asked: Asked, delay_s: float) -> Iterator[None]:
        """Somebody asks for something, and so long after that the body happens."""
        thread = threading.Thread(target=self.ask, args=asked)
        thread.start()
        time.sleep(delay_s)
        yield
        thread.join()

    # Rules

    @initialize()
    def begin(self) -> None:
        self.ask("submit", "a", 2, "no")
        self.ask("submit", "b", [7], {"policy": "always", "backoff_s": 0})

    @rule(asked=ASKED)
    def request(self, asked: Asked) -> None:
        self.ask(*asked)

    @rule(asked=ASKED, delay_s=DELAY_S)
    def fault_meets_request(self, asked: Asked, delay_s: float) -> None:
        """Each fault in its turn, so that a short run has most of them."""
        what = min(FAULTS, key=lambda one: self.trial.figures.faults[one])
        self.meet(what, asked, delay_s)

    def meet(self, what: str, asked: Asked, delay_s: float) -> None:
        with self.asking(asked, delay_s):
            self.note(f"{what}, {delay_s} s after somebody asked")
            self.effects()[what]()
            self.trial.caused(what)
            self.trial.check()  # in the middle of it

    @rule(what=st.sampled_from(FAULTS))
    def fault(self, what: str) -> None:
        self.note(what)
        self.effects()[what]()
        self.trial.caused(what)

    @rule()
    def agree(self) -> None:
        """A quiet time: within a cycle of being ready, agent and Docker agree about everything."""
        self.trial.reached("the node is ready", 90, self.up)
        self.trial.settle()

    @invariant()
    def nothing_is_broken(self) -> None:
        self.trial.check()

    # Faults

    def effects(self) -> dict[str, Callable[[], None]]:
        return {
            "agent killed": lambda: self.run("systemctl kill -s KILL --kill-who=main npu-agent"),
            "dockerd killed": lambda: self.run("systemctl kill -s KILL --kill-who=main docker"),
            "dockerd restarted": lambda: self.run("systemctl restart docker"),
            "container ended": lambda: self.run("docker ps -q | head -n 1 | xargs -r docker kill"),
            "chip failed": self.fail_chip,
            "chips healed": self.heal,
            "node rebooted": self.reboot,
        }

    def run(self, command: str) -> None:
        """What it meets may be down already; then it does nothing more."""
        self.node.ssh(command, timeout_s=120)

    def fail_chip(self) -> None:
        npu = len(self.ill) % 8
        self.fleet.fault(self.node, f"npu={npu}", "health=Alarm", "code=80E01801")
        self.trial.reached("an ill chip is told", 60, lambda: self.state_of(npu) == "unhealthy")
        self.ill.add(npu)

    def heal(self) -> None:
        self.fleet.fault(self.node, "heal")
        self.ill.clear()

    def reboot(self) -> None:
        """The whole node, by systemd; what was asked meanwhile is answered by nobody."""
        before = self.boot_id()
        self.node.ssh("systemctl reboot")
        self.trial.reached("the node is back", 120, lambda: self.boot_id() not in {"", before})

    def boot_id(self) -> str:
        return self.node.ssh("cat /proc/sys/kernel/random/boot_id").stdout.strip()

    def state_of(self, npu: int) -> str | None:
        try:
            return str(self.node.get("/v1/npus")["npus"][npu]["state"])
        except (requests.RequestException, AssertionError, IndexError):
            return None  # the agent is on its way back

    def up(self) -> bool:
        """Ready, or kept from it by nothing but the chips that are ill."""
        if not self.ill:
            return ready(self.node)
        try:
            health = self.node.get("/v1/health")
        except (requests.RequestException, AssertionError):
            return False
        amiss = {one["name"] for one in health["components"] if one["state"] in {"unhealthy", "unknown"}}
        return all(name.startswith("npu/") for name in amiss)


def test_nothing_is_lost_or_doubled_in_whatever_order_it_happens(
    fleet: Fleet, scale: Profile, figures: Figures
) -> None:
    """After every step nothing is broken, and 90 s after the last fault the node is ready and agrees with Docker."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    full = scale.name == "full"
    trials: list[Trial] = []

    def machine() -> Machine:
        trials.append(Trial(fleet.nodes[0], scale, figures))
        return Machine(fleet, trials[-1])

    # A failure is not made smaller here, where a step takes seconds: the order of the steps stands in build/chaos.
    chosen = settings(
        max_examples=25 if full else 3,
        stateful_step_count=40 if full else 8,
        deadline=None,
        database=None,
        derandomize=not full,
        print_blob=True,
        phases=[Phase.generate],
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    try:
        run_state_machine_as_test(machine, settings=chosen)  # type: ignore[arg-type]  # any callable will do
        missed = [what for what in FAULTS if not figures.faults[what]]
        last = machine()
        for number, what in enumerate(missed):  # chance has left them out
            last.meet(what, ("submit", "abcd"[number % 4], 1, "no"), 0.1)
        last.teardown()
    finally:
        for trial in trials:
            trial.close()
