from __future__ import annotations

import json
from pathlib import Path

from npu_agent.cli import checks
from npu_agent.cli.parser import parse


def verdicts(path: Path) -> dict[str, checks.Check]:
    return {check.name: check for check in checks.run(path)}


def test_a_bare_node_is_told_what_it_lacks(tmp_path: Path) -> None:
    config = tmp_path / "agent.yaml"
    places = {key: str(tmp_path / key) for key in ("state_dir", "run_dir", "facts_dir", "tokens_file", "docker_socket")}
    tls = {"certificate": str(tmp_path / "c"), "key": str(tmp_path / "k")}
    places["rules_file"] = str(tmp_path / "health.yaml")
    config.write_text(json.dumps({"node_name": "n", "policy_file": str(tmp_path / "p"), "tls": tls, **places}))
    found = verdicts(config)
    assert [name for name, check in found.items() if check.fine] == ["configuration", "policy", "health rules", "state"]
    assert "Start Docker" in found["docker socket"].detail
    (tmp_path / "tokens_file").write_text('{"tokens": []}')
    (tmp_path / "tokens_file").chmod(0o644)
    assert "0600" in verdicts(config)["tokens"].detail
    (tmp_path / "tokens_file").chmod(0o600)
    assert verdicts(config)["tokens"].fine
    (tmp_path / "health.yaml").write_text("surprise: 1")
    assert "surprise" in verdicts(config)["health rules"].detail
    (tmp_path / "facts_dir").mkdir()
    (tmp_path / "facts_dir" / "nic.json").write_text("[]")
    assert "Run the role nic_env again" in verdicts(config)["facts nic"].detail


def test_without_a_configuration_there_is_one_check(tmp_path: Path) -> None:
    assert list(verdicts(tmp_path / "none")) == ["configuration"]


def test_every_command_has_json() -> None:
    names = ["run", "status", "health", "npus", "workloads", "probe", "version", "doctor", "events", "withdraw"]
    assert all(parse([name, "--json"]).json for name in names)
    assert parse(["logs", "x", "--json"]).json
