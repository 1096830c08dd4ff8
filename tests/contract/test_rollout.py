"""The rollout verb as a user calls it: real TLS, real ansible-runner, and a session that is killed under way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from contract.sites import Site, send
from npu_agent import api

PLAYBOOK = """
- name: Update
  hosts: npu_nodes
  gather_facts: false
  tasks:
    - name: Write the revision
      ansible.builtin.copy:
        dest: "{{ marks }}/{{ inventory_hostname }}"
        content: "{{ revision | default('inventory') }}"
        mode: "0644"
    - name: Wait where told
      ansible.builtin.wait_for:
        path: "{{ marks }}/hold"
        state: absent
        timeout: 30
"""
REVISION = {
    "name": "r2",
    "variables": {"revision": "r2"},
    "rollout": {
        "auto_promote": True, "min_healthy_time": "1s", "healthy_deadline": "3s", "progress_deadline": "60s",
        "poll": "0.2",
    },
}  # fmt: skip


class Stateful:
    """An agent that remembers its cordon and drain; it is sick as long as its mark says what it does not stand."""

    def __init__(self, name: str, marks: Path, sick_on: str = "") -> None:
        self.name, self.mark, self.sick_on = name, marks / name, sick_on
        self.cordons: list[api.Cordon] = []
        self.drain = api.Drain()
        self.asked: list[tuple[str, str, str]] = []

    @property
    def owner(self) -> str:
        return str(next(json.loads(body)["owner"] for call, _, body in reversed(self.asked) if call.startswith("PUT")))

    def answers(self) -> dict[str, Any]:
        return {
            f"{method} {path}": self.answer
            for method in ("GET", "PUT", "DELETE")
            for path in ("/v1/overview", "/v1/cordon", "/v1/drain")
        }

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path = request.path.partition("?")[0]
        if request.command == "DELETE":
            self.cordons, self.drain = [], api.Drain()
        send(request, 200, json.dumps(self.document(path, request.command)).encode())

    def document(self, path: str, method: str) -> Any:
        if path == "/v1/drain" and method == "PUT":
            self.drain = api.Drain("drained", self.owner, "AllowCompletion")
            self.cordons = [api.Cordon(self.owner)]
        sick = bool(self.sick_on) and self.mark.exists() and self.mark.read_text(encoding="utf-8") == self.sick_on
        state = api.UNHEALTHY if sick else api.HEALTHY
        reasons = ["npu/3: unhealthy: npu-smi reports Alarm"] if sick else []
        health = api.HealthReport(self.name, not reasons and not self.cordons, state, reasons)
        node = api.Node(self.name, "0.1.0", boot_id="b")
        known: dict[str, api.Wire] = {
            "/v1/overview": api.Overview(node, health, api.NpuReport(f"{time.time()}", 1.0)),
            "/v1/cordon": api.Cordons(bool(self.cordons), self.cordons),
            "/v1/drain": self.drain,
        }
        return known[path].to_dict()


class Stage:
    def __init__(self, folder: Path) -> None:
        self.site, self.home, self.marks = Site(folder / "site"), folder / "home", folder / "marks"
        self.home.mkdir()
        self.marks.mkdir()
        (self.home / "ansible.cfg").write_text(f"[defaults]\nremote_tmp = {folder}/remote\n", encoding="utf-8")
        (self.home / "site.yml").write_text(PLAYBOOK, encoding="utf-8")
        (self.home / "r2.yml").write_text(json.dumps(REVISION), encoding="utf-8")
        self.agents: dict[str, Stateful] = {}

    def write_inventory(self) -> None:
        local = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "marks": str(self.marks),
        }
        hosts = {name: {**entry, **local} for name, entry in self.site.hosts.items()}
        (self.site.folder / "hosts.yml").write_text(json.dumps({"npu_nodes": {"hosts": hosts}}), encoding="utf-8")

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "npufleet", "-i", str(self.site.folder), "rollout", *arguments, "--json"],
            cwd=self.home, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, "NPUFLEET_HOME": str(self.home), "ANSIBLE_LOCAL_TEMP": str(self.home / "tmp")},
        )  # fmt: skip

    def call(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        run = self.start(*arguments)
        out, err = run.communicate(timeout=90)
        assert out.strip(), err
        return run.returncode, json.loads(out)

    def revisions(self) -> dict[str, str]:
        return {path.name: path.read_text(encoding="utf-8") for path in sorted(self.marks.iterdir())}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    stage.agents = {name: Stateful(name, stage.marks) for name in ("a", "b")}
    with (
        stage.site.node("a", stage.agents["a"].answers()) as one,
        stage.site.node("b", stage.agents["b"].answers()) as two,
    ):
        stage.write_inventory()
        stage.agents["a"].asked, stage.agents["b"].asked = one.asked, two.asked
        yield stage


def states(document: dict[str, Any]) -> dict[str, str]:
    return {node["node"]: node["state"] for node in document["data"]["nodes"]}


def test_plan_shows_batches_and_writes_nothing(stage: Stage) -> None:
    code, document = stage.call("plan", "-f", "r2.yml", "--set", "canary=0", "--set", "serial=2")
    assert (code, document["data"]["batches"]) == (0, [["a", "b"]])
    assert stage.revisions() == {}
    assert stage.call("history")[1]["data"]["rollouts"] == []


def test_bad_settings_are_usage_mistakes(stage: Stage) -> None:
    code, document = stage.call("run", "-f", "r2.yml", "--set", "max_paralel=2")
    assert (code, document["errors"][0]["code"]) == (2, "rollout-settings")
    assert "Did you mean max_parallel?" in document["errors"][0]["message"]


def test_sick_node_stops_it_and_the_fleet_is_as_before(stage: Stage) -> None:
    stage.agents["b"].sick_on = "r2"
    code, document = stage.call("run", "-f", "r2.yml", "--set", "auto_revert=true")
    assert (code, document["data"]["rollout"]["state"]) == (1, "failed"), document
    assert "b: not healthy within 3 s: npu/3: unhealthy" in document["data"]["rollout"]["reason"]
    assert states(document) == {"a": "reverted", "b": "reverted"}
    assert stage.revisions() == {"a": "inventory", "b": "inventory"}
    assert [agent.cordons for agent in stage.agents.values()] == [[], []]


def test_killed_session_is_told_and_resumed_and_a_second_operator_is_kept_out(stage: Stage) -> None:
    (stage.marks / "hold").touch()
    run = stage.start("run", "-f", "r2.yml")
    deadline = time.monotonic() + 60
    while not (stage.marks / "a").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    code, document = stage.call("resume")
    assert (code, document["errors"][0]["code"]) == (1, "rollout-locked")
    assert f"(process {run.pid})" in document["errors"][0]["message"]
    run.send_signal(signal.SIGKILL)
    run.communicate(timeout=30)
    code, document = stage.call("status")
    assert (code, document["data"]["moved_by"], states(document)["a"]) == (3, None, "updating")
    (stage.marks / "hold").unlink()
    code, document = stage.call("resume")
    assert (code, states(document)) == (0, {"a": "healthy", "b": "healthy"}), document
    assert stage.revisions() == {"a": "r2", "b": "r2"}
    code, document = stage.call("rollback")
    assert (code, stage.revisions()) == (0, {"a": "inventory", "b": "inventory"}), document
    sessions = stage.call("history", "1")[1]["data"]["sessions"]
    assert [(one["kind"], one["outcome"]) for one in sessions] == [
        ("run", ""), ("resume", "successful"), ("rollback", "cancelled"),
    ]  # fmt: skip
