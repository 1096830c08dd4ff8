from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.requests import Request

from npu_agent.http import reply
from npu_agent.problem import ProblemError


def test_a_body_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reply, "BODY_WAIT_S", 0.05)

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b" ", "more_body": True}

    request = Request({"type": "http", "headers": []}, receive)
    with pytest.raises(ProblemError) as caught:
        asyncio.run(reply.read_json(request))
    assert caught.value.problem.status == 408


@pytest.mark.parametrize("body", [rb'{"a": "\ud800"}', rb'{"\udfff": 1}', rb'["\ud800 \udc00"]'])
def test_half_a_surrogate_pair_is_refused_at_the_door(body: bytes) -> None:
    # Once stored, every answer that tells it would be a failure of the agent.
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    with pytest.raises(ProblemError) as caught:
        asyncio.run(reply.read_json(Request({"type": "http", "headers": []}, receive)))
    assert caught.value.problem.status == 400


def test_unknown_is_null_and_never_nan() -> None:
    assert reply.answer({"a": None}).body == b'{"a":null}'
    with pytest.raises(ValueError, match="not JSON compliant"):
        reply.answer({"a": float("nan")})
