"""What a node is asked to be."""

from __future__ import annotations

import pytest

from npufleet_lab.errors import LabUsageError
from npufleet_lab.node_spec import NodeSpec, assign


def test_lists_are_dealt_out_in_turn() -> None:
    specs = assign([1, 2, 3], ["debian12", "hce2"], ["910B3"], ["23.0.7", "24.1.0"])
    assert [(spec.os, spec.chip, spec.driver) for spec in specs] == [
        ("debian12", "910B3", "23.0.7"),
        ("hce2", "910B3", "24.1.0"),
        ("debian12", "910B3", "23.0.7"),
    ]


def test_a_spec_survives_its_label() -> None:
    spec = NodeSpec(4, "hce2", "A3", "25.3.rc1")
    assert NodeSpec.from_label(spec.to_label()) == spec


def test_interface_names_differ_between_nodes_and_fit_the_kernel() -> None:
    specs = assign(list(range(1, 17)), ["debian12"], ["910B3"], ["24.1.0"])
    names = [name for spec in specs for name in (spec.management_interface, spec.peer_interface)]
    assert len(set(names)) == len(names)
    assert max(len(name) for name in names) <= 15


def test_npu_smi_is_in_either_place() -> None:
    places = {spec.npu_smi for spec in assign([1, 2], ["debian12"], ["910B3"], ["24.1.0"])}
    assert places == {"/usr/local/sbin/npu-smi", "/usr/local/bin/npu-smi"}


@pytest.mark.parametrize(
    ("systems", "chip", "driver", "part"),
    [
        ("debian12,plan9", "910B3", "24.1.0", "no node system called 'plan9'"),
        ("debian12", "910Z", "24.1.0", "no chip family called '910Z'"),
        ("debian12", "910B3", "latest", "'latest' is no driver version"),
    ],
)
def test_what_does_not_exist_is_refused_by_name(systems: str, chip: str, driver: str, part: str) -> None:
    with pytest.raises(LabUsageError, match=part) as caught:
        assign([1], systems.split(","), [chip], [driver])
    assert caught.value.remedy
