"""An agent without a socket: a requests transport that answers from memory, for tests and rehearsals."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import requests
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse

from npu_agent import api
from npufleet.agent_client import AgentClient
from npufleet.fleet import Fleet
from npufleet.inventory import Inventory, Node


@dataclass
class Reply:
    """One answer: a JSON document, or raw bytes; an exception is raised as the transport would raise it."""

    document: Any = None
    status: int = 200
    body: bytes | None = None
    error: Exception | None = None


Handler = Callable[[requests.PreparedRequest], Reply]


@dataclass
class MemoryAgent(BaseAdapter):
    """Answers "METHOD /path" from a table, query left out; keeps what it was asked."""

    replies: Mapping[str, Reply | Handler]
    asked: list[requests.PreparedRequest] = field(default_factory=list)

    def send(self, request: requests.PreparedRequest, *_args: object, **_options: object) -> requests.Response:
        self.asked.append(request)
        reply = self.replies.get(f"{request.method} {request.path_url.partition('?')[0]}", _NOT_FOUND)
        answer = reply(request) if callable(reply) else reply
        if answer.error is not None:
            raise answer.error
        return _response(request, answer)

    def close(self) -> None:
        pass


_NOT_FOUND = Reply(
    api.Problem("Not found", 404, "There is nothing at this path.", api.CODE_NOT_FOUND).to_dict(), status=404
)


def _response(request: requests.PreparedRequest, reply: Reply) -> requests.Response:
    body = json.dumps(reply.document).encode() if reply.body is None else reply.body
    response = requests.Response()
    response.status_code = reply.status
    response.url = str(request.url)
    response.request = request
    response.raw = HTTPResponse(io.BytesIO(body), status=reply.status, preload_content=False)
    return response


def memory_fleet(nodes: Iterable[Node], agents: Mapping[str, BaseAdapter], source: Inventory) -> Fleet:
    """A fleet whose nodes answer from memory."""
    tokens = {api.SCOPE_VIEW: "npf_view", api.SCOPE_OPERATE: "npf_operate"}
    inventory = Inventory(source.source, tuple(nodes))
    return Fleet(inventory, lambda node: AgentClient(node, agents[node.name], tokens))
