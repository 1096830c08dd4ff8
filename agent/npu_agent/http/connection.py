"""One connection with deadlines: whoever sends or reads a byte a second is let go, and holds up nobody meanwhile.

An answer leaves in one piece, and a connection that was cut leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any, Optional

import h11
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from npu_agent import api
from npu_agent.http.gathered import Gathered
from npu_agent.http.peer import SCOPE_KEY, Peer, of_transport
from npu_agent.problem import ProblemError

HEAD_WAIT_S = 10.0
STALL_WAIT_S = 30.0
CLOSE_WAIT_S = 10.0
_PHRASES = {400: b"Bad Request", 408: b"Request Timeout"}


class Connection(H11Protocol):
    """sweep() is called once a second; a deadline is kept to within that."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(Gathered(transport, self.loop))  # type: ignore[arg-type]  # it does what a transport does
        self.app = with_peer(self.app, of_transport(transport))
        # Since when a request's head is awaited, an answer is not read, and the connection is at its end.
        self._head_since: Optional[float] = self.loop.time()
        self._stalled_since: Optional[float] = None
        self._ending_since: Optional[float] = None

    def connection_lost(self, exc: Optional[Exception]) -> None:
        """Uvicorn leaves the keep-alive timer running when a connection was cut, and with it half a minute's memory."""
        super().connection_lost(exc)
        self._unset_keepalive_if_required()

    def data_received(self, data: bytes) -> None:
        if self._head_since is None and self.conn.their_state is h11.IDLE:
            self._head_since = self.loop.time()
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._head_since = None

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]:
            self._head_since = self.loop.time()  # part of the next request came with this one

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalled_since = self.loop.time()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stalled_since = None

    def sweep(self, now: float) -> None:
        if self._at_its_end():
            self._ending_since = self._ending_since or now
        if _over(self._stalled_since, STALL_WAIT_S, now) or _over(self._ending_since, CLOSE_WAIT_S, now):
            self.transport.abort()
        elif self._ending_since is None and _over(self._head_since, HEAD_WAIT_S, now):
            self._head_since = None
            self._refuse(_TOO_SLOW)

    def _at_its_end(self) -> bool:
        """Closing, or answered while the rest of a body that nobody wants is still coming."""
        answered = self.cycle is not None and self.cycle.response_complete
        return self.transport.is_closing() or (answered and self.conn.their_state is h11.SEND_BODY)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  # uvicorn calls it with words of its own
        self._refuse(_NOT_HTTP)

    def _unsupported_upgrade_warning(self) -> None:
        """Anybody may ask for a websocket: that is no news."""

    def _refuse(self, error: ProblemError) -> None:
        """Answer a request that never became one, and close."""
        if self.transport.is_closing():
            return
        if self.conn.our_state is h11.IDLE:
            body = json.dumps(error.problem.to_dict()).encode()
            status = error.problem.status
            headers = [("content-type", api.PROBLEM_MEDIA_TYPE), ("connection", "close")]
            headers += [("content-length", str(len(body))), ("cache-control", "no-store")]
            answer = h11.Response(status_code=status, headers=headers, reason=_PHRASES[status])
            for event in (answer, h11.Data(data=body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


def _over(since: Optional[float], limit_s: float, now: float) -> bool:
    return since is not None and now - since > limit_s


def with_peer(app: ASGIApp, peer: Peer) -> Any:
    async def named(scope: Scope, receive: Receive, send: Send) -> None:
        scope[SCOPE_KEY] = peer
        await app(scope, receive, send)

    return named


_NOT_HTTP = ProblemError(
    400, api.CODE_BAD_REQUEST, "This is not an HTTP request, or its head is too large.", "See /docs for the limits."
)
_TOO_SLOW = ProblemError(
    408, api.CODE_TIMEOUT, f"The request's head did not arrive within {HEAD_WAIT_S:g} seconds.", "Send it at once."
)
