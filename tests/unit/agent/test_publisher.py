from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from npu_agent import api, engine, publisher
from npu_agent.monitor import Monitor, MonitorSettings
from npu_agent.run import Completed
from npu_agent.watch import DockerWatch
from unit.agent.bench import Bench, spec


def silent(argv: Any, **_options: Any) -> Completed:
    return Completed(tuple(argv), 127)


@pytest.fixture
def made(bench: Bench, tmp_path: Path) -> publisher.Publisher:
    settings = MonitorSettings("n1", facts_dir=str(tmp_path), run_dir=str(tmp_path), root=str(tmp_path))
    monitor = Monitor(settings, run=silent)
    watch = DockerWatch(bench.engine, bench.reconciler)
    return publisher.Publisher(publisher.Sources(monitor, watch, bench.workloads), api.Node("n1", "0.1"))


def component(made: publisher.Publisher, name: str) -> api.Component:
    return next(c for c in made.current.health.components if c.name == name)


def test_nothing_is_ready_before_anything_is_known(made: publisher.Publisher) -> None:
    assert not made.current.health.ready
    made.refresh()
    assert not made.current.health.ready
    assert not made.current.complete
    assert component(made, "docker").state == api.UNKNOWN


def test_nothing_is_rendered_again_when_nothing_changed(made: publisher.Publisher) -> None:
    made.refresh()
    before = made.current
    made.refresh()
    assert made.current is before


def test_docker_answering_as_before_is_no_news(made: publisher.Publisher) -> None:
    made._from.watch.look()
    made.refresh()
    before = made.current
    made._from.watch.look()
    made.refresh()
    assert made.current is before


def test_every_state_of_a_workload_has_a_sample(made: publisher.Publisher, bench: Bench) -> None:
    bench.workloads.put("job", spec(npus=[3]))
    made._from.watch.look()
    made.refresh()
    text = made.current.metrics.decode()
    assert text.count('workload="job"} ') == len(api.WORKLOAD_STATES) + 1  # and one lease
    assert 'npufleet_workload_state{state="failed",workload="job"} 0.0' in text


def test_workloads_docker_and_leases_are_published(made: publisher.Publisher, bench: Bench) -> None:
    bench.workloads.put("job", spec(npus=[3]))
    made._from.watch.look()
    made.refresh()
    assert component(made, "docker").state == api.HEALTHY
    assert component(made, "workload/job").state == api.HEALTHY
    text = made.current.metrics.decode()
    assert 'npufleet_lease{npu="3",workload="job"} 1.0' in text
    assert 'npufleet_workload_state{state="running",workload="job"} 1.0' in text
    assert "npufleet_docker_up 1.0" in text
    assert 'npufleet_component_state{component="docker",state="healthy"} 1.0' in text


def test_docker_away_is_published(made: publisher.Publisher, bench: Bench) -> None:
    def before(operation: str) -> None:
        raise engine.EngineUnreachableError("refused")

    bench.engine.before = before
    made._from.watch.look()
    made.refresh()
    assert component(made, "docker").state == api.UNHEALTHY
    assert "npufleet_docker_up 0.0" in made.current.metrics.decode()


def test_a_docker_that_hangs_is_published(made: publisher.Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    made._from.watch.look()
    made.refresh()
    assert component(made, "docker").state == api.HEALTHY
    monkeypatch.setattr(made._from.watch, "_clock", lambda: float("inf"))
    made.refresh()
    assert component(made, "docker").state == api.UNKNOWN
    assert "npufleet_docker_up 0.0" in made.current.metrics.decode()


def test_components_are_in_natural_order() -> None:
    names = ["npu/10", "npu/2", "docker", "npu-count", "workload/a"]
    ordered = sorted((api.Component(name, api.HEALTHY) for name in names), key=publisher._by_name)
    assert [c.name for c in ordered] == ["docker", "npu/2", "npu/10", "npu-count", "workload/a"]


def test_containers_are_labelled_by_the_npus_they_can_open(bench: Bench) -> None:
    bench.engine.add("root", {"HostConfig": {"Privileged": True}}, running=True)
    bench.engine.add("old", {"HostConfig": {"Privileged": True}})
    watch = DockerWatch(bench.engine, bench.reconciler)
    found = publisher.metrics_extra([0, 1], watch.look(), [], [])
    assert {npu: [label.name for label in labels] for npu, labels in found.containers.items()} == {
        0: ["root"],
        1: ["root"],
    }
