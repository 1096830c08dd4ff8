"""Follows a playbook run event by event: where each node is, what it has done, what went wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from npufleet.playbook_drift import Difference, differences

WORKING = "working"
DONE = "done"
FAILED = "failed"
UNREACHABLE = "unreachable"
STOPPED = "stopped"

# Facts that the playbooks set for whoever follows them, and where they are kept.
_TOLD = {"preflight_findings": "findings", "verify_amiss": "amiss"}
_SUMMARY = "preflight_summary"


@dataclass
class NodeRun:
    """One node's way through the playbook."""

    name: str
    state: str = WORKING
    stage: str = ""
    task: str = ""
    done: int = 0
    changed: int = 0
    message: str = ""
    findings: list[dict[str, Any]] = field(default_factory=list)
    # What preflight tells about the node beside its findings.
    summary: dict[str, Any] = field(default_factory=dict)
    # Proofs of verify that failed: role, and what it says.
    amiss: list[dict[str, Any]] = field(default_factory=list)
    # What a rehearsal would have changed.
    differences: list[Difference] = field(default_factory=list)


@dataclass
class Tracker:
    """Takes ansible-runner's events in their order; what it has gathered can be shown at any time."""

    nodes: dict[str, NodeRun] = field(default_factory=dict)
    stage: str = ""
    task: str = ""
    finished: bool = False
    # What Ansible says outside of any task: a playbook that cannot be parsed ends here.
    complaints: list[str] = field(default_factory=list)

    def take(self, event: Mapping[str, Any]) -> str:
        """Take in one event and give the line that a log should have for it, or nothing."""
        data = event.get("event_data") or {}
        handler = _HANDLERS.get(str(event.get("event")))
        if handler is not None:
            return handler(self, data)
        if event.get("event") in {"verbose", "error"}:
            self._listen(str(event.get("stdout", "")))
        return ""

    def _listen(self, text: str) -> None:
        if "[ERROR]" in text or "ERROR!" in text or self.complaints:
            lines = (line.removeprefix("[ERROR]: ").removeprefix("ERROR! ") for line in text.splitlines())
            self.complaints += [line for line in lines if line.strip()]

    def _task_started(self, data: Mapping[str, Any]) -> str:
        before = self.stage
        self.stage = str(data.get("role") or data.get("play") or "")
        self.task = str(data.get("task") or "")
        return f"== {self.stage}" if self.stage != before else ""

    def _node(self, data: Mapping[str, Any]) -> NodeRun:
        name = str(data.get("host") or "?")
        return self.nodes.setdefault(name, NodeRun(name))

    def _began(self, data: Mapping[str, Any]) -> str:
        node = self._node(data)
        node.stage, node.task = self.stage, str(data.get("task") or "")
        return ""

    def _ok(self, data: Mapping[str, Any]) -> str:
        node = self._went_on(data)
        result = _result(data)
        node.done += 1
        if isinstance(facts := result.get("ansible_facts"), Mapping):
            _keep(node, facts)
        return self._changed(node, data)

    def _skipped(self, data: Mapping[str, Any]) -> str:
        self._went_on(data)
        return ""

    def _changed(self, node: NodeRun, data: Mapping[str, Any]) -> str:
        if not _result(data).get("changed"):
            return ""
        node.changed += 1
        node.differences += differences(data, str(data.get("role") or self.stage))
        return f"   {node.name}: changed: {self.task}"

    def _failed(self, data: Mapping[str, Any]) -> str:
        if data.get("ignore_errors"):
            self._went_on(data).done += 1
            return ""
        return self._stopped(data, FAILED)

    def _unreachable(self, data: Mapping[str, Any]) -> str:
        return self._stopped(data, UNREACHABLE)

    def _stopped(self, data: Mapping[str, Any], state: str) -> str:
        node = self._node(data)
        node.state, node.stage, node.task = state, str(data.get("role") or self.stage), str(data.get("task") or "")
        node.message = explain(_result(data))
        return f"   {node.name}: {state}: {node.task}: {node.message}"

    def _went_on(self, data: Mapping[str, Any]) -> NodeRun:
        """A node that goes on after a failure was rescued by its playbook."""
        node = self._node(data)
        node.state, node.message = WORKING, ""
        node.stage, node.task = self.stage, self.task
        return node

    def cut_short(self) -> None:
        """The run is over before its end: whoever was still at work has not come through."""
        for node in self.nodes.values():
            node.state = STOPPED if node.state == WORKING else node.state

    def _ended(self, data: Mapping[str, Any]) -> str:
        """Ansible's own count at the end overrules what the events looked like."""
        self.finished = True
        for node in self.nodes.values():
            if (data.get("dark") or {}).get(node.name):
                node.state = UNREACHABLE
            elif (data.get("failures") or {}).get(node.name):
                node.state = FAILED
            else:
                node.state, node.message = DONE, ""
        return ""


_HANDLERS = {
    "playbook_on_task_start": Tracker._task_started,  # noqa: SLF001  # the table belongs to the class
    "playbook_on_handler_task_start": Tracker._task_started,  # noqa: SLF001
    "runner_on_start": Tracker._began,  # noqa: SLF001
    "runner_on_ok": Tracker._ok,  # noqa: SLF001
    "runner_on_skipped": Tracker._skipped,  # noqa: SLF001
    "runner_on_failed": Tracker._failed,  # noqa: SLF001
    "runner_on_unreachable": Tracker._unreachable,  # noqa: SLF001
    "playbook_on_stats": Tracker._ended,  # noqa: SLF001
}


def _keep(node: NodeRun, facts: Mapping[str, Any]) -> None:
    for fact, place in _TOLD.items():
        if isinstance(facts.get(fact), list):
            setattr(node, place, [item for item in facts[fact] if isinstance(item, dict)])
    if isinstance(facts.get(_SUMMARY), dict):
        node.summary = facts[_SUMMARY]


def _result(data: Mapping[str, Any]) -> Mapping[str, Any]:
    result = data.get("res")
    return result if isinstance(result, Mapping) else {}


def explain(result: Mapping[str, Any]) -> str:
    """Find the words that help in a failed task's result."""
    if "censored" in result:
        return "its output is kept back because it may hold secrets"
    failed_items = [item for item in result.get("results") or () if isinstance(item, Mapping) and item.get("failed")]
    if failed_items:
        return explain(failed_items[0])
    message = str(result.get("msg") or "").strip()
    last_words = str(result.get("stderr") or result.get("module_stderr") or "").strip().splitlines()[-1:]
    if message in {"", "non-zero return code"} and last_words:
        return last_words[0]
    if last_words and "module_stderr" in result:
        return f"{message}: {last_words[0]}"
    return message or "no reason was given"
