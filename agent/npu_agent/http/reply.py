"""Answers: JSON, and refusals as RFC 9457 problem documents."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, NoReturn, Optional

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from npu_agent import api
from npu_agent.problem import TITLES, ProblemError

BODY_LIMIT = 1 << 20
BODY_WAIT_S = 30.0
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_EXTRA = {401: {"WWW-Authenticate": "Bearer"}, 429: {"Retry-After": "60"}, 503: {"Retry-After": "5"}}


def answer(document: Any, status: int = 200, headers: Optional[Mapping[str, str]] = None) -> Response:
    return _json(document, status, "application/json", headers or {})


def text(body: bytes, media_type: str) -> Response:
    return Response(body, media_type=media_type, headers=_HEADERS)


def problem(document: api.Problem, headers: Optional[Mapping[str, str]] = None) -> Response:
    extra = {**_EXTRA.get(document.status, {}), **(headers or {})}
    return _json(document.to_dict(), document.status, api.PROBLEM_MEDIA_TYPE, extra)


def _json(document: Any, status: int, media_type: str, headers: Mapping[str, str]) -> Response:
    body = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8")
    return Response(body, status_code=status, media_type=media_type, headers={**_HEADERS, **headers})


def http_problem(status: int, detail: str) -> api.Problem:
    """For refusals of the router and the server, which know only a status."""
    code = {404: api.CODE_NOT_FOUND, 405: api.CODE_METHOD}.get(status, api.CODE_BAD_REQUEST)
    return api.Problem(
        type=api.PROBLEM_TYPE_PREFIX + code,
        title=TITLES[code],
        status=status,
        detail=detail,
        code=code,
        remedy="See /openapi.json for what this agent answers.",
    )


def _too_large() -> ProblemError:
    return ProblemError(413, api.CODE_TOO_LARGE, f"The body is larger than {BODY_LIMIT} bytes.", "Send a smaller one.")


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


def _utf8_only(document: Any) -> Any:
    r"""Half a surrogate pair (\ud800) is JSON, but no text: once stored, no answer that tells it could be written."""
    json.dumps(document, ensure_ascii=False).encode("utf-8")
    return document


async def read_json(request: Request) -> Any:
    """The body as JSON, within the limits of size and time."""
    length = request.headers.get("content-length", "0")
    if length.isdecimal() and int(length) > BODY_LIMIT:
        raise _too_large()
    try:
        body = await asyncio.wait_for(_read(request), BODY_WAIT_S)
        return _utf8_only(json.loads(body.decode("utf-8"), parse_constant=_no_constant))
    except asyncio.TimeoutError:
        raise ProblemError(
            408, api.CODE_BAD_REQUEST, f"The body did not arrive within {BODY_WAIT_S:g} seconds.", "Send it at once."
        ) from None
    except (ValueError, RecursionError, ClientDisconnect) as error:
        raise ProblemError(
            400, api.CODE_BAD_REQUEST, f"The body is not JSON in UTF-8: {error}.", "Send one JSON document."
        ) from None


async def _read(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_LIMIT:
            raise _too_large()
    return bytes(body)


def whole_number(
    request: Request, key: str, default: Optional[int], *, largest: int, smallest: int = 0
) -> Optional[int]:
    value = request.query_params.get(key)
    if value is None:
        return default
    if not (value.isascii() and value.isdecimal() and smallest <= int(value[:9]) <= largest and len(value) <= 9):
        words = f"{key} is not a whole number from {smallest} to {largest}."
        raise ProblemError(400, api.CODE_BAD_REQUEST, words, f"Correct {key}.", field=key)
    return int(value)


_FRACTION = re.compile(r"\.([0-9]+)")


def _six_digits(found: re.Match[str]) -> str:
    """Python before 3.11 reads three or six digits of a fraction; Docker prints nine."""
    return "." + found.group(1)[:6].ljust(6, "0")


def moment(request: Request, key: str) -> Optional[float]:
    """Seconds since 1970, from just that or from ISO 8601; without a zone it is UTC."""
    value = request.query_params.get(key)
    if value is None:
        return None
    try:
        if value.isascii() and value.isdecimal() and len(value) <= 11:
            return float(value)
        told = datetime.fromisoformat(_FRACTION.sub(_six_digits, value.upper().replace("Z", "+00:00"), count=1))
        return max(0.0, (told if told.tzinfo is not None else told.replace(tzinfo=timezone.utc)).timestamp())
    except (ValueError, OverflowError):
        raise ProblemError(
            400, api.CODE_BAD_REQUEST, f"{key} is not a moment in time.", "Write 2026-01-31T12:00:00Z.", field=key
        ) from None


def flag(request: Request, key: str) -> bool:
    value = request.query_params.get(key, "0")
    if value not in {"0", "1", "true", "false"}:
        raise ProblemError(400, api.CODE_BAD_REQUEST, f"{key} is neither 0 nor 1.", f"Correct {key}.", field=key)
    return value in {"1", "true"}
