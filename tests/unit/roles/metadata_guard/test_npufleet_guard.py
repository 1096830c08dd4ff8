"""The guard without a node: cgroups as kernels show them, rules as filters take them."""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from npufleet_guard import cgroups, filters, guard, probe, rules
from npufleet_guard.engine import Engine, Network
from npufleet_guard.run import Done

ID = "8f" * 32
HYBRID = f"12:net_cls,net_prio:/docker/{ID}\n1:name=systemd:/docker/{ID}\n0::/docker/{ID}\n"
V2 = f"0::/system.slice/docker-{ID}.scope/worker\n"
# A runtime from before it knew the hybrid layout: the container is in v1 only.
OLD_RUNTIME = f"4:memory:/docker/{ID}\n0::/system.slice/docker.service\n"
MOUNTS = """\
tmpfs /sys/fs/cgroup tmpfs ro,nosuid 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw,nosuid 0 0
cgroup /sys/fs/cgroup/net_cls,net_prio cgroup rw,nosuid,net_cls,net_prio 0 0
"""
BOTH = ["169.254.169.254", "FE80:0::a9fe:a9fe"]


def test_hierarchies_are_found_by_what_is_mounted() -> None:
    assert cgroups.mounts(MOUNTS) == cgroups.Mounts("/sys/fs/cgroup/unified", "/sys/fs/cgroup/net_cls,net_prio")
    assert cgroups.mounts("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n") == cgroups.Mounts("/sys/fs/cgroup", "")
    assert cgroups.mounts("") == cgroups.Mounts("", "")


def test_a_process_is_in_a_container_when_any_hierarchy_says_so() -> None:
    assert cgroups.member(7, HYBRID) == cgroups.Member(7, ID, f"docker/{ID}", f"docker/{ID}")
    assert cgroups.member(7, OLD_RUNTIME) == cgroups.Member(7, ID, "system.slice/docker.service", "")
    assert cgroups.member(7, "0::/user.slice/session-1.scope\n") is None


@pytest.mark.parametrize(
    ("text", "group"),
    [(HYBRID, f"docker/{ID}"), (V2, f"system.slice/docker-{ID}.scope"), (OLD_RUNTIME, "")],
)
def test_the_own_group_of_a_container_ends_with_its_id(text: str, group: str) -> None:
    seen = cgroups.member(7, text)
    assert seen
    assert cgroups.own_group(seen) == group


def test_rules_name_parents_that_exist_and_containers_outside_of_them(tmp_path: Path) -> None:
    (tmp_path / "docker").mkdir()
    found = [
        seen for seen in (cgroups.member(1, HYBRID), cgroups.member(2, V2), cgroups.member(3, OLD_RUNTIME)) if seen
    ]
    named = cgroups.nameable(found, ["docker", "npufleet.slice"], str(tmp_path))
    assert named == ["docker", f"system.slice/docker-{ID}.scope"]


def test_a_name_that_begins_alike_is_not_inside() -> None:
    assert cgroups.inside("docker/x", ["docker"])
    assert not cgroups.inside("docker2/x", ["docker"])


def test_members_share_the_network_of_the_first_process(tmp_path: Path) -> None:
    for pid, text, network in ((1, "0::/init.scope\n", "a"), (8, HYBRID, "a"), (9, HYBRID, "b")):
        (tmp_path / str(pid) / "ns").mkdir(parents=True)
        (tmp_path / str(pid) / "cgroup").write_text(text)
        (tmp_path / str(pid) / "ns/net").symlink_to(f"net:[{network}]")
    (tmp_path / "10").mkdir()  # ended while it was looked at
    assert [seen.pid for seen in cgroups.members(str(tmp_path))] == [8]


def test_nft_counts_the_level_from_the_hierarchys_own_root() -> None:
    text = rules.nft(rules.Rules(BOTH, "/sys/fs/cgroup/unified", ["docker", "system.slice/x.scope"]))
    assert 'ip daddr 169.254.169.254 socket cgroupv2 level 1 "unified/docker" reject' in text
    assert 'ip6 daddr fe80::a9fe:a9fe socket cgroupv2 level 2 "unified/system.slice/x.scope" reject' in text
    assert 'level 1 "docker"' in rules.nft(rules.Rules(BOTH, "/sys/fs/cgroup", ["docker"]))


def test_without_a_way_to_tell_them_apart_nothing_local_is_refused() -> None:
    bare = rules.Rules(BOTH)
    assert not bare.tells_apart
    assert "reject" not in rules.nft(bare).partition("chain output")[2]
    assert f"-A {rules.LOCAL}" not in rules.iptables(bare, 4)
    assert f"-A {rules.FORWARDED} -d 169.254.169.254" in rules.iptables(bare, 4)


def test_iptables_gets_the_addresses_of_its_family() -> None:
    with_class = rules.Rules(BOTH, class_id=cgroups.CLASS)
    assert "fe80::a9fe:a9fe -m cgroup --cgroup 1313887558" in rules.iptables(with_class, 6)
    assert "169.254" not in rules.iptables(with_class, 6)
    assert "fe80" not in rules.iptables(with_class, 4)


def test_only_dockers_own_chain_may_stand_in_front() -> None:
    ours, users = f"-A FORWARD -j {rules.FORWARDED}", "-A FORWARD -j DOCKER-USER"
    assert filters.leads([ours, users], "FORWARD", rules.FORWARDED)
    assert filters.leads([users, ours], "FORWARD", rules.FORWARDED)
    assert not filters.leads(["-A FORWARD -j ACCEPT", ours], "FORWARD", rules.FORWARDED)
    assert not filters.leads([], "FORWARD", rules.FORWARDED)


def test_only_the_nodes_own_hardware_address_may_send() -> None:
    text = rules.nft_by_hardware(BOTH, {"eth1": "02:00:00:00:00:01"})
    assert 'hook egress device "eth1"' in text
    assert "ether saddr != 02:00:00:00:00:01 ip daddr 169.254.169.254 drop" in text


@pytest.mark.parametrize("hook", ['device "eth0"', 'devices = { "eth0", "bond0.7" }'])
def test_interfaces_of_a_listed_table(hook: str) -> None:
    listing = f"chain egress0 {{\n type filter hook egress {hook} priority filter; policy accept;\n}}"
    assert guard.nft_devices(listing)[-1] == "eth0"
    assert guard.nft_devices("") == []


def config(**changes: Any) -> guard.Config:
    given: dict[str, Any] = {"addresses": BOTH, "method": "cgroup-v2-path", "filter": "auto", "driver": "cgroupfs"}
    return guard.Config(**{**given, "parents": ["docker"], "accepted": [], **changes})


def judged(text: str, read: Engine | None, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> guard.Findings:
    seen = cgroups.member(7, text)
    monkeypatch.setattr(cgroups, "members", lambda: [seen] if seen else [])
    monkeypatch.setattr(guard, "_MOMENT_S", 0)
    return guard._judge(config(**changes), "/nowhere", read, "nft", [], [])


def test_containers_are_named_by_how_far_they_are_covered(monkeypatch: pytest.MonkeyPatch) -> None:
    read = Engine({ID: "train"}, [])
    assert judged(HYBRID, read, monkeypatch)[1:] == ([], [], [])
    assert "train" in judged(V2, read, monkeypatch).notes[0]
    assert "train" in judged(OLD_RUNTIME, read, monkeypatch).exposed[0]
    assert "train" in judged(HYBRID, read, monkeypatch, method="none").exposed[0]
    assert ID[:12] in judged(OLD_RUNTIME, Engine({}, []), monkeypatch).exposed[0]


def test_a_container_that_is_just_being_made_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    born, settled = cgroups.member(7, OLD_RUNTIME), cgroups.member(7, HYBRID)
    looks = iter([[born], [born], [settled]])
    monkeypatch.setattr(cgroups, "members", lambda: next(looks))
    monkeypatch.setattr(guard, "_MOMENT_S", 0)
    assert guard._judge(config(), "/nowhere", Engine({ID: "train"}, []), "nft", [], [], 3).exposed == []


def test_an_engine_that_is_silent_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "not known" in judged("", None, monkeypatch).notes[0]
    ran: list[str] = []

    def run(text: str) -> Done:
        ran.append(text)
        return Done(0, 'hook egress device "eth0" priority', "")

    monkeypatch.setattr(guard, "nft_run", run)
    assert guard._close_parents(config(), None) == ["eth0"]
    assert [text for text in ran if "delete" in text] == []


def test_networks_past_the_filter_are_named_until_they_are_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    read = Engine({}, [Network("wire", "ipvlan", "eth0", ["train"])])
    assert "ipvlan network wire, with train on it now" in judged("", read, monkeypatch).exposed[0]
    accepted = judged("", read, monkeypatch, accepted=["wire"])
    assert accepted.exposed == []
    assert "wire" in accepted.notes[0]


def test_a_hierarchy_that_is_not_mounted_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroups, "now", lambda: cgroups.Mounts("", ""))
    with pytest.raises(OSError, match="not mounted"):
        guard._mount(config())


def test_a_node_without_nft_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    monkeypatch.setitem(sys.modules, "nftables", None)
    assert "nft is not installed" in filters.Nft().load(rules.Rules(BOTH))


def test_a_datagram_that_leaves_is_no_proof_of_a_guard() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        assert probe._send((socket.AF_INET, receiver.getsockname())) == probe.SENT


def test_a_probe_that_has_no_group_to_enter_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert probe.from_group(str(tmp_path / "file"), "127.0.0.1").startswith("not tried")
