"""A site on loopback: a CA, nodes whose agents answer over real TLS from a table, and an inventory of them."""

from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from npu_agent import api

SECRET = "ab" * 32
DAY = dt.timedelta(days=1)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


class Authority:
    """A certificate authority that lives as long as a test."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._usage = x509.KeyUsage(
            digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
            key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
        )  # fmt: skip
        now = dt.datetime.now(dt.UTC)
        self.certificate = (
            self._builder("test CA", self._key.public_key(), now - DAY, now + DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(self._usage, critical=True)
            .sign(self._key, hashes.SHA256())
        )

    def _builder(
        self, common: str, key: ec.EllipticCurvePublicKey, begins: dt.datetime, ends: dt.datetime
    ) -> x509.CertificateBuilder:
        builder = x509.CertificateBuilder().subject_name(_name(common)).issuer_name(_name("test CA"))
        builder = builder.public_key(key).serial_number(x509.random_serial_number())
        return builder.not_valid_before(begins).not_valid_after(ends)

    def write(self, path: Path) -> None:
        path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def issue(
        self, folder: Path, name: str, *, valid_days: int = 1, usage: x509.ObjectIdentifier | None = None
    ) -> Path:
        """Write `name`.pem: key and certificate for a node; negative days make one that has expired.

        `usage` restricts it to servers or clients, as the certificates role does.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        now = dt.datetime.now(dt.UTC)
        names = [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        builder = self._builder(name, key.public_key(), now - 9 * DAY, now + valid_days * DAY)
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        if usage is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        path = folder / f"{name}.pem"
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        path.write_bytes(key.private_bytes(*form) + certificate.public_bytes(serialization.Encoding.PEM))
        return path


Answer = tuple[int, Any] | Callable[[BaseHTTPRequestHandler], None]


NOT_FOUND: Answer = (404, api.Problem("Not found", 404, "There is nothing at this path.", "not-found").to_dict())


@dataclass
class Agent:
    """Answers "METHOD /path" with a status and a document, or hands the connection to a function."""

    answers: dict[str, Answer]
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    port: int = 0

    @contextlib.contextmanager
    def serve(self, pem: Path | None) -> Iterator[Agent]:
        agent = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do(self) -> None:
                agent.answer(self)

            do_GET = do_PUT = do_DELETE = do  # noqa: N815  # the names that http.server calls

            def log_message(self, *_args: object) -> None:
                pass

        server = _Server(("127.0.0.1", 0), Handler)
        if pem is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(pem)
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0)).decode()
        self.asked.append((f"{request.command} {request.path}", request.headers.get("Authorization", ""), body))
        answer = self.answers.get(f"{request.command} {request.path.partition('?')[0]}", NOT_FOUND)
        if callable(answer):
            answer(request)
            return
        status, document = answer
        send(request, status, document if isinstance(document, bytes) else json.dumps(document).encode())


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_args: object) -> None:
        """Clients that hang up or distrust us are what these tests are about."""


def send(request: BaseHTTPRequestHandler, status: int, body: bytes) -> None:
    request.send_response(status)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


@dataclass
class Site:
    """A folder that the CLI takes for an inventory."""

    folder: Path
    authority: Authority = field(default_factory=Authority)
    hosts: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        pki = self.folder / "pki"
        pki.mkdir(parents=True)
        self.authority.write(pki / "ca.crt")
        (pki / "fleet.secret").write_text(SECRET + "\n", encoding="utf-8")

    def add(self, name: str, port: int) -> None:
        self.hosts[name] = {"ansible_host": "127.0.0.1", "agent_port": port}
        document = {"npu_nodes": {"hosts": self.hosts}}
        (self.folder / "hosts.yml").write_text(json.dumps(document), encoding="utf-8")

    @contextlib.contextmanager
    def node(self, name: str, answers: dict[str, Answer]) -> Iterator[Agent]:
        with Agent(answers).serve(self.authority.issue(self.folder / "pki", name)) as agent:
            self.add(name, agent.port)
            yield agent
