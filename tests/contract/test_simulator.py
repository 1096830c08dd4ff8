"""What the simulated tools print is what the agent reads: two parts that know nothing of each other."""

from __future__ import annotations

import pytest

from npu_agent.probe import document, parse_mapping
from npu_agent.probe.document import document_of
from npu_agent.probe.recognise import recognise
from npu_agent.run import Completed
from npufleet_lab.node import faults, hccn, npu_smi, state
from npufleet_lab.node.chips import FAMILIES

CHIPS = sorted(FAMILIES)
KINDS = ("health", "ecc", "usages", "board", "common", "memory", "power", "temp", "err-count")
PORT = ("-ip", "-link", "-net_health", "-link_stat", "-optical", "-stat", "-gateway")


@pytest.mark.parametrize("chip", CHIPS)
def test_every_chip_of_a_table_is_read(chip: str) -> None:
    current = state.initial(chip, "24.1.0")
    found = document(npu_smi.answer(["info"], current)[0])
    assert found["complete"], found["errors"]
    assert [(c["npu_id"], c["temperature_c"]) for c in found["chips"]] == [
        (npu["card"], npu["temperature"]) for npu in current["npus"]
    ]
    mapping = parse_mapping(npu_smi.answer(["info", "-m"], current)[0])
    expected = {npu["npu"] for npu in current["npus"]}
    assert {mapping.npu_of(c["npu_id"], c["chip_id"]) for c in found["chips"]} == expected


@pytest.mark.parametrize("chip", CHIPS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_question_is_recognised(chip: str, kind: str) -> None:
    current = state.initial(chip, "24.1.0")
    npu = current["npus"][-1]
    text, _ = npu_smi.answer(["info", "-t", kind, "-i", str(npu["card"]), "-c", str(npu["chip"])], current)
    found = recognise(text)
    assert found is not None, text
    assert found.output == f"npu-smi info -t {kind}"


@pytest.mark.parametrize("words", PORT)
def test_every_port_is_recognised(words: str) -> None:
    text, status = hccn.answer(["-i", "3", words, "-g"], state.initial("910B3", "24.1.0"))
    found = recognise(text)
    assert status == 0
    assert found is not None
    assert found.output == f"hccn_tool {words} -g"


@pytest.mark.parametrize(("fault", "kind"), [("occupied", "occupied"), ("not-ready", "driver-not-ready")])
def test_every_refusal_has_its_class(fault: str, kind: str) -> None:
    broken = faults.apply(state.initial("910B3", "24.1.0"), faults.parse([fault]))
    text, status = npu_smi.answer(["info"], broken)
    found = document_of(Completed(("npu-smi", "info"), status, text))
    assert [error["class"] for error in found["errors"]] == [kind]
    assert not found["complete"]
