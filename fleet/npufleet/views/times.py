"""Times for people: how long ago, in one or two units."""

from __future__ import annotations

from datetime import UTC, datetime

_UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


def parse(text: str | None) -> datetime | None:
    """Read the agents' ISO 8601 times; what is no time is no time."""
    try:
        time = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def span(seconds: float) -> str:
    """Write 3725 as "1 h 2 min": the two largest units, without those that are nothing."""
    left = max(0, int(seconds))
    first = next((i for i, (_, size) in enumerate(_UNITS) if left >= size), len(_UNITS) - 1)
    parts: list[str] = []
    for unit, size in _UNITS[first : first + 2]:
        amount, left = divmod(left, size)
        if amount or not parts:
            parts.append(f"{amount} {unit}")
    return " ".join(parts)


def since(text: str | None, now: datetime | None = None) -> str:
    """How long ago a time was; empty when it is not known."""
    time = parse(text)
    return "" if time is None else span(((now or datetime.now(UTC)) - time).total_seconds())
