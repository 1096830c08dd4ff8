"""The CLI as a user calls it, against agents on loopback: what it prints, asks for, and exits with."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from contract.sites import SECRET, Agent, Site
from npu_agent import api
from npu_agent.api_events import Event, EventPage
from npufleet import cli
from npufleet.pki import derive_token
from unit.fleet.samples import make_facts, make_npus, make_workload, sick_facts

Call = Callable[..., tuple[int, str, str]]
KEYS = {"schema", "command", "ok", "exit_code", "data", "messages", "errors"}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    for name in ("NPUFLEET_TOKEN", "NPUFLEET_HOME", "NPUFLEET_INVENTORY"):
        monkeypatch.delenv(name, raising=False)
    site = Site(tmp_path / "site")
    monkeypatch.setenv("NPUFLEET_INVENTORY", str(site.folder))
    return site


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main(list(arguments))
        shown = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, shown.out, shown.err

    return call


def answers(facts: Any, **more: Any) -> dict[str, Any]:
    return {
        "GET /v1/node": (200, facts.node.to_dict()),
        "GET /v1/health": (200, facts.health.to_dict()),
        "GET /v1/npus": (200, facts.npus.to_dict()),
        "GET /v1/workloads": (200, {"workloads": [w.to_dict() for w in facts.workloads]}),
        **more,
    }


RUNNING = make_workload("train-1", (0, 1))


@pytest.fixture
def lab(site: Site) -> Iterator[dict[str, Agent]]:
    """lab-1 is fine and takes work, lab-2 has a sick NPU and a workload, lab-3 does not answer."""
    hello = make_workload("hello", (4,))
    taking: dict[str, Any] = {
        "PUT /v1/workloads/hello": (201, hello.to_dict()),
        "PUT /v1/workloads/taken": (
            409,
            api.Problem("Held", 409, "NPU 3 is held by workload train-1.", "npu-held", remedy="Stop it.").to_dict(),
        ),
    }
    running: dict[str, Any] = {
        "GET /v1/workloads/train-1/logs": (200, b"step 1\nstep 2\n"),
        "DELETE /v1/workloads/train-1": (200, make_workload("train-1", (0, 1), state="removed").to_dict()),
    }
    with (
        site.node("lab-1", answers(make_facts(npus=make_npus()), **taking)) as first,
        site.node("lab-2", answers(sick_facts(), **running)) as second,
    ):
        site.add("lab-3", 1)
        yield {"lab-1": first, "lab-2": second}


def envelope(text: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(text)
    assert set(document) == KEYS
    assert document["schema"] == "npufleet/v1"
    assert document["ok"] == (document["exit_code"] == 0)
    return document


def test_status(lab: dict[str, Agent], call: Call) -> None:
    code, out, _ = call("status")
    assert code == 3
    rows = [line.split()[:3] for line in out.splitlines() if re.match(r"  \S lab-", line)]
    assert rows == [["✖", "lab-3", "unreachable"], ["✖", "lab-2", "not"], ["●", "lab-1", "ready"]]
    assert "npu/3: unhealthy: npu-smi reports Alarm, code 80E01801" in out


def test_status_as_json(lab: dict[str, Agent], call: Call) -> None:
    code, out, err = call("status", "--json")
    document = envelope(out)
    assert (code, document["exit_code"], err) == (3, 3, "")
    assert {node["node"]: node["state"] for node in document["data"]["nodes"]} == {
        "lab-1": "ready", "lab-2": "not-ready", "lab-3": "unreachable",
    }  # fmt: skip
    assert [(error["code"], error["node"]) for error in document["errors"]] == [
        ("unreachable", "lab-3"), ("node-not-ready", "lab-2"),
    ]  # fmt: skip


def test_tokens_are_the_nodes_own(lab: dict[str, Agent], call: Call) -> None:
    call("ps")
    assert lab["lab-1"].asked[0][1] == f"Bearer {derive_token(SECRET, 'view', 'lab-1')}"
    assert lab["lab-2"].asked[0][1] == f"Bearer {derive_token(SECRET, 'view', 'lab-2')}"


def test_nothing_but_silence_is_four(site: Site, call: Call) -> None:
    site.add("lab-1", 1)
    assert call("status")[0] == 4
    assert call("ps")[0] == 4
    assert call("health", "lab-1")[0] == 4


def test_health(lab: dict[str, Agent], call: Call) -> None:
    assert call("health", "lab-1")[0] == 0
    code, out, _ = call("health", "lab-2")
    assert code == 1
    assert "reset the NPU once nothing runs on it" in out
    assert len(envelope(call("health", "lab-2", "--json")[1])["data"]["components"]) == 3


def test_ps_shows_what_it_saw_and_says_what_it_did_not(lab: dict[str, Agent], call: Call) -> None:
    code, out, err = call("ps")
    assert code == 3
    assert "train-1" in out
    assert "lab-3 is unreachable" in err


def test_run_picks_the_ready_node(lab: dict[str, Agent], call: Call) -> None:
    code, out, err = call("run", "busybox:1", "--name", "hello", "--npus", "1", "--", "sh", "-c", "echo --json")
    assert code == 0, err
    assert "hello started on lab-1, NPU 4" in out
    assert "lab-3" in err
    request, token, body = lab["lab-1"].asked[-1]
    assert (request, token) == ("PUT /v1/workloads/hello", f"Bearer {derive_token(SECRET, 'operate', 'lab-1')}")
    assert json.loads(body)["command"] == ["sh", "-c", "echo --json"]


def test_run_from_a_file(lab: dict[str, Agent], call: Call, tmp_path: Path) -> None:
    job = tmp_path / "job.yaml"
    job.write_text("name: hello\nimage: busybox:1\nnpus: [4]\nnode: lab-1\n", encoding="utf-8")
    code, out, _ = call("run", "-f", str(job), "--json", "--", "sleep", "9")
    assert code == 0
    assert envelope(out)["data"]["created"] is True
    assert json.loads(lab["lab-1"].asked[-1][2])["command"] == ["sleep", "9"]


def test_refusal_tells_the_holder_and_the_remedy(lab: dict[str, Agent], call: Call) -> None:
    code, out, err = call("run", "busybox:1", "--name", "taken", "--npus", "3,", "--node", "lab-1")
    assert (code, out) == (1, "")
    assert err == "✖ lab-1: NPU 3 is held by workload train-1.\n  → Stop it.\n"
    error = envelope(call("run", "busybox:1", "--name", "taken", "--npus", "3,", "--node", "lab-1", "--json")[1])[
        "errors"
    ][0]
    assert (error["code"], error["node"]) == ("npu-held", "lab-1")


def test_logs_by_name_and_with_its_node(lab: dict[str, Agent], call: Call) -> None:
    assert call("logs", "train-1")[:2] == (0, "step 1\nstep 2\n")
    assert call("logs", "lab-2/train-1", "--tail", "7", "-f")[:2] == (0, "step 1\nstep 2\n")
    assert lab["lab-2"].asked[-1][0] == "GET /v1/workloads/train-1/logs?tail=7&follow=1"
    assert envelope(call("logs", "train-1", "--json")[1])["data"]["text"] == "step 1\nstep 2\n"


def test_logs_of_nobody(lab: dict[str, Agent], call: Call) -> None:
    code, _, err = call("logs", "train-2")
    assert code == 1
    assert "Did you mean train-1" in " ".join(err.split())


def test_stop(lab: dict[str, Agent], call: Call) -> None:
    code, out, _ = call("stop", "train-1", "--grace", "3")
    assert code == 0
    assert out == "○ train-1 on lab-2 is removed, NPU 0-1 free again\n"
    assert lab["lab-2"].asked[-1][0] == "DELETE /v1/workloads/train-1?grace_s=3"


@pytest.mark.parametrize(
    ("arguments", "command", "code", "error"),
    [
        (["--json", "staus"], "", 2, "usage"),
        (["status", "--json", "--nonsense"], "status", 2, "usage"),
        (["logs", "--json"], "logs", 2, "usage"),
        (["ps", "--json", "-i", "/no/where"], "ps", 2, "inventory-missing"),
        (["run", "img", "--npus", "x", "--json"], "run", 2, "usage"),
        (["health", "lab-9", "--json"], "health", 2, "node-unknown"),
        (["stop", "nobody", "--json"], "stop", 1, "workload-not-seen"),
    ],
)
def test_every_failure_is_the_same_envelope(
    lab: dict[str, Agent], call: Call, arguments: list[str], command: str, code: int, error: str
) -> None:
    given, out, err = call(*arguments)
    document = envelope(out)
    assert (given, document["exit_code"], document["command"], err) == (code, code, command, "")
    assert document["errors"][0]["code"] == error
    assert set(document["errors"][0]) == {"code", "message", "remedy", "node"}


def test_fleet_that_was_never_prepared(site: Site, call: Call) -> None:
    site.add("lab-1", 1)
    (site.folder / "pki" / "ca.crt").unlink()
    code, _, err = call("status")
    assert code == 1
    assert "npufleet prepare" in err


def test_status_for_scripts(lab: dict[str, Agent], call: Call) -> None:
    code, out, _ = call("status", "-o", "csv")
    assert code == 3
    assert out.splitlines()[0] == "node,state,npus,free,chip,driver,agent,reasons"
    assert out.splitlines()[1].startswith("lab-3,unreachable,,,,,,")
    assert call("status", "-o", "names")[1].split() == ["lab-3", "lab-2", "lab-1"]


def test_status_of_some_nodes(lab: dict[str, Agent], call: Call) -> None:
    assert call("status", "--limit", "lab-1", "-o", "names")[:2] == (0, "lab-1\n")
    code, _, err = call("status", "--limit", "nobody")
    assert code == 2
    assert "No node of" in err


def test_top_without_a_terminal_is_status(lab: dict[str, Agent], call: Call) -> None:
    code, out, _ = call("top")
    assert code == 3
    assert "lab-2" in out
    assert len(envelope(call("top", "--json")[1])["data"]["nodes"]) == 3


def test_events_of_nodes_that_answer_and_of_one_that_does_not(site: Site, call: Call) -> None:
    events = [Event(n, f"2026-01-02T03:0{n}:00Z", "ready", "node", f"event {n}") for n in (1, 2)]
    page = EventPage(events, 1, 2, 2)
    with site.node("lab-1", {"GET /v1/events": (200, page.to_dict())}):
        site.add("lab-2", 1)
        code, out, err = call("events")
        assert (code, [line.split()[-1] for line in out.splitlines()]) == (3, ["1", "2"])
        assert "lab-2 is unreachable" in err
        documents = [json.loads(line) for line in call("events", "--json", "-n", "1")[1].splitlines()]
        assert [d["data"].get("event", {}).get("seq") for d in documents] == [2, None]
        assert documents[-1]["errors"][0]["node"] == "lab-2"
    assert call("events", "--since", "yesterday")[0] == 2
    assert call("events", "--kind", "nonsense")[0] == 2


def test_inventory(lab: dict[str, Agent], call: Call, tmp_path: Path) -> None:
    code, out, _ = call("inventory", "check", "--json")
    found = {finding["code"] for finding in envelope(out)["data"]["findings"]}
    assert (code, "address-twice" in found) == (1, True)  # three nodes behind one sshd
    assert "lab-1" in call("inventory", "list")[1]
    assert envelope(call("inventory", "show", "lab-1", "--json")[1])["data"]["variables"]["ansible_host"] == "127.0.0.1"
    assert len(json.loads(call("inventory", "file-sd")[1])) == 3
    assert call("inventory", "scrape-config", "-o", str(tmp_path / "prom"))[0] == 0
    assert (tmp_path / "prom/scrape.yml").exists()
    assert call("inventory", "file-sd", "-o", "/no/where/t.json")[0] == 2


def test_inventory_with_a_mistake(site: Site, call: Call) -> None:
    site.add("lab-1", 1)
    site.hosts["lab-1"]["agent_prot"] = 1
    site.add("lab-2", 1)
    code, out, _ = call("inventory", "check")
    assert code == 1
    assert "agent_prot" in out
    assert "Did you mean" in out
