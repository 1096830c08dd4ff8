"""The fleet's authority: made once, signs what the control side says, and keeps its files from others."""

from __future__ import annotations

import datetime as dt
import resource
import signal
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from unit.plugins.loading import load

ca = load("modules/npufleet_ca.py")


def request(*names: str) -> str:
    builder = x509.CertificateSigningRequestBuilder().subject_name(ca.name("whatever"))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), critical=False)
    signed = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pki = tmp_path / "pki"
    ca.ensure(str(pki), ca.missing(str(pki)))
    return pki


def test_nobody_else_reads_key_and_secret(folder: Path) -> None:
    assert folder.stat().st_mode & 0o777 == 0o700
    for name in ("ca.key", "fleet.secret"):
        assert (folder / name).stat().st_mode & 0o777 == 0o600
    secret = (folder / "fleet.secret").read_text()
    assert len(secret.strip()) == 64
    assert secret.endswith("\n")


def test_a_second_run_makes_nothing_anew(folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert ca.missing(str(folder)) == []
    ca.ensure(str(folder), [])
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_certificate_is_for_the_names_that_the_control_side_gives(folder: Path) -> None:
    pem = ca.sign(str(folder), request("evil.example.org"), ["node-1", "10.0.0.5"], 30)
    leaf, authority = x509.load_pem_x509_certificates(pem.encode())
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["node-1"]
    assert [str(a) for a in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.5"]
    leaf.verify_directly_issued_by(authority)
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    left = leaf.not_valid_after_utc - dt.datetime.now(dt.UTC)
    assert dt.timedelta(days=29) < left <= dt.timedelta(days=30)


def test_half_an_authority_is_not_replaced(folder: Path) -> None:
    (folder / "ca.key").unlink()
    with pytest.raises(ValueError, match="only one of"):
        ca.ensure(str(folder), ca.missing(str(folder)))
    assert not (folder / "ca.key").exists()


def test_a_full_disk_leaves_no_empty_secret(tmp_path: Path) -> None:
    """An empty file that every later run would take for the secret gives tokens that anybody can derive."""
    path = tmp_path / "fleet.secret"
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8, most))
    try:
        with pytest.raises(OSError, match="File too large"):
            ca.write(str(path), b"0" * 64, 0o600)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        signal.signal(signal.SIGXFSZ, handler)
    assert not path.exists()
