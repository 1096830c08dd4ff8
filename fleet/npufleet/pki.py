"""The keys of a site: its fleet secret, the tokens derived from it, and the CA that signed the agents' certificates."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from npufleet.errors import CredentialError

PREPARE_FIRST = "Prepare the fleet first: npufleet prepare (or ansible-playbook site.yml) creates it."


def derive_token(secret: str, scope: str, node: str) -> str:
    """One token per node and scope: a token that leaks from one node opens no other."""
    message = f"npufleet-token-v1|{scope}|{node}".encode()
    return "npf_" + hmac.new(secret.strip().encode(), message, hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class Credentials:
    """Either the site's secret, from which every token follows, or one token that the operator gave."""

    ca: Path
    secret: str | None = field(default=None, repr=False)
    given_token: str | None = field(default=None, repr=False)

    def token(self, node: str, scope: str) -> str:
        if self.given_token is not None:
            return self.given_token
        assert self.secret is not None, "load() sets one of the two"
        return derive_token(self.secret, scope, node)


def load(folder: Path, environ: Mapping[str, str] = os.environ) -> Credentials:
    """Read `folder`/pki; NPUFLEET_TOKEN stands in for the secret where an operator holds only a token."""
    pki = folder / "pki"
    ca = pki / "ca.crt"
    if not _read(ca, "The certificate of the fleet's CA").startswith("-----BEGIN CERTIFICATE-----"):
        raise CredentialError(f"{ca} is not a PEM certificate.", remedy="Restore it, or prepare the fleet again.")
    if token := environ.get("NPUFLEET_TOKEN"):
        return Credentials(ca, given_token=token)
    secret = _read(pki / "fleet.secret", "The fleet's secret").strip()
    if not re.fullmatch(r"[0-9a-f]{64}", secret):
        raise CredentialError(
            f"{pki / 'fleet.secret'} does not hold 64 hexadecimal digits.",
            code="credentials-invalid",
            remedy="Restore it from a backup; a new one needs npufleet prepare on every node.",
        )
    return Credentials(ca, secret=secret)


def _read(path: Path, what: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise CredentialError(f"{what}, {path}, does not exist.", remedy=PREPARE_FIRST) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise CredentialError(
            f"{what}, {path}, cannot be read: {reason}.",
            code="credentials-unreadable",
            remedy="Run as the user who prepared the fleet, or set NPUFLEET_TOKEN and make ca.crt readable.",
        ) from None
