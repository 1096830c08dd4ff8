"""Sizes and times as people and Docker write them."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import Optional

_FACTORS = {"b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_SIZE = re.compile(r"([0-9]+)([bkmgt]?)")
# Docker gives nanoseconds, and this for "never".
_DOCKER_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)")
_DOCKER_NEVER = "0001-01-01"


def parse_size(text: str) -> int:
    """Bytes of "200g": Docker's units, powers of 1024, plain numbers are bytes."""
    match = _SIZE.fullmatch(text.lower())
    if match is None:
        raise ValueError(f"{text} is not a size such as 200g")
    return int(match[1]) * _FACTORS[match[2] or "b"]


def show_size(size: int) -> str:
    for unit in "tgmk":
        if size >= _FACTORS[unit]:
            return f"{size / _FACTORS[unit]:.1f}".rstrip("0").rstrip(".") + unit
    return f"{size}b"


def utc_text(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def utc_now() -> str:
    return utc_text(datetime.now(timezone.utc))


def seconds(text: Optional[str]) -> Optional[float]:
    """Seconds since 1970 of a time as `utc_text` writes it; None for what is none."""
    try:
        return datetime.fromisoformat((text or "").replace("Z", "+00:00")).timestamp()
    except ValueError:
        return None


def from_docker(text: object) -> Optional[str]:
    """Docker's time as ISO 8601 UTC in whole seconds; None for its "never" and for what is no time."""
    match = _DOCKER_TIME.fullmatch(text) if isinstance(text, str) else None
    if match is None or match[1].startswith(_DOCKER_NEVER):
        return None
    return utc_text(datetime.fromisoformat(match[1] + match[2].replace("Z", "+00:00")))
