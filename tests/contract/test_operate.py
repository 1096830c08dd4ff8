"""Verbs that change nodes, as a script calls them: what they ask for, what they say first, and their exit codes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from contract.sites import Agent, Site
from contract.test_verbs import Call, answers, call, envelope, site
from npu_agent import api
from npufleet.job import ranks
from unit.fleet.samples import make_facts, make_npus, make_workload

__all__ = ["call", "site"]
CORDONED = api.Cordons(cordoned=True, cordons=[api.Cordon("me@here", "look", since="2026-01-02T03:00:00Z")])
DRAINED = api.Drain("drained", "me@here", api.DRAIN_ALLOW_COMPLETION)
PLAN: dict[str, Any] = {
    "container": "npufleet-hello", "npus": [0], "notes": [],
    "body": {
        "Image": "busybox:1", "Env": ["A=1"], "Labels": {}, "StopTimeout": 30,
        "HostConfig": {
            "NetworkMode": "bridge", "Devices": [], "Mounts": [], "ShmSize": 1, "RestartPolicy": {"Name": "no"},
            "LogConfig": {"Type": "json-file", "Config": {}},
        },
    },
}  # fmt: skip


def rank(number: int) -> api.Workload:
    labels = {ranks.JOB: "job", ranks.RANK: str(number), ranks.RANKS: "2"}
    return make_workload("job", (0,), spec={"name": "job", "image": "i", "labels": labels})


def node(number: int) -> dict[str, Any]:
    stamps = [f"2026-01-02T03:00:0{second}.000000000Z" for second in (number, number + 2)]
    log = "".join(f"{stamp} step {index}\n" for index, stamp in enumerate(stamps)).encode()
    gone = replace(rank(number), state="removed").to_dict()
    return answers(
        make_facts(f"lab-{number}", npus=make_npus(held={0: "job"}), workloads=[rank(number)]),
        **{
            "PUT /v1/cordon": (200, CORDONED.to_dict()), "DELETE /v1/cordon": (200, api.Cordons().to_dict()),
            "GET /v1/cordon": (200, CORDONED.to_dict()), "PUT /v1/drain": (200, DRAINED.to_dict()),
            "GET /v1/drain": (200, DRAINED.to_dict()), "DELETE /v1/workloads/job": (200, gone),
            "GET /v1/workloads/job/logs": (200, log), "PUT /v1/workloads/hello": (200, PLAN),
        },
    )  # fmt: skip


@pytest.fixture
def two(site: Site) -> Iterator[list[Agent]]:
    with site.node("lab-0", node(0)) as first, site.node("lab-1", node(1)) as second:
        yield [first, second]


def changes(agent: Agent) -> list[str]:
    return [request for request, _, _ in agent.asked if not request.startswith("GET")]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["cordon", "lab-0"], "takes no new work, 7 free NPUs go out; job goes on"),
        (["drain", "lab-0"], "workload job is waited for"),
        (["drain", "lab-0", "--mode", "stop"], "workload job is STOPPED NOW"),
        (["drain", "lab-0", "--mode", "stop-later", "--deadline", "60"], "workload job is STOPPED after 60 s"),
        (["uncordon", "lab-0", "--force"], "the cordon of me@here (look) is lifted over their head"),
    ],
)
def test_without_a_terminal_and_yes_nothing_is_done_and_what_it_would_hurt_is_said(
    two: list[Agent], call: Call, arguments: list[str], said: str
) -> None:
    code, out, _ = call(*arguments, "--json")
    error = envelope(out)["errors"][0]
    assert (code, error["code"], changes(two[0])) == (2, "not-confirmed", [])
    assert said in error["message"]
    assert "--yes" in error["remedy"]


def test_cordon_names_the_owner_the_reason_and_the_npus(two: list[Agent], call: Call) -> None:
    code, out, _ = call("cordon", "lab-0", "--npu", "3,5", "--reason", "look", "--owner", "me@here", "--yes")
    assert code == 0
    assert json.loads(two[0].asked[-1][2]) == {"owner": "me@here", "reason": "look", "npus": [3, 5]}
    assert "node cordoned by me@here: look" in out
    assert not two[1].asked


def test_uncordon_lifts_ones_own(two: list[Agent], call: Call) -> None:
    assert call("uncordon", "lab-0", "lab-1", "--owner", "me@here")[0] == 0
    assert [changes(agent) for agent in two] == [["DELETE /v1/cordon?owner=me%40here"]] * 2


def test_drain_waits_until_the_nodes_are_empty(two: list[Agent], call: Call) -> None:
    code, out, _ = call("drain", "lab-0", "--yes", "--wait", "--json")
    assert (code, envelope(out)["data"]["nodes"][0]["state"]) == (0, "drained")


def test_a_node_that_does_not_answer_makes_it_three_and_alone_four(two: list[Agent], site: Site, call: Call) -> None:
    site.add("lab-9", 1)
    assert call("cordon", "lab-0", "lab-9", "--yes")[0] == 3
    assert call("cordon", "lab-9", "--yes")[0] == 4
    assert call("cordon", "lab-8", "--yes")[0] == 2


def test_a_jobs_logs_are_one_in_the_order_of_time(two: list[Agent], call: Call) -> None:
    assert call("logs", "job")[1] == "0 | step 0\n1 | step 0\n0 | step 1\n1 | step 1\n"
    assert call("logs", "lab-1/job")[0] == 0
    lines = call("logs", "job", "-f")[1].splitlines()
    assert sorted(line[:4] for line in lines) == ["0 | ", "0 | ", "1 | ", "1 | "]


def test_stop_stops_all_ranks_and_ps_shows_them(two: list[Agent], call: Call) -> None:
    assert "job[1]" in call("ps")[1]
    assert call("stop", "job", "--grace", "1")[0] == 0
    assert [changes(agent) for agent in two] == [["DELETE /v1/workloads/job?grace_s=1"]] * 2


def test_half_a_job_is_not_stopped_for_the_whole(site: Site, call: Call) -> None:
    with site.node("lab-0", node(0)) as agent:
        site.add("lab-1", 1)
        code, out, _ = call("stop", "job", "--json")
        assert (code, envelope(out)["errors"][0]["code"], changes(agent)) == (1, "workload-not-seen", [])


def test_render_asks_the_agent_and_changes_nothing(two: list[Agent], call: Call, tmp_path: Path) -> None:
    job = tmp_path / "job.yaml"
    job.write_text("name: hello\nimage: busybox:1\nnpus: 1\n", encoding="utf-8")
    code, out, _ = call("render", "-f", str(job), "--as", "docker", "--node", "lab-1")
    assert code == 0
    assert out.startswith("# lab-1\ndocker run \\\n  --detach \\\n  --name hello")
    assert changes(two[1]) == ["PUT /v1/workloads/hello?dry_run=1"]
    assert "ExecStart=/usr/bin/docker run" in call("render", "-f", str(job), "--as", "systemd", "--node", "lab-1")[1]
    assert "batch.volcano.sh" in call("render", "-f", str(job), "--as", "volcano")[1]


def test_wait_is_for_jobs_with_nodes(two: list[Agent], call: Call) -> None:
    assert call("run", "img", "--name", "x", "--npus", "1", "--wait")[0] == 2
