"""The built agent on loopback, with TLS, a token, and tools that ask the lab's simulator: no node is needed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

from npufleet_lab.node import faults, state
from support.repo import ROOT

TOKEN = "npf_loopback"
CERTIFICATE = (
    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=loopback"
    " -addext subjectAltName=IP:127.0.0.1 -keyout key -out crt"
)
SIMULATOR = """#!{python} -IS
import sys
from pathlib import Path
sys.path.insert(0, {lab!r})
from npufleet_lab.node import {tool}, misbehave, state
now = misbehave.delay(lambda: state.read(Path({state!r})))
output, status = {tool}.answer(sys.argv[1:], now)
misbehave.emit(output, now)
sys.exit(status)
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def archive() -> Path:
    """The one file that this machine would be given."""
    manifest = ROOT / "build/agent/manifest.json"
    if not manifest.is_file():
        raise RuntimeError("The agent is not built. Run make agent first.")
    name: str = json.loads(manifest.read_text(encoding="utf-8"))["artefacts"][platform.machine()]["file"]
    return manifest.parent / name


@dataclass(frozen=True)
class Site:
    """A folder with everything an agent needs; `fault` changes what its npu-smi says from the next call on."""

    folder: Path
    port: int

    @property
    def certificate(self) -> Path:
        return self.folder / "crt"

    def connect(self) -> HTTPSConnection:
        context = ssl.create_default_context(cafile=str(self.certificate))
        return HTTPSConnection("127.0.0.1", self.port, context=context, timeout=20)

    def get(self, path: str, connection: HTTPSConnection | None = None) -> tuple[int, bytes]:
        chosen = connection or self.connect()
        chosen.request("GET", path, headers={"Authorization": f"Bearer {TOKEN}"})
        response = chosen.getresponse()
        body = response.read()
        if connection is None:
            chosen.close()
        return response.status, body

    def json(self, path: str) -> Any:
        return json.loads(self.get(path)[1])

    def fault(self, *words: str) -> None:
        path = self.folder / "npu.json"
        state.write(faults.apply(state.read(path), faults.parse(words)), path)

    @contextlib.contextmanager
    def agent(
        self, python: str = sys.executable, env: Sequence[tuple[str, str]] = ()
    ) -> Iterator[subprocess.Popen[bytes]]:
        """Start the agent and wait for its first answer; what it says goes to agent.log."""
        command = [python, "-I", str(archive()), "run", "--config", str(self.folder / "agent.yaml")]
        with (self.folder / "agent.log").open("ab") as log:
            process = subprocess.Popen(command, stderr=log, env={**os.environ, **dict(env)})
        try:
            self._await_answer(process)
            yield process
        finally:
            process.terminate()
            process.wait(timeout=20)

    def _await_answer(self, process: subprocess.Popen[bytes]) -> None:
        while True:
            try:
                self.get("/healthz")
            except OSError:
                if process.poll() is not None:
                    raise RuntimeError((self.folder / "agent.log").read_text(encoding="utf-8")) from None
                time.sleep(0.005)
            else:
                return


def make_site(folder: Path, *, chip: str = "A3", docker_socket: str | None = None, **probe: float) -> Site:
    """Make the files of a node with the chips of one family: an A3 has sixteen NPUs."""
    site = Site(folder, free_port())
    subprocess.run(CERTIFICATE.split(), cwd=folder, check=True, capture_output=True)
    state.write(state.initial(chip, "25.2.0"), folder / "npu.json")
    for tool in ("npu_smi", "hccn"):
        lab, kept = str(ROOT / "lab"), str(folder / "npu.json")
        _write(folder / tool, SIMULATOR.format(python=sys.executable, lab=lab, state=kept, tool=tool)).chmod(0o755)
    (folder / "facts").mkdir()
    _write(folder / "facts/driver.json", json.dumps({"hccn_tool": str(folder / "hccn")}))
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    tokens = {"tokens": [{"name": "test", "sha256": digest, "scopes": ["view"]}]}
    _write(folder / "tokens.json", json.dumps(tokens))
    settings = {
        "node_name": "loopback",
        "listen": {"address": "127.0.0.1", "port": site.port},
        "tls": {"certificate": str(folder / "crt"), "key": str(folder / "key"), "ca": str(folder / "crt")},
        "tokens_file": str(folder / "tokens.json"),
        "policy_file": str(folder / "policy.yaml"),
        "state_dir": str(folder / "state"),
        "run_dir": str(folder / "run"),
        "facts_dir": str(folder / "facts"),
        "docker_socket": docker_socket or str(folder / "no-docker.sock"),
        "npu_smi": str(folder / "npu_smi"),
        "probe": probe,
    }
    _write(folder / "agent.yaml", json.dumps(settings))  # JSON is YAML
    return site


def _write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path
