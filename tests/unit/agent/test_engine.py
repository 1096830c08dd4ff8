from __future__ import annotations

from typing import Any

import pytest

from npu_agent import engine
from npu_agent.engine import Container


def inspected(**host: Any) -> Container:
    return engine.from_inspect({"Id": "i", "Name": "/n", "Config": {}, "HostConfig": host, "State": {}})


@pytest.mark.parametrize(
    ("devices", "npus", "everything"),
    [
        (["/dev/davinci0", "/dev/davinci12", "/dev/davinci_manager"], {0, 12}, False),
        (["/dev/null"], set(), False),
        (["/dev"], set(), True),
        (["//dev/davinci1", "/dev/./davinci2", "/dev//davinci3/"], {1, 2, 3}, False),
        (["/dev/.", "/dev/davinci" + "1" * 5000], set(), True),
    ],
)
def test_devices_tell_the_npus(devices: list[str], npus: set[int], everything: bool) -> None:
    found = inspected(Devices=[{"PathOnHost": path} for path in devices])
    assert (set(found.npus), found.all_npus) == (npus, everything)


def test_a_privileged_container_can_open_them_all() -> None:
    assert inspected(Privileged=True).all_npus


@pytest.mark.parametrize(
    ("value", "npus"),
    [
        ("0", {0}),
        ("0,2", {0, 2}),
        ("1-3", {1, 2, 3}),
        ("Ascend910-1,npu-2", {1, 2}),
        ("void", set()),
        ("", set()),
        ("3-1", set()),
        ("1" * 5000, set()),
    ],
)
def test_the_runtime_s_variable_tells_the_npus(value: str, npus: set[int]) -> None:
    document = {"Config": {"Env": ["A=1", f"ASCEND_VISIBLE_DEVICES={value}"]}}
    assert engine.from_inspect(document).npus == npus


def test_an_absurd_range_costs_nothing() -> None:
    assert len(engine.visible_npus(["0-999999999999"])) < 2000


@pytest.mark.parametrize(
    ("state", "policy", "count", "limit", "code", "ended"),
    [
        ("running", "no", 0, 0, None, False),
        ("restarting", "on-failure", 1, 5, None, False),
        ("paused", "no", 0, 0, None, False),
        ("created", "no", 0, 0, None, False),
        ("exited", "no", 0, 0, 0, True),
        ("exited", "", 0, 0, 1, True),
        ("dead", "no", 0, 0, 1, True),
        ("exited", "on-failure", 0, 5, 0, True),
        ("exited", "on-failure", 2, 5, 1, False),
        ("exited", "on-failure", 5, 5, 1, True),
        ("exited", "unless-stopped", 0, 0, 0, False),
        ("exited", "always", 9, 0, 1, False),
    ],
)
def test_who_comes_back_keeps_its_npus(
    state: str, policy: str, count: int, limit: int, code: int | None, ended: bool
) -> None:
    container = Container(
        "i", "n", state, restart_policy=policy, restart_count=count, restart_limit=limit, exit_code=code
    )
    assert container.ended_for_good is ended


def test_a_running_container_has_no_exit_code() -> None:
    document = {"State": {"Status": "running", "ExitCode": 0, "StartedAt": "2026-01-02T03:04:05.6Z"}}
    found = engine.from_inspect(document)
    assert (found.exit_code, found.started_at, found.finished_at) == (None, "2026-01-02T03:04:05Z", None)


def test_an_empty_answer_is_read_as_nothing_known() -> None:
    assert engine.from_inspect({}) == Container("", "", "", restart_policy="")
