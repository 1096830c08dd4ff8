from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from npu_agent import api, engine, publisher
from npu_agent.components import Since
from npu_agent.history import History
from npu_agent.http.service import Published
from npu_agent.monitor import Monitor, MonitorSettings
from npu_agent.run import Completed
from npu_agent.watch import DockerWatch
from unit.agent.bench import Bench, spec
from unit.agent.fake_node import FakeNode
from unit.agent.recorded import healthy_table
from unit.agent.test_training_log import MEGATRON


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


def test_one_round_is_rendered_once_unless_its_table_has_news(tmp_path: Path, bench: Bench) -> None:
    node = FakeNode(tmp_path)
    sources = publisher.Sources(node.monitor, DockerWatch(bench.engine, bench.reconciler), bench.workloads)
    made = publisher.Publisher(sources, api.Node("n1", "0.1"))
    shown: list[Published] = []

    def show() -> None:
        made.refresh()
        shown.append(made.current)

    def round_() -> list[Published]:
        shown.clear()
        node.monitor.cycle(show)
        node.wait(5)
        show()
        return shown

    for _ in range(3):
        round_()
    before = made.current
    between, after = round_()
    assert between is before
    assert after is not before
    node.smi.info = healthy_table(n5="Critical")
    between, after = round_()
    assert between.npus[5].state == api.UNHEALTHY
    assert after.npus[5].state == api.UNHEALTHY


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
    assert text.count('workload="job"} ') == len(api.WORKLOAD_STATES) + 2  # a lease, its restarts
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


def test_what_changes_is_written_down_in_order(made: publisher.Publisher, bench: Bench, tmp_path: Path) -> None:
    history = History(tmp_path / "history.db")
    sources = publisher.Sources(made._from.monitor, made._from.watch, bench.workloads, history)
    told = publisher.Publisher(sources, api.Node("n1", "0.1"))
    told.refresh()
    history.write()
    assert history.read(0).events == []  # nobody has looked yet
    made._from.monitor.cycle()
    made._from.watch.look()
    told.refresh()
    bench.workloads.put("job", spec(npus=[3]))
    told.refresh()
    history.write()
    events = history.read(0).events
    assert [(e.kind, e.subject) for e in events][-2:] == [("lease", "npu/3"), ("workload", "job")]
    assert [e.subject for e in events].index("probe") < [e.subject for e in events].index("node")
    assert history.recall("picture")["leases"] == [[3, "job"]]
    before = len(events)
    told.refresh()
    history.write()
    assert len(history.read(0).events) == before


def test_docker_keeps_since_over_a_restart() -> None:
    kept = {"docker": api.Component("docker", api.HEALTHY, "", "none", "long ago")}
    since = Since(lambda: "now", kept)
    asleep = api.Component("docker", api.UNKNOWN)
    awake = api.Component("docker", api.HEALTHY)
    assert [since.stamp([c])[0].since for c in (asleep, awake, awake, asleep, awake)] == [
        "now", "long ago", "long ago", "now", "now",
    ]  # fmt: skip


def test_trials_are_gauges(bench: Bench) -> None:
    state = DockerWatch(bench.engine, bench.reconciler).look()
    found = publisher.metrics_extra([0], state, [], [], {"npu/3": ["mine would say unhealthy, none: x"]})
    (gauge,) = [sample for sample in found.samples if sample.name == "npufleet_rule_dry_run"]
    assert gauge.labels == {"component": "npu/3", "rule": "mine"}


def test_a_cordon_is_told_and_takes_the_readiness(made: publisher.Publisher, bench: Bench) -> None:
    made._from.watch.look()
    made.refresh()
    assert not made.current.node.cordoned
    bench.workloads.cordons.put("rollout-7", "driver")
    made.refresh()
    assert made.current.node.cordoned
    assert not made.current.health.ready
    assert "cordoned by rollout-7: driver" in made.current.health.reasons


def test_progress_and_restarts_are_metrics(made: publisher.Publisher, bench: Bench) -> None:
    bench.workloads.put("job", spec(npus=8, training={"sequence_length": 4096}))
    bench.engine.output = [MEGATRON.encode() + b"\n"]
    bench.cycle()
    made._from.watch.look()
    made.refresh()
    text = made.current.metrics.decode()
    assert 'npufleet_workload_tokens_per_second_per_npu{workload="job"} 3276.8' in text
    assert 'npufleet_workload_loss{workload="job"} 6.23456' in text
    assert 'npufleet_workload_restarts{workload="job"} 0.0' in text
