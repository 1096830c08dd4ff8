"""The simulated PCI bus as files."""

from __future__ import annotations

from pathlib import Path

from npufleet_lab.node import faults, pci, state


def test_accelerators_appear_with_their_identity(tmp_path: Path) -> None:
    pci.sync(state.initial("910B3", "24.1.0"), tmp_path)
    assert min(path.name for path in tmp_path.iterdir()) == "0000:01:00.0"
    card = tmp_path / "0000:c1:00.0"
    assert (card / "vendor").read_text() == "0x19e5\n"
    assert (card / "device").read_text() == "0xd802\n"
    assert (card / "class").read_text() == "0x120000\n"
    # lspci reads revision and class from the header: offsets 8 and 10.
    header = (card / "config").read_bytes()
    assert (len(header), header[8], header[11]) == (64, 0x20, 0x12)


def test_chips_of_one_card_share_a_function(tmp_path: Path) -> None:
    pci.sync(state.initial("310P3", "24.1.0"), tmp_path)
    assert len(list(tmp_path.iterdir())) == 4


def test_a_dropped_card_leaves_and_returns(tmp_path: Path) -> None:
    well = state.initial("910A", "23.0.7")
    pci.sync(well, tmp_path)
    pci.sync(faults.apply(well, faults.parse(["drop-card", "5"])), tmp_path)
    assert "0000:da:00.0" not in {path.name for path in tmp_path.iterdir()}
    assert len(list(tmp_path.iterdir())) == 7
    pci.sync(well, tmp_path)
    assert len(list(tmp_path.iterdir())) == 8
