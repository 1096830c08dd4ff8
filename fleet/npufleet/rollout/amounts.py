"""Amounts in settings: how many nodes, how long, how much of a hundred."""

from __future__ import annotations

import re
from collections.abc import Sequence

from npufleet.errors import UsageError

Amount = int | str
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def refuse(name: str, value: object, wanted: str) -> UsageError:
    return UsageError(f"{name} is {value!r}.", code="rollout-settings", remedy=f"Give {wanted}.")


def seconds(name: str, value: object) -> float:
    """Read 30, "30s", "5m" or "1h30m" as seconds."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0:
        return float(value)
    text = str(value)
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    parts = re.findall(r"(\d+)([smhd])", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise refuse(name, value, 'a time such as "30s", "5m" or "1h"')
    return float(sum(int(number) * _UNITS[unit] for number, unit in parts))


def percent(name: str, value: object) -> float:
    text = str(value).removesuffix("%")
    if isinstance(value, bool) or not re.fullmatch(r"\d+(\.\d+)?", text) or float(text) > 100:
        raise refuse(name, value, "a percentage from 0 to 100")
    return float(text)


def amount(name: str, value: object, *, least: int = 1) -> Amount:
    """Read a count of nodes, or a share of them such as "20%"."""
    text = str(value)
    if not isinstance(value, bool) and re.fullmatch(r"\d+", text) and int(text) >= least:
        return int(text)
    if re.fullmatch(r"\d+%", text) and 0 < int(text[:-1]) <= 100:
        return text
    raise refuse(name, value, f'a number of nodes from {least} up, or a share such as "20%"')


def amounts(name: str, value: object) -> tuple[Amount, ...]:
    """Read one amount, or a list of them in which the last one goes on."""
    if isinstance(value, str) and "," in value:
        value = value.strip("[] ").split(",")
    items = value if isinstance(value, Sequence) and not isinstance(value, str) else (value,)
    if not items:
        raise refuse(name, value, "at least one number of nodes")
    return tuple(amount(name, item.strip(" \"'") if isinstance(item, str) else item) for item in items)


def count(one: Amount, total: int) -> int:
    """How many nodes that is: a share is rounded down, and is never less than one node."""
    if isinstance(one, int):
        return one
    return max(1, total * int(one[:-1]) // 100)


def spell(value_s: float) -> str:
    """Write seconds as they are written in settings."""
    for unit, size in (("h", 3600), ("m", 60)):
        if value_s >= size and value_s % size == 0:
            return f"{value_s / size:g}{unit}"
    return f"{value_s:g}s"
