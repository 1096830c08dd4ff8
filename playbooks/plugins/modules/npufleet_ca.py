#!/usr/bin/python
"""Ansible module for the control machine: the fleet's own certificate authority and its secret."""

from __future__ import annotations

DOCUMENTATION = r"""
module: npufleet_ca
short_description: The fleet's certificate authority
description:
  - Makes the authority (ECDSA P-256) and the fleet's secret when they are not there, and signs a node's request.
    Runs on the control machine; a node's private key never comes here, the authority's never goes to a node.
options:
  folder:
    description: Where C(ca.key), C(ca.crt) and C(fleet.secret) live; made with mode 0700.
    type: path
    required: true
  request:
    description: A certificate request in PEM; only its public key is used.
    type: str
    default: ''
  names:
    description: DNS names and addresses that the certificate is for; the first is its common name.
    type: list
    elements: str
    default: []
  days:
    description: How long the certificate is good.
    type: int
    default: 397
author: npufleet
"""

EXAMPLES = r"""
- name: Make the authority
  npufleet_ca:
    folder: inventory/site/pki
  delegate_to: localhost
"""

RETURN = r"""
certificate:
  description: The signed certificate, then the authority's, in PEM.
  returned: when a request is given
  type: str
"""

import datetime as dt  # noqa: E402  # the documentation comes first by convention
import ipaddress  # noqa: E402  # likewise
import os  # noqa: E402  # likewise
import secrets  # noqa: E402  # likewise
from typing import Any  # noqa: E402  # likewise

from ansible.module_utils.basic import AnsibleModule  # noqa: E402  # likewise

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
except ImportError:
    x509 = None

CA_DAYS = 3650
# Clocks of nodes and control machine differ a little.
LEEWAY = dt.timedelta(hours=1)


def write(path: str, content: bytes, mode: int) -> None:
    """Make a file that was not there, or none; a second run at the same time fails instead of replacing it."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError:
        # On a full disk: an empty secret would be taken for one.
        os.unlink(path)
        raise


def read(path: str) -> bytes:
    with open(path, "rb") as stream:
        return stream.read()


def missing(folder: str) -> list[str]:
    return [name for name in ("ca.key", "ca.crt", "fleet.secret") if not os.path.exists(os.path.join(folder, name))]


def name(text: str) -> Any:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])


def builder(subject: Any, issuer: Any, public_key: Any, days: int) -> Any:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - LEEWAY)
        .not_valid_after(now + dt.timedelta(days=days))
    )


def usage(*, authority: bool) -> Any:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def make_authority(folder: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = name("npufleet CA " + secrets.token_hex(4))
    certificate = (
        builder(subject, subject, key.public_key(), CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage(authority=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    write(os.path.join(folder, "ca.key"), pem, 0o600)
    write(os.path.join(folder, "ca.crt"), certificate.public_bytes(serialization.Encoding.PEM), 0o644)


def alternative(text: str) -> Any:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def sign(folder: str, request_pem: str, names: list[str], days: int) -> str:
    """A certificate for the names that the control side gives: what the request asks for is not looked at."""
    authority = x509.load_pem_x509_certificate(read(os.path.join(folder, "ca.crt")))
    key = serialization.load_pem_private_key(read(os.path.join(folder, "ca.key")), None)
    request = x509.load_pem_x509_csr(request_pem.encode())
    if not request.is_signature_valid:
        raise ValueError("the request is not signed by its own key")
    certificate = (
        builder(name(names[0]), authority.subject, request.public_key(), days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([alternative(item) for item in names]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(request.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    chain = [certificate, authority]
    return "".join(item.public_bytes(serialization.Encoding.PEM).decode() for item in chain)


def ensure(folder: str, lacking: list[str]) -> None:
    os.makedirs(folder, mode=0o700, exist_ok=True)
    if "ca.key" in lacking or "ca.crt" in lacking:
        if len({"ca.key", "ca.crt"} & set(lacking)) == 1:
            raise ValueError(
                f"{folder} holds only one of ca.key and ca.crt; put the other one back, "
                "or remove both to make a new authority (every node then gets a new certificate)"
            )
        make_authority(folder)
    if "fleet.secret" in lacking:
        write(os.path.join(folder, "fleet.secret"), (secrets.token_hex(32) + "\n").encode(), 0o600)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "folder": {"type": "path", "required": True},
            "request": {"type": "str", "default": ""},
            "names": {"type": "list", "elements": "str", "default": []},
            "days": {"type": "int", "default": 397},
        },
        supports_check_mode=True,
    )
    if x509 is None:
        module.fail_json(msg="the control machine's Python lacks the package cryptography: run `make setup`.")
    folder, request = module.params["folder"], module.params["request"]
    lacking = missing(folder)
    result = {"changed": bool(lacking or request), "made": lacking}
    try:
        if not module.check_mode:
            ensure(folder, lacking)
            if request:
                result["certificate"] = sign(folder, request, module.params["names"], module.params["days"])
    except (OSError, ValueError) as error:
        module.fail_json(msg=f"the fleet's certificate authority cannot do that: {error}.")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
