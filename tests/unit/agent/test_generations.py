from __future__ import annotations

from collections.abc import Callable
from typing import Optional

import pytest

from npu_agent.generations import Condition
from npu_agent.problem import ProblemError
from unit.agent.bench import Bench, spec


def refused(bench: Bench, action: str, only: Condition) -> Optional[str]:
    calls: dict[str, Callable[[], object]] = {
        "put": lambda: bench.workloads.put("job", spec(), None, only),
        "restart": lambda: bench.workloads.restart("job", only),
        "delete": lambda: bench.workloads.delete("job", 0, only),
    }
    try:
        calls[action]()
    except ProblemError as error:
        return error.problem.code
    return None


def test_the_same_spec_again_is_the_same_generation(bench: Bench) -> None:
    first, _ = bench.workloads.put("job", spec())
    again, created = bench.workloads.put("job", spec())
    assert (again.generation, created) == (first.generation, False)
    assert again.spec_sha256 == first.spec_sha256


def test_a_workload_that_was_put_again_is_not_the_one_before_it(bench: Bench) -> None:
    first, _ = bench.workloads.put("job", spec())
    bench.workloads.delete("job", 0)
    second, _ = bench.workloads.put("job", spec())
    assert second.generation > first.generation


def test_numbers_are_not_given_twice_after_a_restart(bench: Bench) -> None:
    first, _ = bench.workloads.put("job", spec())
    bench.workloads.delete("job", 0)
    bench.restart()
    second, _ = bench.workloads.put("job", spec())
    assert second.generation > first.generation


def test_what_failed_and_is_revived_keeps_its_generation(bench: Bench) -> None:
    first, _ = bench.workloads.put("job", spec())
    record = bench.workloads.store.get("job")
    assert record is not None
    bench.engine.documents.clear()
    bench.workloads.publish(bench.workloads.lifecycle.fail(record, "its container is gone"), None)
    again, created = bench.workloads.put("job", spec())
    assert (again.generation, created) == (first.generation, True)


@pytest.mark.parametrize("action", ["put", "restart", "delete"])
def test_a_change_is_made_only_to_what_was_seen(bench: Bench, action: str) -> None:
    seen, _ = bench.workloads.put("job", spec())
    old, now = f'"{seen.generation}-{"0" * 16}"', f'"{seen.generation}-{seen.spec_sha256[:16]}"'
    assert refused(bench, action, Condition(match=old)) == "precondition-failed"
    assert bench.workloads.look("job").state == "running"
    assert refused(bench, action, Condition(match=f'"x", {now}')) is None


def test_only_where_there_is_none(bench: Bench) -> None:
    none_yet = Condition(none_match="*")
    assert refused(bench, "put", none_yet) is None
    assert refused(bench, "put", none_yet) == "precondition-failed"


def test_only_where_there_is_one(bench: Bench) -> None:
    assert refused(bench, "put", Condition(match="*")) == "precondition-failed"
    assert bench.workloads.all() == []
    assert refused(bench, "put", Condition()) is None
    assert refused(bench, "delete", Condition(match="*")) is None
