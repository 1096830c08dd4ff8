"""What this program relies on in Ansible itself: how it lists an inventory, and how it tells of a run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from contract.sites import SECRET, Site
from npufleet import inventory
from npufleet.errors import InventoryError, ProjectError
from npufleet.project import KEEP_TO_INVENTORY
from npufleet.run import capture

INVENTORY = """
npu_nodes:
  vars: {agent_port: 8443}
  children:
    row_a:
      hosts:
        n[1:3]: {}
    row_b:
      hosts:
        n4: {ansible_host: 192.0.2.4}
"""

PLAYBOOK = """
- name: Prepare
  hosts: npu_nodes
  gather_facts: false
  tasks:
    - name: Change something
      ansible.builtin.command: "true"
    - name: Fail where told
      ansible.builtin.fail:
        msg: told to fail
      when: inventory_hostname in fails | default([])
"""


def test_ranges_groups_and_group_variables(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text(INVENTORY, encoding="utf-8")
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars" / "row_b.yml").write_text("agent_port: 9443\n", encoding="utf-8")
    nodes = inventory.load(tmp_path / "hosts.yml", {}).nodes
    assert [(node.name, node.port) for node in nodes] == [("n1", 8443), ("n2", 8443), ("n3", 8443), ("n4", 9443)]
    assert nodes[3].groups == ("npu_nodes", "row_b")
    assert nodes[3].address == "192.0.2.4"


def test_keys_beside_an_inventory_are_not_taken_for_hosts(tmp_path: Path) -> None:
    site = Site(tmp_path / "site")
    site.add("lab-1", 7443)
    listing = capture(
        ["ansible-inventory", "-i", str(site.folder), "--list"], environment=KEEP_TO_INVENTORY, timeout_s=60
    )
    assert SECRET not in listing.stdout
    assert inventory.load(site.folder, KEEP_TO_INVENTORY).names == ("lab-1",)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("hosts.yml", "npu_nodes:\n  hosts: {a: {\n b", r"hosts\.yml:4"),
        ("group_vars/npu_nodes.yml", "a: [1\nb: 2", "flow sequence"),
    ],
)
def test_broken_files_are_named_in_one_sentence(tmp_path: Path, name: str, content: str, said: str) -> None:
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "hosts.yml").write_text(INVENTORY, encoding="utf-8")
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(InventoryError, match=said) as caught:
        inventory.load(tmp_path, {})
    assert "\n" not in caught.value.failure.message


def test_tool_that_is_missing_or_hangs() -> None:
    with pytest.raises(ProjectError, match="no-such-tool was not found"):
        capture(["no-such-tool"], environment={}, timeout_s=5)
    with pytest.raises(ProjectError, match=r"no answer within 0\.2 s"):
        capture(["sleep", "5"], environment={}, timeout_s=0.2)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The least that npufleet takes for a checkout, with nodes that are this machine itself."""
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    hosts = {"npu_nodes": {"hosts": {"a": local, "b": local}}}
    # A user without a home folder can run these too.
    (tmp_path / "ansible.cfg").write_text(f"[defaults]\nremote_tmp = {tmp_path}/remote\n", encoding="utf-8")
    (tmp_path / "hosts.yml").write_text(json.dumps(hosts), encoding="utf-8")
    (tmp_path / "site.yml").write_text(PLAYBOOK, encoding="utf-8")
    return tmp_path


def prepare(checkout: Path, *arguments: str) -> tuple[int, dict[str, Any], str]:
    done = subprocess.run(
        [sys.executable, "-m", "npufleet", "-i", "hosts.yml", "prepare", "--json", *arguments],
        cwd=checkout, capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "NPUFLEET_HOME": str(checkout), "ANSIBLE_LOCAL_TEMP": str(checkout / "tmp")},
    )  # fmt: skip
    return done.returncode, json.loads(done.stdout), done.stderr


def test_run_through_ansible_runner(checkout: Path) -> None:
    code, document, log = prepare(checkout)
    assert code == 0, document
    assert {node["node"]: (node["state"], node["changed"]) for node in document["data"]["nodes"]} == {
        "a": ("done", 1), "b": ("done", 1),
    }  # fmt: skip
    assert "a: changed: Change something" in log
    record = Path(document["data"]["record"])
    assert record.parent == checkout / "build" / "runs"
    assert "PLAY RECAP" in (record / "artifacts" / "run" / "stdout").read_text(encoding="utf-8")
    assert record.stat().st_mode & 0o077 == 0


def test_failing_node_is_told_with_its_task(checkout: Path) -> None:
    (checkout / "group_vars").mkdir()
    (checkout / "group_vars" / "npu_nodes.yml").write_text("fails: [b]\n", encoding="utf-8")
    code, document, _ = prepare(checkout)
    assert code == 3
    assert [(error["node"], error["message"]) for error in document["errors"]] == [
        ("b", "b: Prepare: Fail where told: told to fail")
    ]


def test_dry_run_changes_nothing(checkout: Path) -> None:
    code, document, _ = prepare(checkout, "--check", "--limit", "a")
    assert code == 0
    assert [(node["node"], node["changed"]) for node in document["data"]["nodes"]] == [("a", 0)]


WAITING = """
- name: Prepare
  hosts: npu_nodes
  gather_facts: false
  tasks:
    - name: Come this far
      ansible.builtin.command: "true"
    - name: Wait for the end
      ansible.builtin.command: sleep 60
"""


@pytest.mark.parametrize(("number", "state"), [(signal.SIGTERM, "interrupted"), (signal.SIGKILL, "running")])
def test_a_run_that_is_ended_leaves_a_record_of_how_far_it_came(checkout: Path, number: int, state: str) -> None:
    """SIGKILL leaves no time to write that it struck: `running` with a process that is gone says it."""
    (checkout / "site.yml").write_text(WAITING, encoding="utf-8")
    run = subprocess.Popen(
        [sys.executable, "-m", "npufleet", "-i", "hosts.yml", "prepare"],
        cwd=checkout, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, "NPUFLEET_HOME": str(checkout), "ANSIBLE_LOCAL_TEMP": str(checkout / "tmp")},
    )  # fmt: skip
    came = {"a": ("Wait for the end", 1), "b": ("Wait for the end", 1)}
    deadline = time.monotonic() + 60
    while tasks_of(checkout) != came and time.monotonic() < deadline:
        time.sleep(0.2)
    run.send_signal(number)
    run.wait(timeout=60)
    assert tasks_of(checkout) == came
    assert record_of(checkout)["state"] == state
    assert record_of(checkout)["pid"] == run.pid


def record_of(checkout: Path) -> dict[str, Any]:
    for path in (checkout / "build" / "runs").glob("*/run.json"):
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found
    return {}


def tasks_of(checkout: Path) -> dict[str, tuple[str, int]]:
    return {name: (node["task"], node["done"]) for name, node in record_of(checkout).get("nodes", {}).items()}
