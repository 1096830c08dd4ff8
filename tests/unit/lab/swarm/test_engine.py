from __future__ import annotations

import time

import pytest

from npu_agent import engine
from npufleet_lab.swarm.engine import SimulatedEngine


def test_a_container_lives_as_it_was_told() -> None:
    simulated = SimulatedEngine()
    found = simulated.create("job", {"Image": "x", "Cmd": ["train"], "Labels": {}, "HostConfig": {}})
    with pytest.raises(engine.NameTakenError):
        simulated.create("job", {})
    simulated.start(found)
    assert simulated.inspect("job").state == "running"
    assert b"simulated" in b"".join(simulated.logs("job", tail=10, follow=False))
    simulated.stop(found, 1)
    assert (simulated.inspect(found).state, simulated.inspect(found).exit_code) == ("exited", 143)
    simulated.remove(found)
    with pytest.raises(engine.NotFoundError):
        simulated.inspect("job")


def test_sleep_ends_by_itself() -> None:
    simulated = SimulatedEngine()
    simulated.start(simulated.create("job", {"Cmd": ["sleep", "0"]}))
    time.sleep(0.01)
    assert [(one.state, one.exit_code) for one in simulated.containers()] == [("exited", 0)]
