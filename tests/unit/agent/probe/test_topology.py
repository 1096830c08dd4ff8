"""How NPUs are joined: both directions alike, or not known."""

from __future__ import annotations

from npu_agent.probe.topology import Hccs, Topology, parse_hccs, parse_topology
from unit.agent.recorded import read


def test_two_dies_of_one_card() -> None:
    found = parse_topology(read("other/910C_topo_container_2chips.txt"))
    assert found.labels == ("Phy-ID12", "Phy-ID13")
    assert found.links["Phy-ID12", "Phy-ID13"] == "SIO"
    assert found.complete


def test_a_pair_that_is_not_printed_alike_is_unknown() -> None:
    text = read("other/910B3_topo_8cards.txt").replace("NPU1       HCCS ", "NPU1       PHB  ", 1)
    found = parse_topology(text)
    assert ("NPU0", "NPU1") not in found.links
    assert ("NPU1", "NPU0") not in found.links
    assert found.links["NPU0", "NPU2"] == "HCCS"
    assert not found.complete


def test_a_row_that_lost_a_cell_says_nothing() -> None:
    text = read("other/910B3_topo_8cards.txt").replace("NPU1       HCCS       X ", "NPU1       X ", 1)
    found = parse_topology(text)
    assert not any("NPU1" in pair for pair in found.links)
    assert "NPU1" not in found.cpus


def test_no_matrix() -> None:
    assert parse_topology("This device does not support hccs topo.") == Topology()


def test_ring_counters() -> None:
    assert parse_hccs("") == Hccs()
    damaged = parse_hccs("hccs health status : OK\nhccs error count : [0 x 0]\nhccs tx packets : [1 2")
    assert damaged == Hccs("OK", {"error count": (0, None, 0)})
