from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from npu_agent import api
from npufleet import jobs
from npufleet.errors import UsageError
from npufleet.jobs import Words


@pytest.mark.parametrize(
    ("text", "npus"),
    [("2", 2), ("all", "all"), ("3,4", [3, 4]), ("3,", [3]), ("0-3", [0, 1, 2, 3]), ("0-1,6", [0, 1, 6])],
)
def test_npus_in_words(text: str, npus: object) -> None:
    assert jobs.parse_npus(text) == npus


@pytest.mark.parametrize("text", ["", "0", "-1", "x", "1.5", "3,3", "3-1", "a-b", ",", "1,x", "ALL"])
def test_npus_that_are_not_understood(text: str) -> None:
    with pytest.raises(UsageError, match="--npus"):
        jobs.parse_npus(text)


@pytest.mark.parametrize(
    ("text", "mount"),
    [
        ("/a:/b", {"source": "/a", "target": "/b", "read_only": False}),
        ("/a:/b:ro", {"source": "/a", "target": "/b", "read_only": True}),
        ("/a:/b:rw", {"source": "/a", "target": "/b", "read_only": False}),
    ],
)
def test_mounts(text: str, mount: dict[str, Any]) -> None:
    assert jobs.parse_mount(text) == mount


@pytest.mark.parametrize("text", ["/a", ":/b", "/a:", "/a:/b:z", "/a:/b:ro:x"])
def test_mounts_that_are_not_understood(text: str) -> None:
    with pytest.raises(UsageError, match="--mount"):
        jobs.parse_mount(text)


def test_env_keeps_what_follows_the_first_equals_sign() -> None:
    assert jobs.parse_env("A=b=c") == ("A", "b=c")
    assert jobs.parse_env("A=") == ("A", "")
    with pytest.raises(UsageError, match="--env"):
        jobs.parse_env("A")


def test_command_line_becomes_a_spec() -> None:
    job = jobs.build(
        Words(
            image="img", name="x", node="lab-1", npus="3,4", profile="train", network="host", cpus=4, shm="8g",
            mounts=["/mnt/a:/a:ro"], env=["K=V"], command=["python", "t.py"],
        )
    )  # fmt: skip
    assert job.node == "lab-1"
    assert job.spec.to_dict() == {
        "name": "x", "image": "img", "npus": [3, 4], "profile": "train", "network": "host",
        "command": ["python", "t.py"], "env": {"K": "V"}, "restart": "no", "stop_grace_s": 30,
        "mounts": [{"source": "/mnt/a", "target": "/a", "read_only": True}], "resources": {"cpus": 4, "shm": "8g"},
    }  # fmt: skip


def test_what_is_typed_wins_over_the_file_and_lists_add_up() -> None:
    document = {
        "name": "x", "image": "img", "npus": 1, "env": {"A": "1", "B": "1"}, "node": "lab-1",
        "mounts": [{"source": "/mnt/a", "target": "/a"}], "resources": {"memory": "1g", "shm": "1g"},
    }  # fmt: skip
    job = jobs.build(Words(npus="2", env=["B=2"], mounts=["/mnt/b:/b"], shm="2g", node="lab-2"), document)
    assert (job.spec.npus, job.spec.env, job.node) == (2, {"A": "1", "B": "2"}, "lab-2")
    assert [mount.target for mount in job.spec.mounts] == ["/a", "/b"]
    assert job.spec.resources == api.Resources(memory="1g", shm="2g")


@pytest.mark.parametrize("missing", ["image", "name", "npus"])
def test_what_a_workload_needs_is_asked_for(missing: str) -> None:
    document = {"image": "img", "name": "x", "npus": 1, missing: None}
    with pytest.raises(UsageError, match=f"has no {missing}"):
        jobs.build(Words(), document)


def test_wrong_type_in_a_file_is_named() -> None:
    with pytest.raises(UsageError, match="image is int") as caught:
        jobs.build(Words(), {"name": "x", "image": 3, "npus": 1})
    assert caught.value.failure.code == "invalid-spec"


def test_file_with_an_unknown_key(tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_text("name: x\nimagee: img\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"unknown key imagee\. Did you mean image"):
        jobs.read_file(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [("resources: {memry: 1g}", r"resources\.memry\. Did you mean memory"), ("mounts: [{src: /a}]", r"mounts\.src")],
)
def test_file_with_an_unknown_key_further_in(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "job.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UsageError, match=said):
        jobs.read_file(path)


@pytest.mark.parametrize(("content", "said"), [("a: [", "line"), ("- a", "not a mapping"), ("", "not a mapping")])
def test_file_that_is_no_job(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "job.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UsageError, match=said) as caught:
        jobs.read_file(path)
    assert caught.value.failure.code == "job-unreadable"


def test_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        jobs.read_file(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("key", "value"), [("env", "x"), ("env", ["A=1"]), ("mounts", "x"), ("resources", "1g"), ("node", 3)]
)
def test_wrong_shapes_in_a_file_meet_words_without_a_crash(key: str, value: object) -> None:
    document = {"name": "x", "image": "img", "npus": 1, key: value}
    with pytest.raises(UsageError):
        jobs.build(Words(env=["K=V"], mounts=["/mnt/a:/a"], shm="1g"), document)
