"""Reserved ports are merged with what is there, now and at boot, and only the added ones are taken away again."""

from __future__ import annotations

from typing import Any

import pytest

from unit.plugins.loading import load

ports = load("filter/npufleet_ports.py")

OURS = "/etc/sysctl.d/99-zz-npufleet-hccl-ports.conf"
HCCL = "60000-60031"


def facts(live: str, *files: tuple[str, str] | tuple[str, str, bool]) -> dict[str, Any]:
    return {
        "live": live,
        "files": [{"path": f[0], "ports": f[1], "active": f[2] if len(f) > 2 else True} for f in files],
    }


def plan(node: dict[str, Any], **options: Any) -> dict[str, Any]:
    return dict(ports.npufleet_ports_plan(node, HCCL, OURS, **options))


@pytest.mark.parametrize(
    ("text", "normal"),
    [("", ""), ("8080", "8080"), ("9,8,7", "7-9"), ("60000-60015, 60016-60031", HCCL), ("1-3 2-5", "1-5")],
)
def test_a_list_is_printed_as_the_kernel_does(text: str, normal: str) -> None:
    assert ports.text_of(ports.ports_of(text)) == normal


def test_a_bare_node_gets_both() -> None:
    assert plan(facts("")) == {
        "live": HCCL, "boot": HCCL, "opponents": [], "record": {"live": "", "added": HCCL},
    }  # fmt: skip


def test_what_others_reserve_stays_where_they_reserve_it() -> None:
    found = plan(facts("8080,9100", ("/etc/sysctl.d/10-site.conf", "8080")))
    assert (found["live"], found["boot"]) == ("8080,9100,60000-60031", "8080,60000-60031")


def test_a_node_that_reserves_them_itself_is_left_alone() -> None:
    found = plan(facts("59000-61000", ("/etc/sysctl.d/10-site.conf", "59000-61000")))
    assert (found["live"], found["boot"], found["opponents"]) == (None, None, [])


@pytest.mark.parametrize("path", ["/etc/sysctl.d/99-zzz.conf", "/etc/sysctl.conf"])
def test_a_later_file_is_silenced_and_its_ports_are_kept(path: str) -> None:
    found = plan(facts("8080", (path, "8080")))
    assert (found["boot"], found["opponents"]) == ("8080,60000-60031", [path])


def test_a_second_run_has_nothing_to_do() -> None:
    first = plan(facts("8080", ("/etc/sysctl.d/99-zzz.conf", "8080")))
    now = facts(first["live"], (OURS, first["boot"]), ("/etc/sysctl.d/99-zzz.conf", "8080", False))
    second = plan(now, found=first["record"])
    assert (second["live"], second["opponents"]) == (None, [])
    assert (second["boot"], second["record"]) == (first["boot"], first["record"])


def test_a_later_file_that_reserves_enough_is_no_opponent() -> None:
    assert plan(facts(HCCL, (OURS, HCCL), ("/etc/sysctl.conf", "1,60000-60031")))["opponents"] == []


def test_what_is_no_port_is_told() -> None:
    assert ports.npufleet_ports_plan(facts(""), "60031-60000", OURS) == {"error": "60031-60000 is no range of ports"}
    assert "error" in ports.npufleet_ports_plan(facts(""), "70000", OURS)


@pytest.mark.parametrize(
    ("live", "record", "left"),
    [
        (HCCL, {"live": "", "added": HCCL}, ""),
        ("8080,60000-60031", {"live": "8080", "added": HCCL}, "8080"),
        ("60000-60031", {"live": "60000-60015", "added": HCCL}, "60000-60015"),
        ("7,60000-60031", {"live": "", "added": HCCL}, "7"),
        (HCCL, {"live": HCCL, "added": HCCL}, None),
        ("8080", {"live": "8080", "added": HCCL}, None),
    ],
)
def test_only_added_ports_are_taken_away(live: str, record: dict[str, str], left: str | None) -> None:
    assert ports.npufleet_ports_undo(live, record) == left
