"""A certificate is renewed in time, and for each reason that makes it useless."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from unit.plugins.loading import load

certificates = load("filter/npufleet_certificates.py")

AUTHORITY = "-----BEGIN CERTIFICATE-----\n"
WANTED = {
    "for": "inference", "key": "/c/key.pem", "certificate": "/c/cert.pem", "authority": "/c/ca.pem",
    "names": ["n1", "10.0.0.1"], "uid": 1000, "gid": 100,
}  # fmt: skip
KEY = {"uid": 1000, "gid": 100, "mode": "0600"}
CA = {"sha256": hashlib.sha256(AUTHORITY.encode()).hexdigest()}
GOOD = {"days_left": 90, "names": ["10.0.0.1", "n1"]}


def due(certificate: Any = GOOD, key: Any = KEY, authority: Any = CA) -> list[str]:
    given = {"/c/key.pem": key, "/c/ca.pem": authority}
    node = {
        "certificates": {} if certificate is None else {"/c/cert.pem": certificate},
        "files": {path: facts for path, facts in given.items() if facts is not None},
    }
    return [item["reason"] for item in certificates.npufleet_certificates_due([WANTED], node, AUTHORITY, 30)]


def test_a_good_one_stays() -> None:
    assert due() == []


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"certificate": None}, "there is none"),
        ({"key": None}, "there is none"),
        ({"authority": {"sha256": "0"}}, "it is of another authority"),
        ({"certificate": {**GOOD, "days_left": 29}}, "it ends in 29 days"),
        ({"certificate": {**GOOD, "names": ["n1"]}}, "the names of the node changed"),
        ({"key": {**KEY, "uid": 0}}, "others can read its key, or its user cannot"),
        ({"key": {**KEY, "mode": "0644"}}, "others can read its key, or its user cannot"),
    ],
)
def test_why_it_is_renewed(facts: dict[str, Any], why: str) -> None:
    assert due(**facts) == [why]
