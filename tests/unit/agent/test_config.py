from __future__ import annotations

import os
from pathlib import Path

import pytest

from npu_agent import api, config
from npu_agent.problem import ProblemError


def test_only_the_name_is_required(tmp_path: Path) -> None:
    path = tmp_path / "agent.yaml"
    path.write_text("node_name: n1\nprobe: {fast_interval_s: 1}\n")
    found = config.load(path)
    assert (found.node_name, found.listen.port, found.probe.fast_interval_s) == ("n1", 7443, 1)
    assert found.probe.slow_interval_s == 60
    assert found.socket_path == Path("/run/npufleet/agent.sock")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("node_nam: x", "node_nam"),
        ("{}", "lacks node_name"),
        ("node_name: n\nlisten: {port: high}", r"listen\.port"),
        ("a: [", "not valid YAML"),
        ("just words", "must be object"),
    ],
)
def test_a_wrong_file_is_one_sentence(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "agent.yaml"
    path.write_text(text)
    with pytest.raises(config.ConfigError, match=words) as caught:
        config.load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(config.ConfigError, match="Run the agent role"):
        config.load(tmp_path / "none.yaml")


@pytest.mark.parametrize(("mode", "words"), [(0o666, "go-w"), (0o620, "go-w")])
def test_a_policy_that_others_may_write_is_not_roots(tmp_path: Path, mode: int, words: str) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("allow_privileged: true\n")
    path.chmod(mode)
    policy = config.PolicyFile(path)
    with pytest.raises(ProblemError) as caught:
        policy.get()
    assert caught.value.problem.code == api.CODE_POLICY_UNSAFE
    assert words in caught.value.problem.remedy
    path.chmod(0o600)
    assert policy.get().allow_privileged


def test_a_policy_in_a_folder_that_others_may_write_is_not_roots(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("allow_privileged: true\n")
    tmp_path.chmod(0o777)
    with pytest.raises(config.UnsafeFileError, match="Others than root may write"):
        config.load_policy(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_policy_of_another_user_is_not_roots(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("allow_privileged: true\n")
    os.chown(path, 4242, 4242)
    with pytest.raises(config.UnsafeFileError, match="belongs to the user 4242"):
        config.load_policy(path)


def test_a_changed_policy_is_seen_and_a_broken_one_stops_new_work(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    policy = config.PolicyFile(path)
    assert policy.get() == config.Policy()
    path.write_text("allowed_images: [ours/*]\nshm_floor: 2g\n")
    assert policy.get().allowed_images == ("ours/*",)
    assert policy.get().shm_floor_bytes == 2 << 30
    path.write_text("allowed_images: everything\n")
    os.utime(path, ns=(1, 1))
    with pytest.raises(ProblemError) as caught:
        policy.get()
    assert caught.value.problem.code == api.CODE_POLICY
