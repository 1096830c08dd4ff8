"""What can go wrong between this machine and a node's agent, told as cause and remedy.

AgentError
├── UnreachableError   no answer: refused, timed out, no route, no such name
├── TlsError           an answer, but not from a server that this fleet's CA vouches for
├── AuthError          the agent does not accept the token (401) or its scope (403)
├── RefusedError       the agent said no and why: a problem document
└── GarbageError       an answer that is not this API
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from typing import ClassVar

import requests
from urllib3.exceptions import NameResolutionError

from npu_agent import api
from npufleet import wire
from npufleet.errors import AgentError
from npufleet.inventory import Node
from npufleet.result import Exit


class UnreachableError(AgentError):
    code = "unreachable"
    exit_code: ClassVar[Exit] = Exit.UNREACHABLE


class TlsError(AgentError):
    code = "tls"


class AuthError(AgentError):
    code = "auth"


class GarbageError(AgentError):
    code = "bad-answer"


class RefusedError(AgentError):
    """The agent's own problem document; its code, cause and remedy are passed on as they are."""

    code = "refused"

    def __init__(self, node: str, document: api.Problem) -> None:
        holder = f" (held by {document.holder.sentence()})" if document.holder else ""
        detail = document.detail or document.title
        told = "" if document.holder and document.holder.name in detail else holder
        super().__init__(f"{node}: {detail}{told}", remedy=document.remedy, code=document.code, node=node)
        self.document = document


def from_transport(node: Node, error: Exception) -> AgentError:
    """Turn what requests raised into a sentence; the order matters, as its time-outs are connection errors too."""
    where = f"{node.address}:{node.port}"
    causes = tuple(_chain(error))
    tls = next((cause for cause in causes if isinstance(cause, ssl.SSLError)), None)
    if tls is not None or isinstance(error, requests.exceptions.SSLError):
        return _tls(node, where, tls)
    if isinstance(error, requests.ConnectTimeout):
        return _unreachable(node, f"no answer from {where} within the time limit", "Is the node up, and the port open?")
    if isinstance(error, requests.Timeout) or any(isinstance(cause, TimeoutError) for cause in causes):
        return _unreachable(
            node, f"{where} took the call but did not answer in time", "See journalctl -u npu-agent on the node."
        )
    if any(isinstance(cause, (NameResolutionError, socket.gaierror)) for cause in causes):
        return _unreachable(
            node, f"the name {node.address} cannot be resolved", "Set ansible_host or agent_address in the inventory."
        )
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return _unreachable(
            node,
            f"nothing listens on {where}",
            f"Look at the agent: systemctl status npu-agent on the node, or npufleet prepare --limit {node.name}.",
        )
    return _from_system(node, where, causes)


def _from_system(node: Node, where: str, causes: tuple[BaseException, ...]) -> AgentError:
    system = next((cause for cause in causes if isinstance(cause, OSError) and cause.strerror), None)
    if system is not None:
        return _unreachable(node, f"{where}: {str(system.strerror).lower()}", "Check the network between here and it.")
    return _unreachable(
        node, f"the connection to {where} broke before an answer came", "See journalctl -u npu-agent on the node."
    )


def _unreachable(node: Node, cause: str, remedy: str) -> UnreachableError:
    return UnreachableError(f"{node.name} is unreachable: {cause}.", remedy=remedy, node=node.name)


def _tls(node: Node, where: str, error: ssl.SSLError | None) -> TlsError:
    cause = f"{where} does not speak TLS"
    remedy = "Is agent_port the port of npu-agent?"
    if isinstance(error, ssl.SSLCertVerificationError):
        cause, remedy = _distrust(node, error)
    return TlsError(f"{node.name} is not trusted: {cause}.", remedy=remedy, node=node.name)


# OpenSSL's verify codes: X509_V_ERR_CERT_NOT_YET_VALID, _HAS_EXPIRED, _HOSTNAME_MISMATCH, _IP_ADDRESS_MISMATCH.
_NOT_YET_VALID, _EXPIRED, _WRONG_NAMES = 9, 10, (62, 64)


def _distrust(node: Node, error: ssl.SSLCertVerificationError) -> tuple[str, str]:
    renew = f"Renew it: npufleet prepare --tags certificates --limit {node.name}."
    if error.verify_code == _EXPIRED:
        return "its certificate has expired", renew
    if error.verify_code == _NOT_YET_VALID:
        return "its certificate is not valid yet", "Compare the clocks of this machine and of the node."
    if error.verify_code in _WRONG_NAMES:
        return (
            f"the server at {node.address} shows a certificate of another node",
            "Check the addresses in the inventory; two nodes may have changed places.",
        )
    return "its certificate was not signed by this fleet's CA", renew


def from_answer(node: Node, status: int, document: object) -> AgentError:
    """Turn an answer with an error status into the problem that it tells."""
    if status in {401, 403}:
        return _auth(node, status, document)
    if isinstance(document, dict) and "code" in document:
        try:
            return RefusedError(node.name, wire.read(api.Problem, document))
        except wire.WireError:
            pass
    return GarbageError(
        f"{node.name} answered with HTTP status {status} and no reason.",
        remedy="See journalctl -u npu-agent on the node.",
        node=node.name,
    )


def _auth(node: Node, status: int, document: object) -> AuthError:
    detail = document.get("detail") if isinstance(document, dict) else None
    said = f" It says: {detail}" if isinstance(detail, str) and detail else ""
    if status == 403:
        message = f"{node.name} does not allow this with the token it was shown.{said}"
        return AuthError(message, remedy="Use a token with the scope operate.", code="auth-scope", node=node.name)
    return AuthError(
        f"{node.name} does not accept this site's token.{said}",
        remedy=f"Bring its tokens in step: npufleet prepare --tags agent --limit {node.name}; or check NPUFLEET_TOKEN.",
        node=node.name,
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Walk through the errors inside an error: requests and urllib3 wrap them in args, reason and __cause__."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        current = waiting.pop(0)
        if not isinstance(current, BaseException) or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        waiting += [getattr(current, "reason", None), current.__cause__, current.__context__, *current.args]
