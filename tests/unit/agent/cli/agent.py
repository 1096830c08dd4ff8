"""A few answers of an agent at a unix socket, so that the command line meets a real one."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

NPUS = [
    {"npu": 0, "name": "910B3", "state": "healthy", "health": "OK", "temperature_c": 50, "power_w": 90.5,
     "aicore_percent": 0, "hbm_used_mb": 0, "hbm_total_mb": 65536, "holder": {"kind": "workload", "name": "job"}},
    {"npu": 3, "name": "910B3", "state": "unhealthy", "health": "Alarm", "reason": "Alarm"},
]  # fmt: skip
COMPONENT = {
    "name": "npu/3", "state": "unhealthy", "reason": "Alarm", "action": "reset-npu", "since": None, "observed_at": None,
    "advice": "resetting NPU 3 resets all 8",
}  # fmt: skip
NOT_FOUND = {"status": 404, "code": "not-found", "detail": "There is no workload none on this node.", "remedy": ""}


class Served:
    def __init__(self, path: str) -> None:
        self.path = path
        reasons = ["npu/3: unhealthy: Alarm"]
        self.documents: dict[str, tuple[int, Any]] = {
            "/v1/node": (200, {"node": "n1", "agent_version": "0.1.0", "chip": "910B3", "driver_version": "24.1.0"}),
            "/v1/health": (200, {"ready": False, "reasons": reasons, "components": [COMPONENT]}),
            "/v1/npus": (200, {"npus": NPUS}),
            "/v1/workloads": (200, {"workloads": [{"name": "job", "spec": {"image": "i"}, "state": "running"}]}),
            "/v1/workloads/job/logs": (200, b"one\ntwo\xff\n"),
        }

    def serve(self) -> Iterator[Served]:
        documents = self.documents

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, document = documents.get(self.path.partition("?")[0], (404, NOT_FOUND))
                body = document if isinstance(document, bytes) else json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def address_string(self) -> str:
                return "unix"

            def log_message(self, *_arguments: object) -> None:
                """Tests are quiet."""

        with socketserver.ThreadingUnixStreamServer(self.path, Handler) as server:
            thread = threading.Thread(target=lambda: server.serve_forever(0.01))
            thread.start()
            yield self
            server.shutdown()
            thread.join()
