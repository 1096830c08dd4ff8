from __future__ import annotations

import json
from pathlib import Path

import pytest

from npu_agent.cli import main


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    code = main(["faults", *argv])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.mark.parametrize("written", ["80E01801", "0x80e01801", "2162169857"])
def test_a_code_in_any_form(capsys: pytest.CaptureFixture[str], written: str) -> None:
    code, out, _ = run(capsys, written)
    assert code == 0
    assert out.startswith("80E01801\n  level: RestartBusiness (the running job was hit)\n")
    assert "\n  training: Stop the job" in out
    assert "\n  inference: Restart the service" in out


def test_in_chinese(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "80E01801", "--lang", "zh")
    assert "级别: RestartBusiness" in out
    assert "训练场景: 停止任务" in out


def test_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(run(capsys, "80E01801", "--json")[1])
    assert (found["code"], found["action"], found["module"]) == ("80E01801", "restart-workload", "HBM")


def test_a_code_that_nobody_knows(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "FFFFFFF0", "--lang", "en")
    assert code == 0
    assert "not in the table" in out
    assert "Health word decides" in out


def test_what_is_no_code_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "hello")
    assert (code, out) == (2, "")
    assert "80E01801" in err


def test_the_sites_rules_are_in_force(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "health.yaml").write_text("codes: {80E3A203: NotHandleFault}\n")
    (tmp_path / "health.yaml").chmod(0o644)
    config = tmp_path / "agent.yaml"
    config.write_text(json.dumps({"node_name": "n", "rules_file": str(tmp_path / "health.yaml")}))
    _, out, _ = run(capsys, "80E3A203", "--config", str(config))
    assert "level: NotHandleFault" in out
    assert "this site gives the code" in out
