"""Empties nodes through their agents, which keep the deadline themselves: it runs on while nobody watches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from npu_agent import api
from npufleet import agent_cordon
from npufleet.agent_client import AgentClient
from npufleet.agent_errors import RefusedError, UnreachableError
from npufleet.errors import AgentError
from npufleet.rollout import states
from npufleet.rollout.settings import Settings
from npufleet.rollout.site import Site
from npufleet.sweep import Answer


@dataclass(frozen=True)
class Drained:
    """How far one node is; `failure` tells why it will not come further, and `state` what becomes of it then."""

    drained: bool = False
    failure: str = ""
    state: str = states.FAILED


@dataclass
class Drains:
    site: Site
    settings: Settings
    owner: str
    revision: str
    _began_s: dict[str, float] = field(default_factory=dict)
    _silent_since_s: dict[str, float] = field(default_factory=dict)
    _begun: set[str] = field(default_factory=set)

    def look(self, names: Sequence[str]) -> dict[str, Drained]:
        """Begin where that was not done yet, and tell how far each node is; an agent goes on with its drain."""
        for name in names:
            self._began_s.setdefault(name, self.site.clock.now_s())
        return {a.node.name: self._judge(a) for a in self.site.fleet.ask(self._ask, names)}

    def _ask(self, client: AgentClient) -> api.Drain:
        if client.node.name in self._begun:
            return agent_cordon.drained(client)
        wanted = self.settings.drain
        deadline_s = max(1, round(wanted.deadline_s))
        drain = agent_cordon.drain(client, self.owner, f"rollout of {self.revision}", wanted.mode, deadline_s)
        self._begun.add(client.node.name)
        return drain

    def _judge(self, answer: Answer[api.Drain]) -> Drained:
        """A node that is silent for a moment is asked again; a refusal is an answer."""
        if isinstance(answer.problem, UnreachableError):
            return self._silence(answer)
        if answer.problem is not None:
            return Drained(failure=_told(answer.problem))
        self._silent_since_s.pop(answer.node.name, None)
        assert answer.value is not None, "an answer without a problem has a value"
        drain = answer.value
        if drain.state == "drained" and drain.owner == self.owner:
            return Drained(drained=True)
        if drain.owner != self.owner:
            return Drained(failure="its drain is gone: the node was installed anew, or somebody ended it")
        over = self._over(answer.node.name)
        if over or (drain.state == "overdue" and drain.mode != api.DRAIN_DELETE_AFTER_TIMEOUT):
            return self._late(drain)
        return Drained()

    def _over(self, name: str) -> bool:
        """The agents' own deadline comes first; this one holds where stopping takes longer than it may."""
        wanted = self.settings.drain
        limit_s = wanted.grace_s + (0 if wanted.mode == api.DRAIN_IMMEDIATE else wanted.deadline_s)
        return self.site.clock.now_s() - self._began_s[name] > limit_s

    def _late(self, drain: api.Drain) -> Drained:
        if not self.settings.drain.fail_if_drain_fails:
            return Drained(drained=True)
        return Drained(failure=f"still waiting for {', '.join(drain.waiting_for) or 'what it does not name'}")

    def _silence(self, answer: Answer[api.Drain]) -> Drained:
        assert answer.problem is not None, "it is silent"
        now_s = self.site.clock.now_s()
        since_s = self._silent_since_s.setdefault(answer.node.name, now_s)
        if now_s - since_s < self.settings.healthy_deadline_s:
            return Drained()
        return Drained(failure=answer.problem.failure.message, state=states.UNREACHABLE)


def _told(problem: AgentError) -> str:
    if isinstance(problem, RefusedError) and problem.document.code in {api.CODE_NOT_FOUND, api.CODE_METHOD}:
        return "its agent is too old to drain; bring it in step first: npufleet prepare --tags agent"
    return problem.failure.message
