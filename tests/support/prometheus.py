"""A real Prometheus, Debian's, that scrapes one agent over TLS with its token and is asked through its own API."""

from __future__ import annotations

import contextlib
import json
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support import debian
from support.loopback import TOKEN, Site, free_port
from support.nodes import wait_until


@dataclass(frozen=True)
class Prometheus:
    address: str

    def _get(self, path: str, **parameters: str) -> Any:
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"http://{self.address}/api/v1/{path}?{query}", timeout=10) as answer:
            return json.load(answer)["data"]

    def target(self) -> Any:
        return self._get("targets")["activeTargets"][0]

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """The samples of an instant query: labels and value."""
        result = self._get("query", query=expression)["result"]
        return [(sample["metric"], float(sample["value"][1])) for sample in result]

    def metadata(self, name: str) -> Any:
        return self._get("targets/metadata", metric=name)


def configuration(site: Site, *, token: str, ca: Path) -> str:
    scrape = {
        "job_name": "npufleet",
        "scheme": "https",
        "authorization": {"credentials": token},
        "tls_config": {"ca_file": str(ca)},
        "static_configs": [{"targets": [f"127.0.0.1:{site.port}"]}],
    }
    settings = {"scrape_interval": "1s", "scrape_timeout": "1s"}
    return json.dumps({"global": settings, "scrape_configs": [scrape]})  # JSON is YAML


@contextlib.contextmanager
def prometheus(site: Site, folder: Path, *, token: str = TOKEN, ca: Path | None = None) -> Iterator[Prometheus]:
    program = debian.program("prometheus", "prometheus")
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "prometheus.yml"
    config.write_text(configuration(site, token=token, ca=ca or site.certificate), encoding="utf-8")
    config.chmod(0o600)
    address = f"127.0.0.1:{free_port()}"
    command = [str(program.path), f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*command, f"--web.listen-address={address}"], stderr=log, env=dict(program.env))
    server = Prometheus(address)
    try:
        wait_until("Prometheus has scraped once", 60, lambda: _scraped(server))
        yield server
    finally:
        process.terminate()
        process.wait(timeout=20)


def _scraped(server: Prometheus) -> bool:
    try:
        return bool(server.target()["health"] != "unknown")
    except (OSError, IndexError):  # it does not listen yet, or has not read its targets
        return False


def promtool(body: bytes) -> tuple[int, list[str]]:
    """`promtool check metrics`: its exit status, and what it has to say."""
    program = debian.program("promtool", "prometheus")
    done = subprocess.run(
        [str(program.path), "check", "metrics"], input=body, capture_output=True, check=False, env=dict(program.env)
    )
    return done.returncode, (done.stdout + done.stderr).decode().splitlines()
