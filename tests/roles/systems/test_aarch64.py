"""The agent's aarch64 file, really started: an arm64 Python under qemu-user, with an npu-smi that is arm64 as well."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from contract.sites import Authority
from support import arm64
from support.nodes import wait_until
from support.repo import ROOT

PYTHON = "/usr/bin/python3.11"
TABLE = ROOT / "tests/cases/npu_smi_parse/info/910B4_8cards_23.0.rc3_excerpt.txt"
# The kernel starts the emulator for the script, and the emulator the interpreter: no binfmt handler is needed.
NPU_SMI = f"""#!/{arm64.EMULATOR} {PYTHON}
import platform, sys
open("/mnt/asked", "a").write(platform.machine() + " " + " ".join(sys.argv[1:]) + chr(10))
sys.exit(print(open("/mnt/table.txt").read()) if sys.argv[1:] == ["info"] else 1)
"""


@pytest.fixture(scope="module")
def system() -> Path:
    if os.geteuid() != 0:
        pytest.skip("entering another system needs root")
    return arm64.root()


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the agent is given: its file, a table to read, a tool to ask, a certificate."""
    folder = tmp_path_factory.mktemp("arm64")
    built = json.loads((ROOT / "build/agent/manifest.json").read_text(encoding="utf-8"))["artefacts"]["aarch64"]["file"]
    shutil.copy(ROOT / "build/agent" / built, folder / "agent.pyz")
    shutil.copy(TABLE, folder / "table.txt")
    (folder / "npu-smi").write_text(NPU_SMI, encoding="utf-8")
    (folder / "npu-smi").chmod(0o755)
    (folder / "tokens.json").write_text('{"tokens": []}', encoding="utf-8")
    authority = Authority()
    authority.write(folder / "ca.crt")
    authority.issue(folder, "server")
    return folder


def test_it_reads_a_recorded_table(system: Path, work: Path) -> None:
    process = arm64.start(
        system, work, PYTHON, "-I", "/mnt/agent.pyz", "probe", "--from-file", "/mnt/table.txt", "--json"
    )
    out, err = process.communicate(timeout=300)
    assert process.returncode in {0, 1}, out + err
    chips = json.loads(out)["chips"]
    assert [(chip["npu_id"], chip["name"], chip["health"]) for chip in chips] == [(n, "910B4", "OK") for n in range(6)]


@pytest.fixture
def port(system: Path, work: Path) -> Iterator[int]:
    """The agent as a daemon; the port on which it listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number: int = free.getsockname()[1]
    config = {
        "node_name": "arm",
        "listen": {"address": "127.0.0.1", "port": number},
        "tls": {"certificate": "/mnt/server.pem", "key": "/mnt/server.pem", "ca": "/mnt/ca.crt"},
        "tokens_file": "/mnt/tokens.json",
        "policy_file": "/mnt/policy.yaml",
        "state_dir": "/mnt/state",
        "run_dir": "/mnt/run",
        "facts_dir": "/mnt/facts",
        "docker_socket": "/mnt/docker.sock",
        "npu_smi": "/mnt/npu-smi",
    }
    (work / "agent.yaml").write_text(json.dumps(config), encoding="utf-8")
    process = arm64.start(system, work, PYTHON, "-I", "/mnt/agent.pyz", "run", "--config", "/mnt/agent.yaml")
    yield number
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=60)
    finally:
        process.kill()
        print(process.communicate()[1])


def test_it_answers_and_asks_npu_smi(work: Path, port: int) -> None:
    def answer(path: str) -> requests.Response | None:
        try:
            return requests.get(f"https://127.0.0.1:{port}{path}", verify=str(work / "ca.crt"), timeout=30)
        except requests.ConnectionError:
            return None

    healthz = wait_until("it answers", 120, lambda: answer("/healthz"))
    assert healthz.status_code == 200
    asked = work / "asked"
    wait_until("it asks npu-smi", 60, lambda: asked.is_file() and asked.read_text(encoding="utf-8"))
    assert asked.read_text(encoding="utf-8").startswith("aarch64 info")
    readyz = answer("/readyz")
    assert readyz is not None
    assert readyz.status_code == 503, "no engine, no devices: that is said, not hidden"
