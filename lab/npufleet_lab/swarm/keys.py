"""The simulated fleet's own authority, secret and certificates: they open nothing but simulated nodes."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import ipaddress
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_PEM = serialization.Encoding.PEM
_LIFE = dt.timedelta(days=30)
_NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "simulated fleet")])
_USAGE = x509.KeyUsage(
    digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
    key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
)  # fmt: skip


def token(secret: str, scope: str, node: str) -> str:
    """The same derivation as the site's own: tests/contract compares all of them."""
    message = f"npufleet-token-v1|{scope}|{node}".encode()
    return "npf_" + hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class Authority:
    key: ec.EllipticCurvePrivateKey
    secret: str

    @classmethod
    def make(cls) -> Authority:
        return cls(ec.generate_private_key(ec.SECP256R1()), secrets.token_hex(32))

    def write(self, folder: Path) -> None:
        """Write what the fleet side reads: ca.crt and fleet.secret."""
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        (folder / "ca.crt").write_bytes(self._signed(_NAME, self.key.public_key(), names=()).public_bytes(_PEM))
        (folder / "fleet.secret").touch(mode=0o600)
        (folder / "fleet.secret").write_text(self.secret + "\n", encoding="utf-8")

    def issue(self, folder: Path, key: ec.EllipticCurvePrivateKey, name: str, address: str) -> Path:
        """Write key and certificate of one node into one file."""
        names = (x509.DNSName(name), x509.IPAddress(ipaddress.ip_address(address)))
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self._signed(subject, key.public_key(), names)
        private = key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        path = folder / f"{name}.pem"
        path.touch(mode=0o600)
        path.write_bytes(private + certificate.public_bytes(_PEM))
        return path

    def _signed(
        self, subject: x509.Name, public: ec.EllipticCurvePublicKey, names: tuple[x509.GeneralName, ...]
    ) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(_NAME).public_key(public)
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + _LIFE)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(list(names)), critical=False)
        else:
            builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            builder = builder.add_extension(_USAGE, critical=True)
        return builder.sign(self.key, hashes.SHA256())
