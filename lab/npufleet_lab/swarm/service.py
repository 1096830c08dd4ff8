"""The agent's own application, once a process, for many nodes: which one a request is for, its address tells."""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from typing import Any, TypeVar, cast

from starlette.types import ASGIApp, Receive, Scope, Send

from npu_agent import api
from npu_agent.audit import Trail
from npu_agent.auth import Authenticator, Token, TokenFile
from npu_agent.health import rules
from npu_agent.history import History
from npu_agent.http.app import make_app
from npu_agent.http.service import EventReaders, Published, Pulse, Service
from npu_agent.logs import Followers
from npu_agent.workloads import Workloads
from npufleet_lab.swarm.keys import token
from npufleet_lab.swarm.node import SimulatedNode

T = TypeVar("T")
_HERE: contextvars.ContextVar[SimulatedNode] = contextvars.ContextVar("node")


class _Tokens:
    """The tokens of the node that is asked, by the fleet's own derivation."""

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._known: dict[tuple[str, str], Token] = {}

    def find(self, secret: str) -> Token | None:
        name = _HERE.get().name
        if (name, secret) not in self._known:
            for scopes in ((api.SCOPE_VIEW,), (api.SCOPE_OPERATE, api.SCOPE_VIEW)):
                value = token(self._secret, scopes[0], name)
                self._known[name, value] = Token(scopes[0], "", frozenset(scopes))
        return self._known.get((name, secret))


class Here:
    """An agent's Service whose every part is that of the node which is asked now."""

    def __init__(self, secret: str, executor: Executor) -> None:
        self._executor = executor
        self.pulse = Pulse(lambda: 0.5, 15.0)
        self.authenticator = Authenticator(cast("TokenFile", _Tokens(secret)))
        self.followers = Followers()
        self.monotonic = time.monotonic
        self.rules = rules.shipped
        self.trail = Trail()  # without a folder: a simulated node's changes are told and not kept

    @property
    def workloads(self) -> Workloads:
        return _HERE.get().machine.workloads

    @property
    def history(self) -> History:
        return _HERE.get().history

    @property
    def event_readers(self) -> EventReaders:
        return _HERE.get().event_readers

    def published(self) -> Published:
        return _HERE.get().published()

    def changed(self) -> None:
        _HERE.get().look()

    async def call(self, action: Callable[[], T]) -> T:
        """In a thread, and in the name of the same node."""
        context = contextvars.copy_context()
        return await asyncio.get_running_loop().run_in_executor(self._executor, context.run, action)


def make_fleet_app(nodes: Mapping[tuple[str, int], SimulatedNode], secret: str, executor: Executor) -> ASGIApp:
    agent = make_app(cast("Service", Here(secret, executor)), trusted=False)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        node = nodes[tuple(scope["server"])]
        _HERE.set(node)
        if node.setting.hang:
            while (await receive())["type"] != "http.disconnect":
                pass
        elif node.setting.garbage:
            await _garbage(send)
        else:
            if node.setting.slow_s:
                await asyncio.sleep(node.setting.slow_s)
            await agent(scope, receive, send)

    return answer


async def _garbage(send: Send) -> None:
    body = b"<html>simulated: this is no agent</html>"
    headers: list[Any] = [(b"content-type", b"text/html"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
