from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Optional

import pytest

from npu_agent import api, auth
from npu_agent.problem import ProblemError


def write(path: Path, **secrets: list[str]) -> None:
    tokens = [
        {"name": name, "sha256": hashlib.sha256(name.encode()).hexdigest(), "scopes": scopes}
        for name, scopes in secrets.items()
    ]
    path.write_text(json.dumps({"tokens": tokens}))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tokens.json"
    write(path, operator=["view", "operate"], viewer=["view"])
    return path


def refused(who: auth.Authenticator, header: Optional[str], scope: str = "view", client: str = "c") -> int:
    with pytest.raises(ProblemError) as caught:
        who.authorise(header, client, scope)
    return caught.value.problem.status


def test_scopes_decide(file: Path) -> None:
    who = auth.Authenticator(auth.TokenFile(file))
    assert who.authorise("Bearer operator", "c", "operate").name == "operator"
    assert who.authorise("bearer viewer", "c", "view").name == "viewer"
    assert refused(who, "Bearer viewer", "operate") == 403


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic operator", "Bearer nobody", "operator"])
def test_everything_else_is_refused(file: Path, header: Optional[str]) -> None:
    assert refused(auth.Authenticator(auth.TokenFile(file)), header) == 401


def test_a_rotated_token_counts_at_once(file: Path) -> None:
    who = auth.Authenticator(auth.TokenFile(file))
    who.authorise("Bearer viewer", "c", "view")
    write(file, successor=["view"])
    assert refused(who, "Bearer viewer") == 401
    who.authorise("Bearer successor", "c", "view")


@pytest.mark.parametrize("text", ["", "{}", '{"tokens": [{"name": "x"}]}', None])
def test_a_broken_or_missing_file_accepts_nobody(file: Path, text: Optional[str]) -> None:
    who = auth.Authenticator(auth.TokenFile(file))
    who.authorise("Bearer viewer", "c", "view")
    if text is None:
        file.unlink()
    else:
        file.write_text(text)
    assert refused(who, "Bearer viewer") == 401


def test_a_certificate_counts_where_the_file_names_it(file: Path) -> None:
    document = json.loads(file.read_text())
    file.write_text(json.dumps({**document, "clients": [{"name": "alice", "scopes": ["view"]}]}))
    who = auth.Authenticator(auth.TokenFile(file))
    assert who.authorise(None, "c", "view", "alice") == auth.Caller("alice", frozenset({"view"}), "certificate")
    for certificate, scope in (("alice", "operate"), ("bob", "view")):
        with pytest.raises(ProblemError) as caught:
            who.authorise(None, "c", scope, certificate)
        assert caught.value.problem.status == 403
    file.write_text(json.dumps(document))
    with pytest.raises(ProblemError):
        who.authorise(None, "c", "view", "alice")


def test_failures_are_limited_per_address_and_forgotten_after_a_minute(file: Path) -> None:
    now = [0.0]
    who = auth.Authenticator(auth.TokenFile(file), auth.FailureLimit(lambda: now[0]))
    assert [refused(who, "Bearer wrong") for _ in range(auth.FAILURES_ALLOWED + 1)][-2:] == [401, 429]
    assert refused(who, "Bearer wrong", client="other") == 401
    who.authorise("Bearer viewer", "c", "view")  # the right token is let in all the same
    now[0] = 61.0
    assert refused(who, "Bearer wrong") == 401


def test_the_memory_of_failures_is_bounded() -> None:
    limit = auth.FailureLimit()
    for index in range(auth.CLIENTS_REMEMBERED + 50):
        limit.failed(str(index))
    assert len(limit._failures) == auth.CLIENTS_REMEMBERED


def test_the_local_root_may_everything() -> None:
    assert {api.SCOPE_VIEW, api.SCOPE_OPERATE} == auth.LOCAL_ROOT.scopes
