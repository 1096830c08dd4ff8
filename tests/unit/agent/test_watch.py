from __future__ import annotations

from npu_agent import engine
from npu_agent.watch import DockerWatch
from npu_agent.workloads import LAST_KNOWN
from unit.agent.bench import Bench, spec
from unit.agent.fake_engine import undisturbed


def test_docker_comes_and_goes(bench: Bench) -> None:
    watch = DockerWatch(bench.engine, bench.reconciler, lambda: 5.0)
    assert not watch.state.asked
    bench.workloads.put("job", spec())
    state = watch.look()
    assert (state.error, state.version, len(state.containers), state.seen_at) == (None, "27.0", 1, 5.0)

    def before(operation: str) -> None:
        raise engine.EngineUnreachableError("refused")

    bench.engine.before = before
    state = watch.look()
    assert (state.error, len(state.containers)) == ("refused", 1)
    assert bench.leased() == {0: "job"}
    bench.engine.before = undisturbed
    assert watch.look().error is None


def test_an_answer_that_is_not_renewed_is_not_believed(bench: Bench) -> None:
    now = [5.0]
    watch = DockerWatch(bench.engine, bench.reconciler, lambda: now[0], stale_after_s=60)
    watch.look()
    now[0] = 65.0
    assert watch.current().answers
    now[0] = 65.1  # the next look hangs: nothing but the time has changed
    assert not watch.current().answers
    watch.look()
    assert watch.current().answers


def test_with_docker_away_nothing_is_told_as_if_it_were_seen(bench: Bench) -> None:
    bench.workloads.put("job", spec())
    watch = DockerWatch(bench.engine, bench.reconciler)

    def before(operation: str) -> None:
        raise engine.EngineUnreachableError("refused")

    bench.engine.before = before
    watch.look()
    assert [(w.state, w.reason) for w in bench.workloads.all()] == [("running", LAST_KNOWN)]
    bench.engine.before = undisturbed
    watch.look()
    assert [(w.state, w.reason) for w in bench.workloads.all()] == [("running", "")]


def test_every_look_is_followed_by_a_reconciliation(bench: Bench) -> None:
    bench.workloads.put("job", spec())
    bench.engine.documents.clear()
    DockerWatch(bench.engine, bench.reconciler).look()
    assert bench.leased() == {}


def test_seeing_a_change_reconciles_nothing(bench: Bench) -> None:
    # A request that is being answered must not wait for the repair of something else.
    bench.workloads.put("job", spec())
    bench.engine.documents.clear()
    watch = DockerWatch(bench.engine, bench.reconciler)
    assert watch.see().containers == ()
    assert bench.leased() == {0: "job"}
