"""What `npu-agent probe` says of the strange texts that people hand in."""

from __future__ import annotations

from typing import Any

import pytest

from npu_agent.probe import decode, document, parse_info, read
from npu_agent.run import Completed
from unit.agent import recorded
from unit.agent.recorded import first_row, healthy_table, second_row

KEYS = ["tool_version", "driver_version", "chips", "processes", "idle_npus", "errors", "complete"]
HEADER = "| NPU     Chip              | Process id    | Process name             | Process memory(MB)      |"
BUSY = "| 0       0                 | 4711          | {:<24} | 58593                   |"


def with_process(name: str) -> str:
    idle = f"| No running processes found in NPU {0:<61}|"
    return recorded.table([(first_row(0), second_row())], idle=[0]).replace(idle, BUSY.format(name))


def test_the_document_has_these_keys_and_no_more() -> None:
    assert list(document(healthy_table())) == KEYS


@pytest.mark.parametrize("name", ["python", "ray::IDLE", "a b", "x|y", "||", "|npu|health|", "No running"])
def test_any_name_of_a_process(name: str) -> None:
    found = document(with_process(name))
    assert found["processes"] == [{"npu_id": 0, "chip_id": 0, "pid": 4711, "name": name, "memory_mb": 58593}]
    assert found["complete"]


@pytest.mark.parametrize("name", ["\n|npu|health|", "\n|process id|", "\n+====+", "x\x0cy", "x\u2028y", "x\ry"])
def test_a_process_cannot_hide_a_chip_by_its_name(name: str) -> None:
    found = parse_info(with_process(name))
    assert [chip.health for chip in found.chips] == ["OK"]
    assert found.chips_complete


def test_the_last_of_several_tables_counts_and_is_no_whole_answer() -> None:
    found = document(healthy_table(2) + "\nEvery 2.0s: npu-smi info\n\n" + healthy_table(1, n0="Alarm"))
    assert [(chip["npu_id"], chip["health"]) for chip in found["chips"]] == [(0, "Alarm")]
    assert not found["complete"]
    assert "several tables" in found["errors"][0]["message"]


def test_what_watch_and_colours_leave_behind() -> None:
    text = "\x1b[H\x1b[2JEvery 2.0s: npu-smi info\n\n" + healthy_table(1).replace("| OK", "| \x1b[32mOK\x1b[0m")
    assert document(text) == document(healthy_table(1))


@pytest.mark.parametrize(
    ("text", "kind", "code"),
    [
        ("dcmi module initialize failed. ret is -8005\n", "driver-not-ready", -8005),
        ("dcmi model initialized failed, because the device is used. ret is -8020\n", "occupied", -8020),
        ("bash: npu-smi\uff1a\u672a\u627e\u5230\u547d\u4ee4\n", "missing-tool", None),
        ("bash: /usr/local/bin/npu-smi: \u6743\u9650\u4e0d\u591f\n", "permission", None),
        ("npu-smi: error while loading shared libraries: libc_sec.so: cannot open it\n", "missing-library", None),
        ("This device does not support querying product.\n", "unsupported", None),
        ("The cmd line execute timeout!\n", "timeout", None),
        ("", "garbage", None),
        ("\x00\x01\xfe" * 100, "garbage", None),
    ],
)  # fmt: skip
def test_what_came_instead_of_a_table(text: str, kind: str, code: Any) -> None:
    found = document(text)
    assert [(error["class"], error["code"]) for error in found["errors"]] == [(kind, code)]
    assert not found["complete"]


def test_a_tool_that_broke_off_proves_no_absence() -> None:
    table, errors = read(Completed(("npu-smi", "info"), 139, healthy_table(3)))
    assert len(table.chips) == 3
    assert (table.chips_complete, table.processes_complete) == (False, False)
    assert errors


def test_an_error_before_a_good_table_does_not_count() -> None:
    assert document("DrvMngGetConsoleLogLevel failed. (ret=4)\n" + healthy_table(1))["complete"]


def test_the_text_of_a_fault_code_is_no_complaint() -> None:
    text = "\tHealth Status : Alarm\n\tError Code : 80E3A203\n\tError Information : event state=time-out\n"
    found = document(text)
    assert found["errors"] == []
    assert found["other"]["values"]["codes"] == ("80E3A203",)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_files_of_other_systems(encoding: str) -> None:
    mark = b"\xff\xfe" if encoding == "utf-16-le" else b""
    data = mark + healthy_table(1).replace("\n", "\r\n").encode(encoding)
    assert document(decode(data)) == document(healthy_table(1))


def test_bytes_that_are_no_text() -> None:
    assert document(decode(bytes(range(256)) * 8))["complete"] is False
    assert document(decode(b"\xff\xfe\x00"))["complete"] is False
