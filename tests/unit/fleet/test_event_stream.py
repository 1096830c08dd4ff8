from __future__ import annotations

import io

import pytest

from npufleet import event_stream
from npufleet.errors import AgentError


def read(text: bytes) -> list[tuple[str | None, bytes]]:
    return list(event_stream.messages(io.BufferedReader(io.BytesIO(text))))


def test_messages_and_signs_of_life() -> None:
    text = b'retry: 2000\n\nid: 7\nevent: ready\ndata: {"a": 1}\n\n: still here\n\nevent: gap\ndata: {}\n\n'
    assert read(text) == [(None, b""), ("ready", b'{"a": 1}'), (None, b""), ("gap", b"{}")]


def test_a_message_that_was_cut_off_is_none() -> None:
    assert read(b'id: 7\nevent: ready\ndata: {"a"') == []


def test_a_line_without_an_end_is_refused() -> None:
    with pytest.raises(AgentError, match="without an end"):
        read(b"x" * (2 * 1024 * 1024))
