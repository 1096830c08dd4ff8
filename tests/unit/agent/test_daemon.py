from __future__ import annotations

import dataclasses
import gc
import socket
import threading
import time
from pathlib import Path

import pytest

from npu_agent import api, daemon
from npu_agent.audit import Entry
from npu_agent.config import Config, ConfigError, Probe
from npu_agent.history import History


def config(folder: Path) -> Config:
    return Config(
        "n1",
        state_dir=str(folder / "state"),
        run_dir=str(folder / "run"),
        facts_dir=str(folder / "facts"),
        docker_socket=str(folder / "docker.sock"),
        policy_file=str(folder / "policy.yaml"),
        rules_file=str(folder / "health.yaml"),
        platform_file=str(folder / "npu_status.yaml"),
        probe=Probe(fast_interval_s=0.2),
    )


@pytest.fixture
def made(tmp_path: Path) -> daemon.Daemon:
    return daemon.Daemon(config(tmp_path))


def test_the_state_is_roots_alone(made: daemon.Daemon, tmp_path: Path) -> None:
    assert (tmp_path / "state").stat().st_mode & 0o077 == 0
    assert (tmp_path / "state" / "agent.db").exists()
    made.store.close()


def test_a_damaged_state_is_one_sentence_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "agent.db").write_bytes(b"garbage" * 1000)
    with pytest.raises(ConfigError, match="adopted again"):
        daemon.open_store(config(tmp_path))


def test_the_agents_start_and_end_are_written_down(made: daemon.Daemon, tmp_path: Path) -> None:
    made.history.start()
    made.close()
    made.store.close()
    kept = History(tmp_path / "state" / "history.db").read(0).events
    assert [(event.kind, event.message.split(" ", 2)[2]) for event in kept] == [
        ("agent", "has started"),
        ("agent", "stops; containers go on"),
    ]


def test_what_workloads_tell_of_themselves_is_an_event(made: daemon.Daemon, tmp_path: Path) -> None:
    made.workloads.cordons.put("alice", "noise", [3])
    made.workloads.on_change("restart-planned", "workload job: it ended with exit code 1; restart 1 in 10 s")
    made.history.write()
    told = [(event.kind, event.subject) for event in made.history.read(0).events]
    assert told[-2:] == [("cordon", "npu/3"), ("workload", "job")]
    made.store.close()


def test_the_trail_of_changes_is_beside_the_state(made: daemon.Daemon, tmp_path: Path) -> None:
    made.service().trail.changed(Entry("a", "token", "c", "PUT /x", 200))
    assert (tmp_path / "state" / "audit.jsonl").exists()
    made.store.close()


def test_the_platform_file_is_kept_where_the_site_asks_for_it(made: daemon.Daemon, tmp_path: Path) -> None:
    made.publisher.current = dataclasses.replace(made.publisher.current, npus=(api.Npu(0),))
    made.show_platform()
    assert "Unknown" in (tmp_path / "npu_status.yaml").read_text()
    made.store.close()


def test_liveness_is_about_the_loop_and_not_about_the_probe(made: daemon.Daemon) -> None:
    pulse = made.service().pulse
    made.ticked = time.monotonic() - 10
    assert pulse.age_s() >= 10
    made.tick(1)
    assert pulse.age_s() < pulse.limit_s
    made.store.close()


def test_a_loop_that_turns_once_a_second_is_not_stuck_at_a_short_probe_interval(made: daemon.Daemon) -> None:
    assert made.config.probe.fast_interval_s * daemon.MISSED_INTERVALS < daemon.TICK_S
    assert made.service().pulse.limit_s > 3 * daemon.TICK_S
    made.store.close()


def test_a_turn_that_fails_is_not_counted_as_one(made: daemon.Daemon, caplog: pytest.LogCaptureFixture) -> None:
    made.ticked = before = time.monotonic() - 10
    made.store.close()
    made.tick(1)
    assert made.ticked == before
    assert "a turn of the loop failed" in caplog.text


def test_an_observation_that_fails_is_followed_by_the_next(
    made: daemon.Daemon, caplog: pytest.LogCaptureFixture
) -> None:
    looks = 0

    def look() -> None:
        nonlocal looks
        looks += 1
        if looks == 3:
            made.stopping.set()
        raise RuntimeError("bad luck")

    thread = threading.Thread(target=made.observe, args=(look,))
    thread.start()
    thread.join(10)
    assert looks == 3
    assert "an observation failed" in caplog.text
    made.store.close()


def test_systemd_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(path))
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        daemon.notify("READY=1")
        assert receiver.recv(100) == b"READY=1"
    daemon.notify("READY=1")  # systemd is gone: nothing happens


def test_settings_reach_the_monitor(tmp_path: Path) -> None:
    settings = daemon.settings_of(config(tmp_path))
    assert (settings.node, settings.fast_interval_s, settings.facts_dir) == ("n1", 0.2, str(tmp_path / "facts"))


def test_what_lives_long_is_not_looked_through_again(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    monkeypatch.setattr(gc, "collect", lambda: calls.append("collect"))
    monkeypatch.setattr(gc, "freeze", lambda: calls.append("freeze"))
    for count in range(1, 41):
        daemon.tidy(count)
    assert calls == ["collect", "collect", "freeze", "collect", "collect"]
