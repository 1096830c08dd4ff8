"""What comes instead of an answer has a class that says whose business it is."""

from __future__ import annotations

import pytest

from npu_agent import probe
from npu_agent.run import Completed
from unit.agent.recorded import healthy_table, read


@pytest.mark.parametrize(
    ("name", "kind", "code"),
    [
        ("8005_container_conloglevel3", "driver-not-ready", -8005),
        ("8005_only", "driver-not-ready", -8005),
        ("8020_device_used", "occupied", -8020),
        ("bash_no_such_file_npu-smi", "missing-tool", None),
        ("device_does_not_support", "unsupported", None),
        ("invalid_card_id_usage", "unsupported", None),
        ("libdrvdsmi_host_missing", "missing-library", None),
        ("unsupported_type", "unsupported", None),
    ],
)
def test_recorded_errors(name: str, kind: str, code: int | None) -> None:
    found = probe.document(read(f"errors/{name}.txt"))
    assert [(error["class"], error["code"]) for error in found["errors"]] == [(kind, code)]
    assert found["chips"] == []
    assert found["complete"] is False


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("This command can be executed only by the root user.", "permission"),
        ("dcmi get card list failed. ret is -8002", "permission"),
        ("Failed to query card chip total info.", "driver-not-ready"),
        ("npu_get_card_device_id failed. err is 8", "driver-not-ready"),
        ("query failed. ret is -8255", "unsupported"),
        ("The cmd line execute timeout!", "timeout"),
    ],
)
def test_error_lines(line: str, kind: str) -> None:
    assert [error.kind for error in probe.classify_text(line)] == [kind]


def test_what_follows_from_an_occupied_device_is_not_told_twice() -> None:
    text = read("errors/8020_device_used.txt") + "npu get board type failed. ret is -9005\n"
    assert [error.kind for error in probe.classify_text(text)] == ["occupied"]


@pytest.mark.parametrize(
    ("exit_code", "kind"),
    [(187, "driver-not-ready"), (172, "occupied"), (127, "missing-tool"), (126, "permission"), (1, "garbage")],
)
def test_exit_codes_speak_where_the_text_does_not(exit_code: int, kind: str) -> None:
    assert [error.kind for error in probe.classify(Completed(("npu-smi",), exit_code))] == [kind]


def test_a_time_out_is_its_own_class_whatever_was_printed() -> None:
    late = Completed(("npu-smi", "info"), None, healthy_table(), timed_out=True, duration_s=20.0)
    found = probe.document_of(late)
    assert [error["class"] for error in found["errors"]] == ["timeout"]
    assert "20.0 s" in found["errors"][0]["message"]
    assert found["chips"] == []


def test_chatter_around_a_good_table_is_no_error() -> None:
    text = read("errors/8005_container_conloglevel3.txt").splitlines()[0] + "\n" + healthy_table()
    assert probe.document(text)["complete"] is True


def test_nothing_at_all_is_garbage() -> None:
    assert [error["class"] for error in probe.document("")["errors"]] == ["garbage"]
