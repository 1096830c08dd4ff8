from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fastjsonschema
import pytest

from npufleet import jobs
from npufleet.errors import UsageError
from npufleet.job import layout
from npufleet.job.layout import Layout
from npufleet.jobs import Words
from support.repo import ROOT

SCHEMA = json.loads((Path(layout.__file__).parent / "job.schema.json").read_text(encoding="utf-8"))
BASE = {"name": "job", "image": "img", "npus": 1}


def valid(document: dict[str, Any]) -> bool:
    """By the published schema, the workload's own part left to the agent's."""
    own = {key: value for key, value in SCHEMA["properties"].items() if "$ref" not in value}
    check = fastjsonschema.compile({"type": "object", "properties": own})
    try:
        check(document)
    except fastjsonschema.JsonSchemaException:
        return False
    return True


def test_the_schema_has_every_key_of_a_job_file_and_no_other() -> None:
    workload = json.loads((ROOT / "agent/npu_agent/schemas/workload.json").read_text(encoding="utf-8"))
    assert set(SCHEMA["properties"]) == set(jobs.JOB_KEYS)
    for key in workload["properties"]:
        assert SCHEMA["properties"][key] == {"$ref": f"workload.json#/properties/{key}"}


@pytest.mark.parametrize(
    "own",
    [
        {"nodes": 2}, {"nodes": ["a", "b"]}, {"nodes": 1, "rank_table": True}, {"nodes": 1, "rank_table": "1.2"},
        {"nodes": 2, "on_failure": "restart-elsewhere", "restarts": 0}, {"nodes": 2, "unreachable_after_s": 5},
    ],
)  # fmt: skip
def test_what_is_understood(own: dict[str, Any]) -> None:
    job = jobs.build(Words(), {**BASE, **own})
    assert isinstance(job.layout, Layout)
    assert valid({**BASE, **own})


@pytest.mark.parametrize(
    "own",
    [
        {"nodes": 0}, {"nodes": True}, {"nodes": []}, {"nodes": ["a", "a"]}, {"nodes": "all"},
        {"nodes": 1, "rank_table": 0}, {"nodes": 1, "rank_table": ["1.0"]},
        {"nodes": 1, "rank_table": "2.0"}, {"nodes": 1, "on_failure": "hope"}, {"nodes": 1, "restarts": -1},
        {"nodes": 1, "master_port": 0}, {"nodes": 1, "unreachable_after_s": 1},
    ],
)  # fmt: skip
def test_what_is_refused_here_and_by_the_schema(own: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as caught:
        jobs.build(Words(), {**BASE, **own})
    assert caught.value.failure.remedy
    assert not valid({**BASE, **own})


@pytest.mark.parametrize("own", [{"rank_table": True}, {"nodes": 1, "node": "a"}])
def test_keys_that_do_not_go_together(own: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="nodes"):
        jobs.build(Words(), {**BASE, **own})
