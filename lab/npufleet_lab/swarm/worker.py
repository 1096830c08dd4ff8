"""One process of the simulated fleet: it listens for its share of the nodes until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import socket
import ssl
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from uvicorn.config import Config as UvicornConfig
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from npu_agent.http.server import BACKLOG, limit_tls, make_server
from npu_agent.nodefacts import NodeFacts
from npufleet_lab.errors import LabError
from npufleet_lab.swarm.keys import Authority
from npufleet_lab.swarm.node import SimulatedNode
from npufleet_lab.swarm.script import Script
from npufleet_lab.swarm.service import make_fleet_app

TURN_S = 0.5
THREADS = 8


@dataclass(frozen=True)
class Share:
    """What one process is told: names and addresses of its nodes, and where the fleet's files are."""

    nodes: tuple[tuple[str, str], ...]
    port: int
    authority_key: bytes
    secret: str
    control: Path
    run: Path


@dataclass
class Listener:
    node: SimulatedNode
    context: ssl.SSLContext
    state: ServerState = field(default_factory=ServerState)
    server: asyncio.Server | None = None

    async def follow(self, config: UvicornConfig, port: int) -> None:
        """Listen unless the node is dead; who dies hangs up on everybody."""
        if self.node.setting.dead and self.server is not None:
            self.server.close()
            self.server = None
            for connection in list(self.state.connections):
                connection.transport.abort()
        elif not self.node.setting.dead and self.server is None:
            listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            listener.bind((self.node.address, port))
            self.server = await asyncio.get_running_loop().create_server(
                lambda: H11Protocol(config, self.state, {}), sock=listener, ssl=self.context, backlog=BACKLOG
            )


def main(share: Share, ready: Connection) -> None:
    limit_tls()
    try:
        asyncio.run(_serve(share, ready))
    except (LabError, OSError) as error:
        ready.send(str(error))


async def _serve(share: Share, ready: Connection) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    executor = ThreadPoolExecutor(THREADS, thread_name_prefix="work")
    facts = _facts(share.run)
    nodes = [SimulatedNode(name, address, facts, executor.submit) for name, address in share.nodes]
    app = make_fleet_app({(node.address, share.port): node for node in nodes}, share.secret, executor)
    config = make_server(app).config
    listeners = _listeners(share, nodes)
    script, parent, first = Script(share.control), os.getppid(), True
    while not stop.is_set() and os.getppid() == parent:
        if _read(script, nodes, strict=first):
            for listener in listeners:
                await listener.follow(config, share.port)
        await loop.run_in_executor(executor, _turn, nodes)
        if first:
            gc.collect()
            gc.freeze()  # what is there now stays: looking through it again and again would be most of the work
            ready.send("")
            first = False
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(stop.wait(), TURN_S)
    os._exit(0)  # nothing is kept, and readers of events would be waited for


def _read(script: Script, nodes: list[SimulatedNode], *, strict: bool) -> bool:
    """Set what the control folder says now. A mistake in it stops the start; later, the last good word stands."""
    try:
        if not script.changed():
            return False
        settings = script.read([node.name for node in nodes])
    except (LabError, OSError) as error:
        if strict:
            raise
        print(f"npufleet lab swarm: {error}", file=sys.stderr, flush=True)
        return False
    for node in nodes:
        node.set(settings[node.name])
    return True


def _turn(nodes: list[SimulatedNode]) -> None:
    for node in nodes:
        node.turn()


def _listeners(share: Share, nodes: list[SimulatedNode]) -> list[Listener]:
    """One key for all: a thousand of them would take seconds, and none of these nodes has a secret."""
    authority_key = serialization.load_pem_private_key(share.authority_key, None)
    assert isinstance(authority_key, ec.EllipticCurvePrivateKey), "command.py made it"
    authority, key = Authority(authority_key, share.secret), ec.generate_private_key(ec.SECP256R1())
    listeners = []
    for node in nodes:
        path = authority.issue(share.run, key, node.name, node.address)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(path)
        path.unlink()
        listeners.append(Listener(node, context))
    return listeners


def _facts(run: Path) -> NodeFacts:
    """What the preparation of a real node would have written down, with driver files that are empty."""
    driver = run / "driver"
    (driver / "lib64").mkdir(parents=True, exist_ok=True)
    for name in ("npu-smi", "hccn.conf", "install.info"):
        (run / name).touch()
    return NodeFacts(
        driver={
            "npu_smi": str(run / "npu-smi"), "driver_dir": str(driver), "dcmi_dir": str(run / "absent"),
            "hccn_conf": str(run / "hccn.conf"), "hccn_tool": None, "version_info": str(driver / "version.info"),
            "install_info": str(run / "install.info"),
            "manager_devices": ["/dev/davinci_manager", "/dev/devmm_svm", "/dev/hisi_hdc"],
        },
        nic={"interface": "eth0", "env": {"HCCL_SOCKET_IFNAME": "eth0", "GLOO_SOCKET_IFNAME": "eth0"}},
        guard={"cgroup_parent": "npufleet.slice", "host_network_guarded": True},
        cpus=192,
        memory_bytes=1536 << 30,
    )  # fmt: skip
