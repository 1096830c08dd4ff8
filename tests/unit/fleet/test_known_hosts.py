from __future__ import annotations

import base64
import hashlib
import hmac
from pathlib import Path

import pytest

from npufleet import known_hosts
from npufleet.known_hosts import Target


def hashed(name: str) -> str:
    digest = hmac.digest(b"salt", name.encode(), hashlib.sha1)
    return f"|1|{base64.b64encode(b'salt').decode()}|{base64.b64encode(digest).decode()}"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "known_hosts"
    lines = ["# c", "", "n-1,10.0.0.1 ssh-ed25519 AAAA", f"{hashed('n-2')} ssh-ed25519 AAAA", "*.lan ssh-rsa AAAA"]
    lines += [
        "[n-3]:2222 ssh-ed25519 AAAA",
        "@revoked n-4 ssh-ed25519 AAAA",
        "@cert-authority n-5 ssh-rsa AAAA",
        "n-6 x",
    ]
    path.write_text("\n".join(lines))
    return path


@pytest.mark.parametrize(
    ("address", "port", "known"),
    [
        ("10.0.0.1", "22", True), ("n-2", "22", True), ("x.lan", "22", True), ("n-3", "2222", True),
        ("n-3", "22", False), ("n-4", "22", False), ("n-5", "22", True), ("n-6", "22", False), ("n-7", "22", False),
    ],
)  # fmt: skip
def test_who_is_known(file: Path, address: str, port: str, known: bool) -> None:
    target = Target(address, port, f"-o UserKnownHostsFile={file} -o StrictHostKeyChecking=yes")
    assert (known_hosts.unknown({"n": target}) == []) is known


def test_who_does_not_check_needs_no_key(tmp_path: Path) -> None:
    arguments = f"-o UserKnownHostsFile={tmp_path / 'none'} -o StrictHostKeyChecking="
    assert known_hosts.unknown({"n": Target("a", "22", arguments + "accept-new")}) == []
    assert known_hosts.unknown({"n": Target("a", "22", arguments + "yes")}) == ["n"]
