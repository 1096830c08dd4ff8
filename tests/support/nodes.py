"""A prepared node as a stranger sees it: SSH and the agent's HTTP API, none of the product's own code."""

from __future__ import annotations

import hashlib
import hmac
import json
import shlex
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import requests
import yaml

T = TypeVar("T")


def wait_until(what: str, seconds: float, look: Callable[[], T | None]) -> T:
    """Return the first true answer of `look`; fail naming `what` when none came in time."""
    deadline = time.monotonic() + seconds
    while True:
        answer = look()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds:.0f} s still not: {what}")
        time.sleep(0.3)


@dataclass(frozen=True)
class Node:
    name: str
    address: str
    port: int
    ssh_arguments: tuple[str, ...]
    pki: Path

    def ssh(self, command: str, *, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["ssh", *self.ssh_arguments, f"root@{self.address}", command],
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def run(self, command: str, *, timeout_s: float = 60) -> str:
        """Output of a command that must succeed on the node."""
        done = self.ssh(command, timeout_s=timeout_s)
        assert done.returncode == 0, f"{self.name}: {command}\nexit {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def put(self, source: Path, target: str) -> None:
        """Copy a file to the node."""
        with source.open("rb") as stream:
            subprocess.run(
                ["ssh", *self.ssh_arguments, f"root@{self.address}", f"cat > {shlex.quote(target)}"],
                stdin=stream,
                timeout=60,
                check=True,
            )

    def token(self, scope: str) -> str:
        secret = (self.pki / "fleet.secret").read_text(encoding="utf-8").strip()
        digest = hmac.new(secret.encode(), f"npufleet-token-v1|{scope}|{self.name}".encode(), hashlib.sha256)
        return "npf_" + digest.hexdigest()

    def http(self, method: str, path: str, *, token: str | None = None, **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return requests.request(
            method,
            f"https://{self.address}:{self.port}{path}",
            headers=headers,
            verify=str(self.pki / "ca.crt"),
            timeout=30,
            **options,
        )

    def api(self, method: str, path: str, **options: Any) -> requests.Response:
        return self.http(method, path, token=self.token("operate"), **options)

    def get(self, path: str) -> Any:
        answer = self.api("GET", path)
        assert answer.status_code == 200, f"{self.name} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def put_workload(self, name: str, **spec: Any) -> requests.Response:
        return self.api("PUT", f"/v1/workloads/{name}", json={"name": name, **spec})

    def remove_workload(self, name: str) -> None:
        answer = self.api("DELETE", f"/v1/workloads/{name}", params={"grace_s": 1})
        assert answer.status_code in {200, 404}, answer.text

    def containers(self) -> dict[str, Any]:
        """`docker inspect` of every container on the node, by name."""
        identifiers = self.run("docker ps -aq").split()
        if not identifiers:
            return {}
        return {c["Name"].lstrip("/"): c for c in json.loads(self.run("docker inspect " + " ".join(identifiers)))}

    def in_container(self, container: str, script: str) -> subprocess.CompletedProcess[str]:
        return self.ssh(f"docker exec {shlex.quote(container)} sh -c {shlex.quote(script)}")


def nodes_of(inventory: Path) -> list[Node]:
    """The nodes of a generated lab inventory, read as plain YAML."""
    content = yaml.safe_load((inventory / "hosts.yml").read_text(encoding="utf-8"))
    top = content.get("all", {"children": content})
    group = top["children"]["npu_nodes"]
    shared = {**top.get("vars", {}), **group.get("vars", {})}
    for path in sorted((inventory / "group_vars").glob("*.yml")):
        shared.update(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    nodes = []
    for name, own in group["hosts"].items():
        facts = {**shared, **(own or {})}
        arguments = ["-o", "BatchMode=yes", "-o", "ConnectTimeout=10"]
        arguments += ["-i", facts["ansible_ssh_private_key_file"], *shlex.split(facts["ansible_ssh_common_args"])]
        port = int(facts.get("agent_port", 7443))
        nodes.append(Node(name, facts["ansible_host"], port, tuple(arguments), inventory / "pki"))
    return nodes
