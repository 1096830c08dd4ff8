"""The lab's SSH keys."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.serialization import load_ssh_private_key

from npufleet_lab import keys


def test_a_key_pair_is_made_once_and_kept(tmp_path: Path) -> None:
    first = keys.ensure(tmp_path / "ssh" / "id", "somebody")
    content = first.private.read_bytes()
    assert keys.ensure(tmp_path / "ssh" / "id", "somebody").private.read_bytes() == content
    assert first.private.stat().st_mode & 0o777 == 0o600
    assert first.public_line.startswith("ssh-ed25519 ")
    assert first.public_line.endswith(" somebody")
    load_ssh_private_key(content, password=None)
