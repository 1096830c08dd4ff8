from __future__ import annotations

import pytest

from npu_agent import units


@pytest.mark.parametrize(
    ("text", "size"), [("200g", 200 << 30), ("1T", 1 << 40), ("512m", 512 << 20), ("10k", 10240), ("7b", 7), ("7", 7)]
)
def test_sizes_are_docker_s(text: str, size: int) -> None:
    assert units.parse_size(text) == size


@pytest.mark.parametrize("text", ["", "g", "1.5g", "-1g", "1gb", " 1g"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        units.parse_size(text)


@pytest.mark.parametrize(("size", "text"), [(1 << 30, "1g"), (3 << 29, "1.5g"), (1 << 40, "1t"), (12, "12b")])
def test_sizes_are_shown_short(size: int, text: str) -> None:
    assert units.show_size(size) == text


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-24T03:11:46.123456789Z", "2026-11-24T03:11:46Z"),
        ("2026-11-24T05:11:46+02:00", "2026-11-24T03:11:46Z"),
        ("0001-01-01T00:00:00Z", None),
        ("", None),
        (None, None),
    ],
)
def test_docker_s_times(text: object, moment: str | None) -> None:
    assert units.from_docker(text) == moment


@pytest.mark.parametrize(("text", "found"), [("2023-11-14T22:13:20Z", 1.7e9), (None, None), ("soon", None)])
def test_seconds_of_a_time(text: str | None, found: float | None) -> None:
    assert units.seconds(text) == found
