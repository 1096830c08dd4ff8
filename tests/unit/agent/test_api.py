from __future__ import annotations

import pytest

from npu_agent import api


def test_a_document_survives_the_wire() -> None:
    workload = api.Workload(
        name="a",
        spec={"npus": 1},
        resolved=api.Resolved(image="i", mounts=[api.Mount("/a", "/b", read_only=True)], env={"A": "1"}),
        npus=[4, 5],
        exit_code=3,
    )
    assert api.Workload.from_dict(workload.to_dict()) == workload


def test_nested_optional_objects_become_objects() -> None:
    npu = api.Npu.from_dict({"npu": 3, "holder": {"kind": "container", "name": "x"}})
    assert npu.holder == api.Holder("container", "x")
    assert npu.power_w is None


def test_an_old_reader_passes_over_new_keys() -> None:
    assert api.Lease.from_dict({"npu": 1, "workload": "a", "since": "t", "state": "held", "expires": 5}).npu == 1


def test_a_missing_required_key_is_an_error() -> None:
    with pytest.raises(TypeError, match="workload"):
        api.Lease.from_dict({"npu": 1})


def test_a_spec_leaves_out_what_was_not_said() -> None:
    spec = api.WorkloadSpec("a", "i", 2, resources=api.Resources(shm="2g"))
    assert spec.to_dict() == {
        "name": "a", "image": "i", "npus": 2, "profile": "custom", "resources": {"shm": "2g"}, "restart": "no",
        "stop_grace_s": 30,
    }  # fmt: skip


def test_a_problem_leaves_out_what_does_not_apply() -> None:
    assert "holder" not in api.Problem("t", 404, "d", "not-found").to_dict()


@pytest.mark.parametrize(
    ("holder", "sentence"),
    [
        (api.Holder("workload", "a"), "workload a"),
        (api.Holder("process", "python", pid=7), "process python (pid 7)"),
        (api.Holder("process", "python"), "process python"),
    ],
)
def test_a_holder_is_named(holder: api.Holder, sentence: str) -> None:
    assert holder.sentence() == sentence
