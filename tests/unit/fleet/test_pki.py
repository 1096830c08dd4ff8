from __future__ import annotations

from pathlib import Path

import pytest

from npufleet.errors import CredentialError
from npufleet.pki import derive_token, load

SECRET = "ab" * 32


@pytest.fixture
def site(tmp_path: Path) -> Path:
    pki = tmp_path / "pki"
    pki.mkdir()
    (pki / "ca.crt").write_text("-----BEGIN CERTIFICATE-----\n", encoding="utf-8")
    (pki / "fleet.secret").write_text(SECRET + "\n", encoding="utf-8")
    return tmp_path


def test_token_follows_from_the_secret(site: Path) -> None:
    assert load(site, {}).token("lab-1", "view") == derive_token(SECRET, "view", "lab-1")


def test_each_node_and_scope_has_its_own_token() -> None:
    tokens = {derive_token(SECRET, scope, node) for scope in ("view", "operate") for node in ("lab-1", "lab-2")}
    assert len(tokens) == 4


def test_given_token_stands_in_for_the_secret(site: Path) -> None:
    (site / "pki" / "fleet.secret").unlink()
    assert load(site, {"NPUFLEET_TOKEN": "npf_x"}).token("lab-1", "operate") == "npf_x"


@pytest.mark.parametrize("name", ["ca.crt", "fleet.secret"])
def test_what_is_missing_is_named_with_the_way_to_get_it(site: Path, name: str) -> None:
    (site / "pki" / name).unlink()
    with pytest.raises(CredentialError, match=f"{name}, does not exist") as caught:
        load(site, {})
    assert "npufleet prepare" in caught.value.failure.remedy


@pytest.mark.parametrize("content", ["", "short", "g" * 64, "AB" * 32])
def test_secret_that_is_none(site: Path, content: str) -> None:
    (site / "pki" / "fleet.secret").write_text(content, encoding="utf-8")
    with pytest.raises(CredentialError, match="64 hexadecimal digits"):
        load(site, {})


def test_ca_that_is_no_certificate(site: Path) -> None:
    (site / "pki" / "ca.crt").write_text("hello", encoding="utf-8")
    with pytest.raises(CredentialError, match="not a PEM certificate"):
        load(site, {})


def test_secrets_do_not_show_in_a_traceback(site: Path) -> None:
    assert SECRET not in repr(load(site, {}))
    assert "npf_x" not in repr(load(site, {"NPUFLEET_TOKEN": "npf_x"}))
