"""Server-sent events as the agents send them: fields until an empty line, comments as signs of life."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from npufleet.errors import AgentError

# A message is a line of a few hundred bytes; whoever sends this much without a line's end is no agent.
_MOST = 1024 * 1024


def messages(raw: Any) -> Iterator[tuple[str | None, bytes]]:
    """Yield kind and data of each message; kind None for whatever only says that the other side lives."""
    rest, kind, data = b"", None, b""
    while chunk := raw.read1(64 * 1024):
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > _MOST:
            raise AgentError("The stream of events has a line without an end.", remedy="Is it an npu-agent?")
        for line in lines:
            name, _, value = line.rstrip(b"\r").partition(b": ")
            if name == b"event":
                kind = value.decode(errors="replace")
            elif name == b"data":
                data = value
            elif not line.strip():
                yield (kind, data) if data else (None, b"")
                kind, data = None, b""
