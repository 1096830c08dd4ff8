"""SSH keys of a lab: one for the person, one host key per node, so that host key checking stays on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


@dataclass(frozen=True)
class KeyPair:
    private: Path

    @property
    def public_line(self) -> str:
        return self.private.with_suffix(".pub").read_text().strip()


def ensure(private: Path, comment: str) -> KeyPair:
    """An ed25519 key pair in OpenSSH's format, made once."""
    pair = KeyPair(private)
    if private.is_file() and private.with_suffix(".pub").is_file():
        return pair
    private.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = Ed25519PrivateKey.generate()
    formats = serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    private.touch(mode=0o600)
    private.write_bytes(key.private_bytes(*formats))
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    private.with_suffix(".pub").write_text(f"{public.decode()} {comment}\n")
    return pair
