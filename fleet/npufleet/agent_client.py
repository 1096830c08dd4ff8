"""The one client of the agents' HTTP API: typed answers, or an AgentError that tells cause and remedy."""

from __future__ import annotations

import codecs
import json
import ssl
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

import requests
from requests.adapters import BaseAdapter
from urllib3.exceptions import HTTPError

from npu_agent import api, api_events, api_plan
from npufleet import event_stream, wire
from npufleet.agent_errors import GarbageError, RefusedError, from_answer, from_transport
from npufleet.inventory import Node
from npufleet.pki import Credentials
from npufleet.tls import NodeAdapter

# An answer is a few kilobytes; whoever sends this much is no agent.
MAX_ANSWER = 16 * 1024 * 1024
# Creating or stopping a container may take long on a busy engine.
SLOW_S = 120.0
# A follower hears something every 15 s, if only a sign of life; after this it takes the node for gone.
SILENCE_S = 45.0

T = TypeVar("T", bound=api.Wire)


@dataclass(frozen=True)
class Timeouts:
    """Seconds to connect, and seconds for a whole answer."""

    connect_s: float = 3.0
    answer_s: float = 10.0


@dataclass(frozen=True)
class Answer:
    status: int
    document: Any


class AgentClient:
    """Speaks to one node's agent; connections are kept alive, so keep the client where calls repeat."""

    def __init__(
        self, node: Node, adapter: BaseAdapter, tokens: dict[str, str], timeouts: Timeouts | None = None
    ) -> None:
        self.node = node
        self._tokens = tokens
        self._timeouts = timeouts or Timeouts()
        self._without_overview = False
        # The transport alone, without a session around it: neither a proxy nor ~/.netrc nor a cookie has a place
        # between this machine and its nodes, and a session costs more than all the rest of a small request.
        self._adapter = adapter
        self._prepared: dict[str, requests.PreparedRequest] = {}

    def node_facts(self) -> api.Node:
        return self._read(api.Node, self._get("/v1/node"))

    def health(self) -> api.HealthReport:
        return self._read(api.HealthReport, self._get("/v1/health"))

    def npus(self) -> api.NpuReport:
        return self._read(api.NpuReport, self._get("/v1/npus"))

    def overview(self) -> api.Overview:
        """Everything that a sweep asks for, of one moment; an agent that is too old for it is asked bit by bit."""
        if not self._without_overview:
            try:
                return self._read(api.Overview, self._get("/v1/overview"))
            except RefusedError as refusal:
                if refusal.document.status != 404:
                    raise
                self._without_overview = True
        return api.Overview(self.node_facts(), self.health(), self.npus(), self.workloads())

    def events(self, after: int = 0, limit: int | None = None) -> api_events.EventPage:
        """What happened on the node after an event's number; go on with the page's `next`."""
        query = f"after={after}" + (f"&limit={limit}" if limit else "")
        return self._read(api_events.EventPage, self._get(f"/v1/events?{query}"))

    def follow_events(self, after: int) -> Iterator[api_events.Event | None]:
        """Pass on what happens after a number; None is a sign of life, and an event numbered 0 tells of a gap."""
        with self._open("GET", f"/v1/events?after={after}&follow=1", api.SCOPE_VIEW, limit_s=SILENCE_S) as response:
            try:
                for kind, text in event_stream.messages(response.raw):
                    if kind is None:
                        yield None
                    elif kind == "gap":
                        yield api_events.Event(0, "", api_events.LOST, "history", "events are missing here")
                    else:
                        yield self._read(api_events.Event, self._json(text))
            except (requests.RequestException, HTTPError, OSError) as error:
                raise from_transport(self.node, error) from None

    def fault(self, code: str) -> api_events.FaultInfo:
        return self._read(api_events.FaultInfo, self._get(f"/v1/faults/{quote(code, safe='')}"))

    def workloads(self) -> list[api.Workload]:
        document = self._get("/v1/workloads")
        try:
            return wire.read_list(api.Workload, document, "workloads")
        except wire.WireError as error:
            raise self._garbage(str(error)) from None

    def workload(self, name: str) -> api.Workload:
        return self._read(api.Workload, self._get(_workload(name)))

    def put_workload(self, spec: api.WorkloadSpec, reservation: str | None = None) -> tuple[api.Workload, bool]:
        """Bring a workload about; False beside it when it was there already. Asking again is harmless."""
        path = _workload(spec.name) + (f"?reservation={quote(reservation, safe='')}" if reservation else "")
        answer = self._call("PUT", path, scope=api.SCOPE_OPERATE, body=spec.to_dict(), limit_s=SLOW_S)
        return self._read(api.Workload, answer.document), answer.status == 201

    def plan(self, spec: api.WorkloadSpec) -> api_plan.Plan:
        """Which container a put would make on this node now; nothing is changed."""
        return self.operate(api_plan.Plan, "PUT", _workload(spec.name) + "?dry_run=1", spec.to_dict())

    def reserve(self, name: str, request: Mapping[str, Any]) -> api.Reservation:
        return self.operate(api.Reservation, "PUT", _reservation(name), request)

    def cancel_reservation(self, name: str) -> None:
        """Asking again is harmless, and so is asking for one that never was."""
        self._call("DELETE", _reservation(name), scope=api.SCOPE_OPERATE)

    def operate(self, kind: type[T], method: str, path: str, body: Any = None) -> T:
        """Change something by a call that has no method of its own here."""
        return self._read(kind, self._call(method, path, scope=api.SCOPE_OPERATE, body=body).document)

    def view(self, kind: type[T], path: str) -> T:
        return self._read(kind, self._get(path))

    def delete_workload(self, name: str, grace_s: int | None = None) -> api.Workload:
        path = _workload(name) + ("" if grace_s is None else f"?grace_s={grace_s}")
        answer = self._call("DELETE", path, scope=api.SCOPE_OPERATE, limit_s=SLOW_S + (grace_s or 0))
        return self._read(api.Workload, answer.document)

    def logs(self, name: str, tail: int, *, timestamps: bool = False) -> str:
        stamps = "&timestamps=1" if timestamps else ""
        with self._open("GET", f"{_workload(name)}/logs?tail={tail}&follow=0{stamps}", api.SCOPE_VIEW) as response:
            return self._body(response, SLOW_S).decode(errors="replace")

    def follow_logs(self, name: str, tail: int) -> Iterator[str]:
        """Pass on what a workload prints until it ends; a silent one is waited for without limit."""
        path = f"{_workload(name)}/logs?tail={tail}&follow=1"
        with self._open("GET", path, api.SCOPE_VIEW, endless=True) as response:
            decoder = codecs.getincrementaldecoder("utf-8")("replace")
            try:
                while chunk := response.raw.read1(64 * 1024):
                    yield decoder.decode(chunk)
            except (requests.RequestException, HTTPError, OSError) as error:
                raise from_transport(self.node, error) from None

    def close(self) -> None:
        self._adapter.close()

    def _get(self, path: str) -> Any:
        return self._call("GET", path, scope=api.SCOPE_VIEW).document

    def _call(self, method: str, path: str, *, scope: str, body: Any = None, limit_s: float | None = None) -> Answer:
        limit = limit_s or self._timeouts.answer_s
        with self._open(method, path, scope, body=body, limit_s=limit) as response:
            return Answer(response.status_code, self._json(self._body(response, limit)))

    def _open(
        self, method: str, path: str, scope: str, *, body: Any = None, limit_s: float = SLOW_S, endless: bool = False
    ) -> requests.Response:
        """Send a request and look at the status; the body is still to be read."""
        connect_s = self._timeouts.connect_s
        timeout: tuple[float, float] | tuple[float, None] = (connect_s, None) if endless else (connect_s, limit_s)
        try:
            request = self._prepare(method, path, scope, body)
            response = self._adapter.send(request, stream=True, timeout=timeout, verify=True)
        except (requests.RequestException, HTTPError, OSError) as error:
            raise from_transport(self.node, error) from None
        if response.status_code // 100 != 2:
            with response:
                raise from_answer(self.node, response.status_code, self._loose_json(response, limit_s))
        return response

    def _prepare(self, method: str, path: str, scope: str, body: Any) -> requests.PreparedRequest:
        """What a sweep asks again and again is made once."""
        if path in self._prepared and method == "GET":
            return self._prepared[path]
        headers = {
            "Authorization": f"Bearer {self._tokens[scope]}",
            "Accept-Encoding": "identity",
            "User-Agent": "npufleet",
        }
        request = requests.Request(method, self.node.url + path, headers=headers, json=body).prepare()
        if method == "GET" and "?" not in path:
            self._prepared[path] = request
        return request

    def _body(self, response: requests.Response, limit_s: float) -> bytes:
        """Read with an eye on clock and size: the time-out of a socket starts anew with every byte."""
        started, body = time.monotonic(), bytearray()
        try:
            while chunk := response.raw.read1(64 * 1024):  # what has come, without waiting for the rest
                body += chunk
                if len(body) > MAX_ANSWER:
                    raise self._garbage(f"more than {MAX_ANSWER // 1024**2} MiB")
                if time.monotonic() - started > limit_s:
                    raise requests.ReadTimeout("the answer trickled in")
        except (requests.RequestException, HTTPError, OSError) as error:
            raise from_transport(self.node, error) from None
        return bytes(body)

    def _loose_json(self, response: requests.Response, limit_s: float) -> object:
        try:
            return json.loads(self._body(response, limit_s))
        except ValueError:
            return None

    def _json(self, body: bytes) -> Any:
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            raise self._garbage("it is not JSON") from None

    def _read(self, kind: type[T], document: object) -> T:
        try:
            return wire.read(kind, document)
        except wire.WireError as error:
            raise self._garbage(str(error)) from None

    def _garbage(self, what: str) -> GarbageError:
        return GarbageError(
            f"{self.node.name} gave an answer that is not the agent's API: {what}.",
            remedy="Do agent and npufleet have the same version? npufleet prepare brings them in step.",
            node=self.node.name,
        )


def _workload(name: str) -> str:
    return f"/v1/workloads/{quote(name, safe='')}"


def _reservation(name: str) -> str:
    return f"/v1/leases/{quote(name, safe='')}"


def connect(node: Node, credentials: Credentials, context: ssl.SSLContext, timeouts: Timeouts | None) -> AgentClient:
    tokens = {scope: credentials.token(node.name, scope) for scope in (api.SCOPE_VIEW, api.SCOPE_OPERATE)}
    return AgentClient(node, NodeAdapter(node.name, context), tokens, timeouts)
