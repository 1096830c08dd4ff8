"""Bearer tokens: stored as SHA-256, compared in constant time, re-read when root changes the file."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, Optional

from npu_agent import api, schema
from npu_agent.problem import ProblemError

log = logging.getLogger(__name__)

FAILURES_ALLOWED = 10
WINDOW_S = 60.0
CLIENTS_REMEMBERED = 1024


@dataclass(frozen=True)
class Token:
    name: str
    sha256: str
    scopes: frozenset[str]


@dataclass(frozen=True)
class Caller:
    """Who asks, and what it may do."""

    name: str
    scopes: frozenset[str]
    via: str = "token"


LOCAL_ROOT = Caller("root on this node", frozenset({api.SCOPE_VIEW, api.SCOPE_OPERATE}), "socket")


class ForbiddenError(ProblemError):
    """Somebody who is known may not do this."""

    def __init__(self, who: str, words: str, scope: str) -> None:
        detail = f"{words} has no scope {scope} on this node."
        super().__init__(403, api.CODE_FORBIDDEN, detail, f"Use one with the scope {scope}.")
        self.who = who


def local_root(uid: Optional[int], words: str, *, is_root: bool) -> Caller:
    """Whoever came through root's socket, with what the kernel knows of the process."""
    if not is_root:
        raise ProblemError(
            403, api.CODE_FORBIDDEN, f"This socket is root's, and the caller is the user {uid}.", "Ask as root."
        )
    return Caller(LOCAL_ROOT.name + words, LOCAL_ROOT.scopes, LOCAL_ROOT.via)


class TokenFile:
    """The accepted tokens, and the names of accepted client certificates.

    A file that is gone or broken accepts nobody: never yesterday's tokens.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: Optional[tuple[int, int, int]] = None
        self._tokens: tuple[Token, ...] = ()
        self._clients: dict[str, frozenset[str]] = {}

    def find(self, secret: str) -> Optional[Token]:
        self._refresh()
        digest = hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
        found = None
        for token in self._tokens:  # every token is compared, so that time tells nothing about the place of a match
            if hmac.compare_digest(token.sha256, digest):
                found = token
        return found

    def scopes_of(self, certificate: str) -> Optional[frozenset[str]]:
        """What the owner of a client certificate of the fleet's CA may do; None where the node does not know it."""
        self._refresh()
        return self._clients.get(certificate)

    def _refresh(self) -> None:
        try:
            stat = self._path.stat()
            signature = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            if signature != self._seen:
                self._tokens, self._clients = self._read()
                self._seen = signature
        except (OSError, ValueError) as error:
            if self._tokens or self._seen is None:
                log.warning("no token is accepted: %s: %s", self._path, error)
            self._tokens, self._clients, self._seen = (), {}, (0, 0, 0)

    def _read(self) -> tuple[tuple[Token, ...], dict[str, frozenset[str]]]:
        document = json.loads(self._path.read_text(encoding="utf-8"))
        schema.check("tokens", document)
        tokens = tuple(Token(t["name"], t["sha256"], frozenset(t["scopes"])) for t in document["tokens"])
        return tokens, {c["name"]: frozenset(c["scopes"]) for c in document.get("clients", ())}


class FailureLimit:
    """Failed attempts per client address in a sliding minute; bounded, forgets the oldest address first."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, list[float]] = OrderedDict()

    def _recent(self, client: str) -> list[float]:
        start = self._clock() - WINDOW_S
        return [moment for moment in self._failures.get(client, ()) if moment > start]

    def blocked(self, client: str) -> bool:
        return len(self._recent(client)) >= FAILURES_ALLOWED

    def failed(self, client: str) -> None:
        self._failures[client] = [*self._recent(client), self._clock()]
        self._failures.move_to_end(client)
        while len(self._failures) > CLIENTS_REMEMBERED:
            self._failures.popitem(last=False)


class Authenticator:
    def __init__(self, tokens: TokenFile, limit: Optional[FailureLimit] = None) -> None:
        self._tokens = tokens
        self._limit = limit or FailureLimit()

    def authorise(
        self, authorization: Optional[str], client: str, scope: str, certificate: Optional[str] = None
    ) -> Caller:
        """Return the caller, or raise 401, 403 or 429. `certificate` is the name in one that TLS has verified.

        A right token is always let in: a neighbour's failures behind the same address must not lock the fleet out.
        A token that is sent decides, also where it is wrong.
        """
        if authorization is None and certificate is not None:
            return self._by_certificate(certificate, scope)
        kind, _, secret = (authorization or "").partition(" ")
        token = self._tokens.find(secret.strip()) if kind.lower() == "bearer" and secret.strip() else None
        if token is None:
            self._refuse(client, given=authorization is not None)
        if scope not in token.scopes:
            raise ForbiddenError(token.name, f"The token {token.name}", scope)
        return Caller(token.name, token.scopes)

    def _by_certificate(self, certificate: str, scope: str) -> Caller:
        scopes = self._tokens.scopes_of(certificate)
        if scopes is None or scope not in scopes:
            raise ForbiddenError(certificate, f"The certificate {certificate[:64]!r}", scope)
        return Caller(certificate, scopes, "certificate")

    def _refuse(self, client: str, *, given: bool) -> NoReturn:
        if given and self._limit.blocked(client):
            raise ProblemError(
                429,
                api.CODE_RATE_LIMIT,
                f"More than {FAILURES_ALLOWED} wrong tokens came from this address within a minute.",
                "Wait a minute, then send the right token.",
            )
        if given:
            self._limit.failed(client)
        detail = "The token is not known on this node." if given else "This needs a bearer token."
        raise ProblemError(401, api.CODE_UNAUTHENTICATED, detail, "Send `Authorization: Bearer <token>` of this node.")
