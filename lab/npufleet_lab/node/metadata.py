"""The node's simulated cloud metadata service: it holds a secret that no container may read."""

from __future__ import annotations

import json
import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

from .boot import NODE_FILE


def documents(node_file: Path = NODE_FILE) -> dict[str, bytes]:
    """What the service answers, by path."""
    node = json.loads(node_file.read_text())
    meta = {
        "uuid": node["uuid"],
        "name": node["name"],
        "hostname": node["name"],
        "availability_zone": "lab-1a",
        "region_id": "lab",
        "meta": {"admin_pass": node["secret"]},
    }
    keys = {"credential": {"access": "LAB" + node["secret"][:17].upper(), "secret": node["secret"]}}
    return {
        "/": b"1.0\nlatest\nopenstack\n",
        "/openstack": b"latest\n",
        "/openstack/latest": b"meta_data.json\nuser_data\nsecuritykey\n",
        "/openstack/latest/meta_data.json": json.dumps(meta).encode(),
        "/openstack/latest/user_data": f"#cloud-config\npassword: {node['secret']}\n".encode(),
        "/openstack/latest/securitykey": json.dumps(keys).encode(),
    }


class Handler(BaseHTTPRequestHandler):
    content: ClassVar[dict[str, bytes]] = {}
    timeout = 10

    def do_GET(self) -> None:
        body = self.content.get(self.path.rstrip("/") or "/")
        self.send_response(200 if body is not None else 404)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")


class Server(ThreadingHTTPServer):
    """Answers for every address of its network namespace, IPv4 and IPv6."""

    address_family = socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET

    def server_bind(self) -> None:
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()


def main() -> int:
    Handler.content = documents()
    Server(("", 80), Handler).serve_forever()
    return 0
