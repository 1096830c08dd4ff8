from __future__ import annotations

import socket
import ssl

import pytest
import requests
from urllib3.exceptions import MaxRetryError, NewConnectionError, ProtocolError

from npu_agent import api
from npufleet import agent_errors
from npufleet.agent_errors import AuthError, GarbageError, RefusedError, TlsError, UnreachableError
from unit.fleet.samples import make_node

NODE = make_node("lab-1", "192.0.2.1")


def wrapped(cause: Exception) -> requests.ConnectionError:
    """As requests passes on what urllib3 caught from the socket."""
    inner = NewConnectionError(None, "failed")  # type: ignore[arg-type]  # only its cause is looked at
    inner.__cause__ = cause
    return requests.ConnectionError(MaxRetryError(None, "/v1/node", inner))  # type: ignore[arg-type]  # no pool here


def untrusted(code: int) -> requests.exceptions.SSLError:
    cause = ssl.SSLCertVerificationError("certificate verify failed")
    cause.verify_code = code
    return requests.exceptions.SSLError(MaxRetryError(None, "/", cause))  # type: ignore[arg-type]  # no pool here


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (wrapped(ConnectionRefusedError(111, "Connection refused")), "nothing listens on 192.0.2.1:7443"),
        (wrapped(OSError(113, "No route to host")), "no route to host"),
        (wrapped(socket.gaierror(-2, "Name or service not known")), "cannot be resolved"),
        (requests.ConnectTimeout(), "no answer from 192.0.2.1:7443"),
        (requests.ReadTimeout(), "did not answer in time"),
        (requests.ConnectionError(ProtocolError("aborted", TimeoutError())), "did not answer in time"),
        (requests.ConnectionError("gone"), "broke before an answer came"),
    ],
)
def test_no_answer_is_unreachable_with_cause_and_remedy(error: Exception, said: str) -> None:
    problem = agent_errors.from_transport(NODE, error)
    assert isinstance(problem, UnreachableError)
    assert said in problem.failure.message
    assert problem.failure.remedy
    assert problem.exit_code == 4


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (untrusted(10), "expired"),
        (untrusted(9), "not valid yet"),
        (untrusted(62), "certificate of another node"),
        (untrusted(19), "not signed by this fleet's CA"),
        (requests.exceptions.SSLError(ssl.SSLError(1, "WRONG_VERSION_NUMBER")), "does not speak TLS"),
    ],
)
def test_distrust_says_why(error: Exception, said: str) -> None:
    problem = agent_errors.from_transport(NODE, error)
    assert isinstance(problem, TlsError)
    assert said in problem.failure.message


def test_problem_document_is_passed_on_with_its_holder() -> None:
    document = api.Problem("Held", 409, "NPU 3 is in use.", "npu-held", remedy="Stop it.", npu=3).to_dict()
    document["holder"] = {"kind": "container", "name": "someone-else"}
    problem = agent_errors.from_answer(NODE, 409, document)
    assert isinstance(problem, RefusedError)
    assert problem.failure.code == "npu-held"
    assert problem.failure.message == "lab-1: NPU 3 is in use. (held by container someone-else)"
    assert problem.failure.remedy == "Stop it."


def test_holder_is_not_told_twice() -> None:
    document = {"title": "t", "status": 409, "detail": "held by train-1", "code": "npu-held",
                "holder": {"kind": "workload", "name": "train-1"}}  # fmt: skip
    assert agent_errors.from_answer(NODE, 409, document).failure.message == "lab-1: held by train-1"


@pytest.mark.parametrize(("status", "code"), [(401, "auth"), (403, "auth-scope")])
def test_tokens_that_are_not_accepted(status: int, code: str) -> None:
    problem = agent_errors.from_answer(NODE, status, {"detail": "no such token"})
    assert isinstance(problem, AuthError)
    assert problem.failure.code == code
    assert "no such token" in problem.failure.message


@pytest.mark.parametrize(
    "document", [None, [], {"error": "x"}, {"code": "x"}, {"code": 3, "title": 1, "status": "x", "detail": []}]
)
def test_error_without_a_reason(document: object) -> None:
    problem = agent_errors.from_answer(NODE, 502, document)
    assert isinstance(problem, GarbageError)
    assert "502" in problem.failure.message
