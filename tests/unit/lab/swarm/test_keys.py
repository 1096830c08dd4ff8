from __future__ import annotations

from pathlib import Path

from npufleet.pki import derive_token, load
from npufleet_lab.swarm.keys import Authority, token


def test_the_fleet_side_reads_what_was_written(tmp_path: Path) -> None:
    authority = Authority.make()
    authority.write(tmp_path / "pki")
    credentials = load(tmp_path, {})
    assert credentials.token("sim-0001", "view") == token(authority.secret, "view", "sim-0001")
    assert (tmp_path / "pki/fleet.secret").stat().st_mode & 0o777 == 0o600


def test_tokens_are_derived_as_the_site_derives_them() -> None:
    assert token("00" * 32, "operate", "lab-1") == derive_token("00" * 32, "operate", "lab-1")
