"""Which tool printed a text. What each says is held by the recorded outputs."""

from __future__ import annotations

import pytest

from npu_agent.probe.recognise import recognise
from unit.agent.recorded import healthy_table, read


@pytest.mark.parametrize(
    ("name", "output"),
    [
        ("other/910A_health_OK_doc.txt", "npu-smi info -t health"),
        ("other/950_fault_event_doc.txt", "npu-smi info -t current-fault-event"),
        ("other/910_hccs_block_real.txt", "npu-smi info -t hccs"),
        ("info_m/910B3_with_Mcu_excerpt.txt", "npu-smi info -m"),
        ("other/hccn_conf_910B1.txt", "/etc/hccn.conf"),
        ("other/driver_version_info_23.0.7.txt", "version.info"),
    ],
)
def test_named(name: str, output: str) -> None:
    found = recognise(read(name))
    assert found is not None
    assert found.output == output


@pytest.mark.parametrize(
    "text", ["", "hello", "OK", "{}", '{"device": "0", "status": "completed"}', "\x00\xff", healthy_table()]
)
def test_nobodys(text: str) -> None:
    assert recognise(text) is None


@pytest.mark.parametrize("kept", [3, 5, 6])
def test_a_cut_table_is_no_other_answer(kept: int) -> None:
    assert recognise("\n".join(healthy_table().splitlines()[:kept])) is None
