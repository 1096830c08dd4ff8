"""Who holds an NPU, what a report wants from the host, and which secrets never leave a node."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from unit.plugins import loading  # makes the modules below importable

assert loading

from ansible.module_utils.npufleet import engine, holders, host, npu, redact, support  # noqa: E402  # needs the line above

TRAIN = "a" * 64
DOCKER = {
    "containers": [
        {
            "id": TRAIN,
            "name": "train",
            "image": "i",
            "created": 5,
            "devices": ["/dev/davinci0", "/dev/davinci_manager"],
        },
        {"id": "b" * 64, "name": "all", "image": "i", "created": 5, "devices": ["privileged"]},
        {"id": "c" * 64, "name": "web", "image": "i", "created": 5, "devices": []},
    ]
}


def process(root: Path, pid: int, name: str, cgroup: str, *open_files: str) -> None:
    folder = root / str(pid)
    (folder / "fd").mkdir(parents=True)
    (folder / "comm").write_text(name + "\n")
    (folder / "cgroup").write_text(cgroup)
    for number, path in enumerate(open_files):
        (folder / "fd" / str(number)).symlink_to(path)


def test_containers_and_processes_that_hold_an_npu(tmp_path: Path) -> None:
    process(tmp_path, 7, "python3", f"0::/docker/{TRAIN}\n", "/dev/null", "/dev/davinci0", "/dev/davinci_manager")
    process(tmp_path, 8, "bench", "0::/user.slice\n", "/dev/davinci1", "/dev/davinci1")
    process(tmp_path, 9, "bash", "0::/user.slice\n", "/dev/null")
    said = {
        "chips": [{"card": 6, "chip": 0, "npu": 1}],
        "processes": [
            {"card": 6, "chip": 0, "pid": 8, "name": ""},
            {"card": 2, "chip": 0, "pid": 10, "name": "gone"},
        ],
    }
    held = holders.gather(DOCKER, {"davinci": [0, 1], "npu_smi": said}, str(tmp_path))
    assert [(one["kind"], one["name"], one.get("pid"), one["npus"], one.get("container")) for one in held] == [
        ("container", "train", None, [0], None),
        ("container", "all", None, [0, 1], None),
        ("process", "python3", 7, [0], "train"),
        ("process", "bench", 8, [1], None),
        ("process", "gone", 10, [], None),
    ]


def test_holders_are_known_while_npu_smi_is_silent(tmp_path: Path) -> None:
    process(tmp_path, 8, "bench", "0::/user.slice\n", "/dev/davinci1")
    held = holders.gather({"containers": []}, {"davinci": [1], "npu_smi": {"error": "-8020"}}, str(tmp_path))
    assert [(one["pid"], one["npus"]) for one in held] == [(8, [1])]


def test_devices_of_ascends_own_runtime() -> None:
    assert engine.visible(["A=1", "ASCEND_VISIBLE_DEVICES=0-2,5"]) == [0, 1, 2, 5]
    assert engine.visible(["ASCEND_VISIBLE_DEVICES=Ascend910-0"]) == []
    assert engine.visible([]) == []


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Total Count : 8\nNPU ID : 0\nChip Count : 2\nNPU ID : 1\nChip Count : 2\n", 4),
        ("Total Count : 8\n", 8),
        ("", None),
    ],
)
def test_chips_of_the_list(text: str, count: int | None) -> None:
    assert npu.listed(text) == count


def test_mapping_with_a_physical_id() -> None:
    text = (
        "NPU ID    Chip ID    Chip Logic ID    Chip Phy-ID    Chip Name\n"
        "0         0          0                2              Ascend910\n"
        "0         2          -                -              Mcu\n"
    )
    assert npu.mapped(text) == [{"card": 0, "chip": 0, "npu": 2, "name": "Ascend910"}]


def test_tools_that_cannot_be_started(tmp_path: Path) -> None:
    plain, good, link = tmp_path / "plain", tmp_path / "good", tmp_path / "link"
    plain.write_text("")
    plain.chmod(0o644)
    good.write_text("")
    good.chmod(0o755)
    link.symlink_to(tmp_path / "nowhere")
    found = npu.unusable((str(plain), str(good), str(link), str(tmp_path / "none")))
    assert [(one["path"], one["why"].split(" ")[1]) for one in found] == [(str(plain), "mode"), (str(link), "is")]


def test_a_lock_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with npu.Locked(str(tmp_path / "lock"), 1) as mine:
        assert mine
    assert list(tmp_path.iterdir()) == []


def test_host(tmp_path: Path) -> None:
    for name, file in (("5.10.0", "modules.dep"), ("extra", "other")):
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_text("")
    assert host.kernels(str(tmp_path)) == ["5.10.0"]
    assert host.active(("chronyd", "ntpd"), "inactive\nactive\n") == ["ntpd"]
    assert host.memory("MemTotal: 2048 kB\nHugePages_Total: 2\nHugepagesize: 2048 kB\n") == {
        "total_mb": 2, "available_mb": None, "hugepages_mb": 4,
    }  # fmt: skip
    assert host.memory("")["hugepages_mb"] is None


@pytest.mark.parametrize(
    "words",
    [
        "curl -H 'Authorization: Bearer SECRET123456' https://x",
        "proxy http://user:SECRET@proxy:3128/",
        "--api-key SECRET --port 8000",
        "HF_TOKEN=SECRET python",
        '{"password": "SECRET"}',
        "token npf_SECRET0123456789",
        "-----BEGIN EC PRIVATE KEY-----\nSECRET\n-----END EC PRIVATE KEY-----\nafter",
        "-----BEGIN PRIVATE KEY-----\nSECRET",
        "secret_key: SECRET",
    ],
)
def test_secrets_are_taken_out(words: str) -> None:
    assert "SECRET" not in redact.text(words)


def test_what_helps_stays() -> None:
    for words in ("iteration 5: lm loss 2.1", "device is used. ret is -8020", "/usr/local/Ascend/driver", "token_file"):
        assert redact.text(words) == words
    assert "after" in redact.text("-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\nafter")


def test_a_document_stays_one() -> None:
    files = {"/etc/npufleet/tokens.json": {"mode": "0600"}, "registry_password": {"a": 1}, "say": "token=SECRET"}
    told = json.loads(redact.json_text(json.dumps(files)))
    assert told["/etc/npufleet/tokens.json"] == {"mode": "0600"}
    assert told["registry_password"] == redact.KEPT_BACK
    assert "SECRET" not in told["say"]
    assert redact.json_text("no JSON, token=SECRET") == f"no JSON, token={redact.KEPT_BACK}"


def test_environment_and_arguments_of_a_container() -> None:
    inspected: dict[str, Any] = {
        "Name": "/job",
        "Args": ["serve", "--token", "SECRET"],
        "Config": {
            "Env": ["HCCL_IF_IP=10.0.0.1", "ANYTHING=SECRET", "MASTER_KEY=SECRET"],
            "Cmd": ["serve", "-p", "80"],
        },
    }
    told = redact.container(inspected)
    assert told["Config"]["Env"][0] == "HCCL_IF_IP=10.0.0.1"
    assert told["Config"]["Env"][1] == f"ANYTHING={redact.KEPT_BACK}"
    assert told["Config"]["Cmd"] == ["serve -p 80"]
    assert "SECRET" not in json.dumps(told)
    assert inspected["Config"]["Env"][1] == "ANYTHING=SECRET"


def test_a_part_that_breaks_says_so() -> None:
    assert support.attempt(lambda: int("x"))["error"].startswith("ValueError: ")
