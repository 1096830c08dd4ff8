"""The loop of the agent: observe in worker threads, publish once a second, stop quickly, never touch a container."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import logging
import os
import signal
import socket
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NoReturn

from npu_agent import __version__, api, api_events, memory, nodefacts, privacy, tidings, units
from npu_agent.audit import Trail
from npu_agent.auth import Authenticator, TokenFile
from npu_agent.config import Config, ConfigError, PolicyFile
from npu_agent.docker_engine import DockerEngine
from npu_agent.history import History
from npu_agent.http import server
from npu_agent.http.app import make_app
from npu_agent.http.service import Pulse, Service
from npu_agent.intake import Node
from npu_agent.monitor import Monitor, MonitorSettings
from npu_agent.platform_file import PlatformFile
from npu_agent.publisher import Publisher, Sources
from npu_agent.reconcile import Reconciler
from npu_agent.store import Store
from npu_agent.watch import STALE_AFTER_S, DockerWatch
from npu_agent.workloads import Workloads

log = logging.getLogger(__name__)

TICK_S = 1.0
MISSED_INTERVALS = 3
MISSED_TICKS = 10
COLLECT_EVERY_TICKS = 10
FREEZE_AT_TICK = 20
WORKERS = 24
LAST_WORD_S = 2.0


def settings_of(config: Config) -> MonitorSettings:
    return MonitorSettings(
        config.node_name,
        facts_dir=config.facts_dir,
        run_dir=config.run_dir,
        state_dir=config.state_dir,
        npu_smi=config.npu_smi,
        expected_npus=config.expected_npus,
        fast_interval_s=config.probe.fast_interval_s,
        slow_interval_s=config.probe.slow_interval_s,
        timeout_s=config.probe.timeout_s,
        rules_file=config.rules_file,
    )


def notify(message: str) -> None:
    """Tell systemd, if it asked to be told."""
    address = os.environ.get("NOTIFY_SOCKET")
    if address:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(message.encode(), "\0" + address[1:] if address.startswith("@") else address)


class Daemon:
    """The parts, put together. The threads only observe and publish; what they hold up, they alone wait for."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.executor = ThreadPoolExecutor(WORKERS, thread_name_prefix="work")
        self.store = open_store(config)
        self.history = History(Path(config.state_dir) / "history.db")
        before, boot_id = memory.recall(self.history), nodefacts.boot_id()
        memory.announce(self.history, before, __version__, boot_id)
        past = before.past(boot_id)
        self.monitor = Monitor(settings_of(config), past=past)
        engine = DockerEngine(config.docker_socket)
        facts = functools.partial(nodefacts.read, Path(config.facts_dir))
        policy = PolicyFile(Path(config.policy_file))
        files = Path(config.state_dir) / "files"
        node_here = Node(config.node_name, facts, policy.get, self.monitor.view, files)
        self.workloads = Workloads(engine, self.store, node_here, on_change=self.tell)
        stale_after_s = STALE_AFTER_S + MISSED_INTERVALS * config.probe.fast_interval_s
        reconciler = Reconciler(self.workloads, self.executor.submit)
        self.watch = DockerWatch(engine, reconciler, stale_after_s=stale_after_s)
        node = api.Node(config.node_name, __version__, started_at=units.utc_now())
        sources = Sources(self.monitor, self.watch, self.workloads, self.history)
        self.publisher = Publisher(sources, node, before.picture, past.components)
        self.platform = PlatformFile(config.platform_file)
        self.stopping = threading.Event()
        self.ticked = time.monotonic()

    def service(self) -> Service:
        return Service(
            published=lambda: self.publisher.current,
            pulse=Pulse(lambda: time.monotonic() - self.ticked, self.stuck_after_s()),
            workloads=self.workloads,
            authenticator=Authenticator(TokenFile(Path(self.config.tokens_file))),
            executor=self.executor,
            monotonic=time.monotonic,
            changed=self.show_change,
            history=self.history,
            rules=lambda: self.monitor.rules,
            trail=Trail(Path(self.config.state_dir)),
        )

    def tell(self, change: str, words: str) -> None:
        """What workloads and cordons say of themselves becomes an event."""
        draft = tidings.event(change, words)
        if draft is not None:
            self.history.record([draft])

    def stuck_after_s(self) -> float:
        """The loop turns by its own clock: where one probes more often than that, it is not stuck for it."""
        return max(MISSED_TICKS * TICK_S, MISSED_INTERVALS * self.config.probe.fast_interval_s)

    def show_change(self) -> None:
        """Publish what a request changed before it is answered: its sender may read at once."""
        self.watch.see()
        self.publisher.refresh()

    def observe(self, look: Callable[[], object]) -> None:
        """The body of an observing thread: look, publish, wait for the rest of the interval."""
        while not self.stopping.is_set():
            begun = time.monotonic()
            try:
                look()
                self.publisher.refresh()
                self.show_platform()
            except Exception:
                log.exception("an observation failed; the next one is made as usual")
            self.stopping.wait(max(0.0, self.config.probe.fast_interval_s - (time.monotonic() - begun)))

    def show_platform(self) -> None:
        now = self.publisher.current
        self.platform.update(now.npus, {component.name: component for component in now.health.components})

    def close(self) -> None:
        """Say the last word and let followers go. A disk that hangs is not waited for."""
        self.history.tell(api_events.AGENT, "agent", f"npu-agent {__version__} stops; containers go on")
        closing = threading.Thread(target=self.history.close, name="close", daemon=True)
        closing.start()
        closing.join(LAST_WORD_S)

    def tick(self, count: int) -> None:
        """A turn that fails is told in the journal, and /healthz says how long ago the last good one was."""
        try:
            self.publisher.refresh()
            self.ticked = time.monotonic()
            notify("WATCHDOG=1")
        except Exception:
            log.exception("a turn of the loop failed; the next one is made as usual")
        tidy(count)


def tidy(count: int) -> None:
    """Aborted TLS connections stay as cycles: often enough that a hundred of them never pile up.

    What has lived for some turns is code and stays: looking through it every time would cost more than all the rest.
    """
    if count % COLLECT_EVERY_TICKS == 0:
        gc.collect()
    if count == FREEZE_AT_TICK:
        gc.freeze()


def open_store(config: Config) -> Store:
    try:
        Path(config.state_dir).mkdir(mode=0o700, parents=True, exist_ok=True)
        Path(config.run_dir).mkdir(mode=0o755, parents=True, exist_ok=True)
        return Store(config.database)
    except (OSError, sqlite3.Error) as error:
        raise ConfigError(
            f"The agent's state {config.database} cannot be opened: {error}."
            " Run the agent as root and see that the disk has space; a broken file may be moved away:"
            " running containers are then adopted again."
        ) from None


async def serve(config: Config) -> None:
    """Listen first, then observe: the first answer comes before the first probe has ended."""
    daemon = Daemon(config)
    server.limit_tls()
    service = daemon.service()
    doors = [
        (server.make_server(make_app(service, trusted=False), server.tls_context(config)), server.listen_tcp(config)),
        (server.make_server(make_app(service, trusted=True)), server.listen_unix(config.socket_path)),
    ]
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    serving = [asyncio.ensure_future(door.serve(sockets=[listener])) for door, listener in doors]
    daemon.history.start()
    probe = functools.partial(daemon.monitor.cycle, daemon.publisher.refresh)
    for name, look in (("probe", probe), ("docker", daemon.watch.look)):
        threading.Thread(target=daemon.observe, args=(look,), name=name, daemon=True).start()
    notify("READY=1")
    log.info("npu-agent %s answers on %s:%d", __version__, config.listen.address, config.listen.port)
    await _turn(daemon, stop, serving)
    notify("STOPPING=1")
    daemon.stopping.set()
    daemon.close()
    service.followers.close()
    for door, _ in doors:
        door.stop()
    await asyncio.gather(*serving, return_exceptions=True)
    config.socket_path.unlink(missing_ok=True)


async def _turn(daemon: Daemon, stop: asyncio.Event, serving: Sequence[asyncio.Future[None]]) -> None:
    """One turn a second until a signal comes or a listener dies."""
    count = 0
    await asyncio.sleep(0)  # the listeners first
    while not stop.is_set() and not any(server_task.done() for server_task in serving):
        count += 1
        daemon.tick(count)
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(stop.wait(), TICK_S)


def run(config: Config) -> NoReturn:
    os.umask(0o077)
    privacy.keep_memory_in()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("uvicorn").setLevel(logging.ERROR)  # strangers' broken requests are no news
    asyncio.run(serve(config))
    log.info("npu-agent stops; containers go on")
    logging.shutdown()
    # A stop with a long grace may still run in a thread. It is on record and the next start goes on with it;
    # waiting for it, as a normal exit does, would make every restart of the agent as long as the longest grace.
    os._exit(0)
