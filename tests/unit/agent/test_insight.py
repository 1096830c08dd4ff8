from __future__ import annotations

from typing import Any

import pytest

from npu_agent import api, engine
from unit.agent.bench import Bench, spec
from unit.agent.test_training_log import MEGATRON


def start(bench: Bench, **changes: Any) -> str:
    container = bench.workloads.put("job", spec(**changes))[0].container_id
    assert container
    return container


def line(iteration: int, loss: str = "1.0E+00") -> bytes:
    text = MEGATRON.replace("100/", f"{iteration}/").replace("6.234560E+00", loss)
    return text.encode() + b"\n"


def test_progress_is_shown_and_new_lines_are_read_once(bench: Bench) -> None:
    start(bench, npus=8, training={"sequence_length": 4096})
    bench.engine.output = [line(1), line(2)]
    bench.cycle()
    found = bench.workloads.look("job").progress
    assert found is not None
    assert (found.source, found.iteration, found.loss, found.tokens_per_second_per_npu) == ("megatron", 2, 1.0, 3276.8)
    assert found.observed_at
    bench.engine.output.append(line(3, "nan"))
    bench.cycle()
    bench.cycle()
    found = bench.workloads.look("job").progress
    assert found is not None
    assert (found.iteration, found.loss, found.findings) == (3, None, ["the loss is nan at iteration 3"])


def test_after_a_restart_of_the_agent_the_head_and_the_tail_tell_it_again(bench: Bench) -> None:
    start(bench)
    bench.engine.output = [b"  seq_length ....... 4096\n", *[line(i) for i in range(1, 1000)]]
    bench.restart()
    bench.cycle()
    found = bench.workloads.look("job").progress
    assert found is not None
    assert (found.iteration, found.sequence_length) == (999, 4096)


def test_a_training_that_stands_still_is_a_finding(bench: Bench) -> None:
    start(bench)
    bench.engine.output = [line(7)]
    bench.cycle()
    bench.clock.at_s += 599
    found = bench.workloads.look("job").progress
    assert found is not None
    assert found.findings == []
    bench.clock.at_s += 1
    found = bench.workloads.look("job").progress
    assert found is not None
    assert found.findings == ["no new iteration for 10 minutes, at iteration 7"]


def test_a_new_run_begins_anew(bench: Bench) -> None:
    container = start(bench, restart="always")
    bench.engine.output = [line(7)]
    bench.cycle()
    assert bench.engine.since == 1767323045  # the start of this run: what the last one printed is no progress
    bench.engine.output = []
    bench.engine.finish(container, 1)
    bench.cycle()
    bench.clock.at_s += 10
    bench.cycle()
    bench.engine._find(container)["State"]["StartedAt"] = "2026-01-02T04:00:00Z"
    bench.cycle()
    assert bench.workloads.look("job").progress is None


HTTP = {"kind": "exit-code", "command": ["check"], "failures": 2, "start_period_s": 30, "interval_s": 10}


def probed(bench: Bench, seconds: float) -> api.ProbeStatus:
    bench.clock.at_s += seconds
    bench.cycle()
    found = bench.workloads.look("job").probe
    assert found is not None
    return found


def test_a_probe_is_unknown_healthy_unhealthy_and_healthy_again(bench: Bench) -> None:
    start(bench, probe=HTTP)
    bench.engine.exit_code = 1
    assert probed(bench, 0).state == api.UNKNOWN
    bench.engine.exit_code = 0
    assert probed(bench, 40).state == api.HEALTHY
    bench.engine.exit_code = 1
    assert (probed(bench, 10).state, probed(bench, 10).state) == (api.HEALTHY, api.UNHEALTHY)
    bench.engine.exit_code = 0
    assert (probed(bench, 5).state, probed(bench, 5).state) == (api.UNHEALTHY, api.HEALTHY)
    assert "start" not in bench.engine.calls[bench.engine.calls.index("start") + 1 :]


def test_a_failing_probe_restarts_where_it_was_asked_for_and_counts(bench: Bench) -> None:
    restart = {"policy": "on-failure", "budget": 1, "backoff_s": 1}
    start(bench, probe={**HTTP, "action": "restart", "start_period_s": 0}, restart=restart)
    bench.engine.exit_code = 7
    probed(bench, 0)
    bench.clock.at_s += 10
    bench.cycle()
    assert bench.engine.calls.count("stop 30") == 1
    bench.cycle()
    assert "its probe failed: the command ended with exit code 7" in bench.workloads.get("job").reason
    bench.clock.at_s += 1
    bench.cycle()
    assert (bench.workloads.get("job").state, bench.workloads.get("job").restarts) == ("running", 1)


@pytest.mark.parametrize("error", [engine.RefusedError("paused"), engine.NotFoundError("gone")])
def test_a_command_that_docker_cannot_run_is_a_failure(bench: Bench, error: Exception) -> None:
    start(bench, probe={**HTTP, "start_period_s": 0, "failures": 1})

    def before(operation: str) -> None:
        if operation.startswith("run"):
            raise error

    bench.engine.before = before
    assert probed(bench, 0).state == api.UNHEALTHY


def test_a_log_probe_knows_a_stall(bench: Bench) -> None:
    start(bench, probe={"kind": "log-progress", "stalled_after_s": 60, "failures": 1})
    bench.engine.output = [line(1)]
    assert probed(bench, 0).state == api.HEALTHY
    assert probed(bench, 59).state == api.HEALTHY
    assert probed(bench, 60).state == api.UNHEALTHY
    bench.engine.output.append(line(2))
    assert probed(bench, 10).state == api.HEALTHY


def test_lines_are_read_once(bench: Bench) -> None:
    container = bench.engine.inspect(start(bench))
    bench.engine.output = [line(1), line(2)]
    bench.cycle()
    state = bench.workloads.insight._states["job"]
    bench.engine.output.append(line(3))
    assert len(bench.workloads.insight._lines(state, container, tail=500)) == 1
    assert bench.workloads.insight._lines(state, container, tail=500) == []


def test_a_log_without_numbers_is_read_less_often(bench: Bench) -> None:
    start(bench)
    bench.engine.output = [b"hello\n"]
    bench.cycle()
    bench.clock.at_s += 301
    bench.cycle()
    reads = bench.engine.calls.count("logs 500")
    bench.clock.at_s += 29
    bench.cycle()
    assert bench.engine.calls.count("logs 500") == reads == 2
    bench.engine.output.append(line(1))
    bench.clock.at_s += 1
    bench.cycle()
    bench.cycle()
    assert bench.engine.calls.count("logs 500") == reads + 2
