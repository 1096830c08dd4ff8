"""Events over HTTP: a page after a number, or server-sent events that go on. A slow reader costs a page of memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Optional

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from npu_agent import api
from npu_agent.api_events import Event, EventPage
from npu_agent.http import reply
from npu_agent.http.endpoint import Endpoint, Query
from npu_agent.http.service import Service
from npu_agent.problem import ProblemError

PAGE_DEFAULT = 1000
PAGE_LIMIT = 10_000
BEAT_S = 15.0
_STREAM_PAGE = 100
_LARGEST_SEQ = 2**53
_OPENING = b"retry: 2000\n\n"
_BEAT = b": still here\n\n"


class Bell:
    """Wakes one follower's loop from the history's thread."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._rung = asyncio.Event()

    def ring(self) -> None:
        self._loop.call_soon_threadsafe(self._rung.set)

    async def wait(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._rung.wait(), seconds)
        except asyncio.TimeoutError:
            return False
        self._rung.clear()
        return True


async def events(service: Service, request: Request) -> Response:
    after = _number(request.query_params.get("after"), "after") or 0
    follow = reply.flag(request, "follow")
    if not follow:
        limit = reply.whole_number(request, "limit", PAGE_DEFAULT, largest=PAGE_LIMIT, smallest=1) or PAGE_DEFAULT
        page = await service.call(lambda: service.history.read(after, limit))
        return reply.answer(page.to_dict())
    last = _number(request.headers.get("last-event-id"), "Last-Event-ID")
    if service.event_readers.full:
        raise ProblemError(
            503,
            api.CODE_RATE_LIMIT,
            f"{service.event_readers.limit} clients follow the events of this node now, which is the limit.",
            "Close some of them, or read pages without follow.",
        )
    stream = _follow(service, after if last is None else last)
    return StreamingResponse(stream, media_type="text/event-stream", headers={"Cache-Control": "no-store"})


def _number(text: Optional[str], key: str) -> Optional[int]:
    if text is None or not text.strip():
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 16 and int(text) <= _LARGEST_SEQ):
        raise ProblemError(
            400, api.CODE_BAD_REQUEST, f"{key} is not the number of an event.", f"Correct {key}.", field=key
        )
    return int(text)


async def _follow(service: Service, after: int) -> AsyncIterator[bytes]:
    """Read page by page, each only when the one before is sent."""
    history, bell = service.history, Bell()
    leave = history.subscribe(bell.ring)
    service.event_readers.count += 1
    try:
        yield _OPENING
        while True:
            page = await service.call(lambda: history.read(after, _STREAM_PAGE))  # noqa: B023  # awaited at once
            chunk = _page(page)
            after = page.next
            if chunk:
                yield chunk
            elif history.closed:
                return
            elif not await bell.wait(BEAT_S):
                yield _BEAT
    finally:
        service.event_readers.count -= 1
        leave()


def _page(page: EventPage) -> bytes:
    parts = [_gap(page)] if page.gap else []
    return b"".join([*parts, *map(_event, page.events)])


def _event(event: Event) -> bytes:
    body = json.dumps(event.to_dict(), ensure_ascii=False, separators=(",", ":"))
    return f"id: {event.seq}\nevent: {event.kind}\ndata: {body}\n\n".encode()


def _gap(page: EventPage) -> bytes:
    """Say that what came between is gone. It has no id: who is cut off here is told again."""
    body = json.dumps({"oldest": page.oldest, "newest": page.newest})
    return f"event: gap\ndata: {body}\n\n".encode()


AFTER = Query(
    "after",
    "Only what came after this number; 0 is everything that is kept. The header Last-Event-ID wins over it.",
    {"type": "integer", "minimum": 0, "maximum": _LARGEST_SEQ, "default": 0},
)
FOLLOW = Query(
    "follow",
    "1 keeps the answer open and sends server-sent events.",
    {"type": "string", "enum": ["0", "1", "true", "false"]},
)
LIMIT = Query(
    "limit",
    "At most so many events in a page; without follow.",
    {"type": "integer", "minimum": 1, "maximum": PAGE_LIMIT, "default": PAGE_DEFAULT},
)
ENDPOINTS = (
    Endpoint(
        "GET", "/v1/events", api.SCOPE_VIEW, events, "events", "What happened on the node, in order",
        {200: "EventPage|text/event-stream"}, (400, 503), (AFTER, FOLLOW, LIMIT),
    ),
)  # fmt: skip
