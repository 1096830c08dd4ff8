from __future__ import annotations

import json
from pathlib import Path

import pytest

from npu_agent import __version__
from npu_agent.cli import main
from unit.agent.cli.agent import Served


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    code = main(argv)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "version") == (0, f"{__version__}\n", "")
    assert json.loads(run(capsys, "version", "--json")[1])["api_version"] == "v1"


def test_wrong_usage_is_2() -> None:
    with pytest.raises(SystemExit) as caught:
        main(["no-such-command"])
    assert caught.value.code == 2


def test_an_agent_that_is_not_there_is_4_with_a_remedy(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    socket = str(tmp_path / "none.sock")
    code, out, err = run(capsys, "status", "--socket", socket)
    assert (code, out) == (4, "")
    assert "systemctl status npu-agent" in err
    code, out, err = run(capsys, "status", "--socket", socket, "--json")
    assert (code, json.loads(out)["code"], err) == (4, "agent-unreachable", "")


def test_status_is_one_screen(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "status", "--socket", served.path)
    assert code == 0
    assert out.startswith("n1  NOT READY  agent 0.1.0  910B3  driver 24.1.0\n  npu/3: unhealthy: Alarm\n")
    assert "workload job" in out
    assert len(json.loads(run(capsys, "status", "--socket", served.path, "--json")[1])["npus"]) == 2


def test_health_is_1_when_the_node_is_not_ready(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "health", "--socket", served.path)
    assert code == 1
    assert out.splitlines()[1].split(maxsplit=4) == [
        "npu/3",
        "unhealthy",
        "-",
        "reset-npu",
        "Alarm; resetting NPU 3 resets all 8",
    ]


def test_what_is_unknown_is_a_dash(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "npus", "--socket", served.path)
    line = out.splitlines()[2]
    assert line.split() == ["3", "910B3", "unhealthy", "Alarm", "-", "-", "-", "-", "-", "Alarm"]


def test_a_strangers_words_do_not_steer_the_terminal(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    job = {"name": "job", "spec": {}, "state": "failed", "reason": "\x1b]0;owned\x07 \x9b2J 中文"}
    served.documents["/v1/workloads"] = (200, {"workloads": [job]})
    _, out, _ = run(capsys, "workloads", "--socket", served.path)
    assert "中文" in out
    assert all(letter.isprintable() for letter in out.replace("\n", ""))


def test_workloads(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    assert "job" in run(capsys, "workloads", "--socket", served.path)[1]
    served.documents["/v1/workloads"] = (200, {"workloads": []})
    assert run(capsys, "workloads", "--socket", served.path)[1] == "There are no workloads on this node.\n"


def test_logs_and_their_refusal(served: Served, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["logs", "job", "--socket", served.path]) == 0
    assert capsysbinary.readouterr().out == b"one\ntwo\xff\n"
    assert main(["logs", "none", "--socket", served.path]) == 1
    assert b"There is no workload none" in capsysbinary.readouterr().err


def test_probe_reads_a_recorded_output(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    recorded = tmp_path / "out.txt"
    recorded.write_text("nothing that npu-smi prints\n")
    code, out, _ = run(capsys, "probe", "--json", "--from-file", str(recorded))
    document = json.loads(out)
    assert (code, document["complete"], document["chips"]) == (1, False, [])
    assert document["errors"]
    code, _, err = run(capsys, "probe", "--from-file", str(tmp_path / "none"))
    assert (code, err) == (1, f"{tmp_path / 'none'} cannot be read: No such file or directory.\n")


def test_probe_says_which_other_output_a_file_holds(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    recorded = tmp_path / "health.txt"
    recorded.write_text("\tHealth Status : Alarm\n\tError Code : 80E01801\n\tError Information : none\n")
    code, out, _ = run(capsys, "probe", "--json", "--from-file", str(recorded))
    document = json.loads(out)
    assert (code, document["complete"], document["errors"]) == (0, False, [])
    assert document["other"]["values"]["codes"] == ["80E01801"]
    _, out, _ = run(capsys, "probe", "--from-file", str(recorded))
    assert out.startswith("This is npu-smi info -t health, not npu-smi info.")


@pytest.mark.parametrize("data", [b"", bytes(range(256)), b"\xff\xfe" + bytes(99), b"| " * 300_000, b"\x1b[" * 1000])
def test_probe_of_any_file_is_an_answer(capsys: pytest.CaptureFixture[str], tmp_path: Path, data: bytes) -> None:
    recorded = tmp_path / "out.bin"
    recorded.write_bytes(data)
    code, out, _ = run(capsys, "probe", "--json", "--from-file", str(recorded))
    assert (code, json.loads(out)["chips"]) == (1, [])


def test_probe_of_no_file_of_a_folder_and_of_too_much(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "Is a directory" in run(capsys, "probe", "--from-file", str(tmp_path))[2]
    assert "more than 4 MiB" in run(capsys, "probe", "--from-file", "/dev/zero")[2]


@pytest.mark.parametrize("command", ["", "  ", "echo 'x"])
def test_probe_of_a_command_that_is_none(capsys: pytest.CaptureFixture[str], command: str) -> None:
    code, _, err = run(capsys, "probe", "--command", command)
    assert code == 1
    assert err.startswith("The command cannot be read: ")


def test_a_broken_configuration_is_one_sentence(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, err = run(capsys, "run", "--config", str(tmp_path / "none.yaml"))
    assert (code, out, err.count("\n")) == (1, "", 1)


EVENT = {
    "seq": 7,
    "at": "2026-01-01T00:00:00Z",
    "kind": "health",
    "subject": "npu/3",
    "message": "npu/3 is unhealthy: x",
}


def test_events_are_lines_and_a_gap_is_told(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    served.documents["/v1/events"] = (200, {"events": [EVENT], "gap": True, "next": 7})
    code, out, _ = run(capsys, "events", "--after", "3", "--socket", served.path)
    assert code == 0
    assert out.splitlines() == [
        "(what came between is no longer kept)",
        "7  2026-01-01T00:00:00Z  health    npu/3 is unhealthy: x",
    ]
    assert json.loads(run(capsys, "events", "--json", "--socket", served.path)[1])["next"] == 7


def test_followed_events_are_printed_as_they_come(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    stream = (
        f"retry: 2000\n\n: still here\n\nid: 7\nevent: health\ndata: {json.dumps(EVENT)}\n\nevent: gap\ndata: {{}}\n\n"
    )
    served.documents["/v1/events"] = (200, stream.encode())
    code, out, _ = run(capsys, "events", "-f", "--socket", served.path)
    assert (code, len(out.splitlines())) == (0, 2)
    assert "npu/3 is unhealthy" in out


def test_withdraw_without_a_platform_file_does_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    config = tmp_path / "agent.yaml"
    config.write_text('{"node_name": "n"}')
    assert run(capsys, "withdraw", "--config", str(config))[:2] == (0, "There is nothing to withdraw.\n")
    config.write_text(json.dumps({"node_name": "n", "platform_file": str(tmp_path / "status.yaml")}))
    (tmp_path / "status.yaml").write_text("resources: [{status: [{npu: 0, name: x}]}]")
    assert run(capsys, "withdraw", "--config", str(config))[:2] == (0, "withdrawn\n")
