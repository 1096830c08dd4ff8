from __future__ import annotations

from typing import Any

import pytest

from npu_agent import api
from npufleet import wire

NPU = {"npu": 3, "state": "healthy", "power_w": 93, "holder": {"kind": "workload", "name": "x"}}


def test_good_document_becomes_types() -> None:
    npu = wire.read(api.Npu, NPU)
    assert npu.holder == api.Holder("workload", "x")
    assert npu.temperature_c is None


def test_keys_of_a_newer_agent_are_passed_over() -> None:
    assert wire.read(api.Npu, {**NPU, "colour": "blue"}).npu == 3


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"npu": "3"}, "Npu.npu is str"),
        ({"npu": True}, "Npu.npu is bool"),
        ({"npu": None}, "Npu.npu is NoneType"),
        ({"power_w": "93"}, "Npu.power_w is str"),
        ({"holder": "x"}, "Npu.holder is str"),
        ({"holder": {"kind": "workload"}}, "name"),
        ({"error_codes": "80E01801"}, "Npu.error_codes is str"),
        ({"error_codes": [1]}, r"Npu.error_codes\[0\] is int"),
    ],
)
def test_wrong_types_are_named(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(wire.WireError, match=said):
        wire.read(api.Npu, {**NPU, **changes})


@pytest.mark.parametrize("document", [None, [], "x", 3, {}, {"state": "healthy"}])
def test_what_is_no_such_document(document: object) -> None:
    with pytest.raises(wire.WireError):
        wire.read(api.Npu, document)


@pytest.mark.parametrize("document", [None, {}, {"npus": {}}, {"npus": [3]}])
def test_list_that_is_none(document: object) -> None:
    with pytest.raises(wire.WireError):
        wire.read_list(api.Npu, document, "npus")
