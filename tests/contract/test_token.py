"""The tokens that the control side derives: the roles' filter is held to the same vector."""

from __future__ import annotations

import pytest

from npufleet.pki import derive_token

SECRET = "00" * 32


@pytest.mark.parametrize(
    ("scope", "token"),
    [
        ("operate", "npf_5c7598ff2e76301df424cd3fdf7fb9126f63e38f970c10e6ccf4e5da3ed00a71"),
        ("view", "npf_1626a4f4c888cebab12355ea41d83cd257fb3767f68fb9532810a19905872c70"),
    ],
)
def test_vector(scope: str, token: str) -> None:
    assert derive_token(SECRET, scope, "lab-1") == token
    assert derive_token(f" {SECRET}\n", scope, "lab-1") == token
