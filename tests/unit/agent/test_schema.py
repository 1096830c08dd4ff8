from __future__ import annotations

from typing import Any

import pytest

from npu_agent import schema
from unit.agent.bench import spec


@pytest.mark.parametrize("npus", [1, 8, [0], [4, 5, 6, 7], "all"])
def test_npus_by_count_by_id_or_all(npus: Any) -> None:
    schema.check("workload", spec(npus=npus))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"npus": 0}, "npus"),
        ({"npus": []}, "npus"),
        ({"npus": [1, 1]}, "npus"),
        ({"npus": True}, "npus"),
        ({"npus": "some"}, "npus"),
        ({"name": "Big"}, "name"),
        ({"name": "a" * 64}, "name"),
        ({"image": "-v"}, "image"),
        ({"profile": "other"}, "profile"),
        ({"env": {"A": 1}}, "env.A"),
        ({"mounts": [{"source": "/a"}]}, "mounts.0"),
        ({"mounts": [{"source": "a", "target": "/b"}]}, "mounts.0.source"),
        ({"resources": {"shm": "lots"}}, "resources.shm"),
        ({"resources": {"gpus": 1}}, "resources"),
        ({"stop_grace_s": -1}, "stop_grace_s"),
        ({"command": "sh"}, "command"),
    ],
)
def test_the_field_that_is_wrong_is_named(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(schema.SchemaError) as caught:
        schema.check("workload", spec(**changes))
    assert caught.value.field == field


def test_unknown_keys_are_refused_by_name() -> None:
    with pytest.raises(schema.SchemaError, match="nups"):
        schema.check("workload", spec(nups=1))


def test_missing_keys_are_named() -> None:
    with pytest.raises(schema.SchemaError, match=r"lacks image\."):
        schema.check("workload", {"name": "a"})
