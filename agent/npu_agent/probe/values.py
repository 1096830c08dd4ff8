"""Strict readers of single values: what does not look exactly right is unknown."""

from __future__ import annotations

import re
from typing import Optional

from npu_agent.probe.model import HEALTH_WORDS, Number

ABSENT = ("NA", "-", "")

# No tool pads a number with zeros: one that begins so has lost something.
_INTEGER = re.compile(r"0|[1-9]\d{0,8}", re.ASCII)
_COUNT = re.compile(r"0|[1-9]\d{0,19}", re.ASCII)
_OCTET = re.compile(r"\d{1,3}", re.ASCII)
_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,8})(?:\.\d{1,6})?", re.ASCII)
_BUS_ID = re.compile(r"(?:[0-9A-Fa-f]{4}){1,2}:[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}\.[0-7]", re.ASCII)
_NO_BUS = re.compile(r"0+:00:00\.0")
_NAME = re.compile(r"(?:Ascend )?[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)
_VERSION = re.compile(r"\d+(?:\.(?:\d+|(?:rc|spc|alpha|beta|dev|[a-z])\d+))+", re.ASCII | re.IGNORECASE)


def integer(text: str) -> Optional[int]:
    return int(text) if _INTEGER.fullmatch(text) else None


def count(text: str) -> Optional[int]:
    """Read a counter of the hardware, which may have 64 bits."""
    return int(text) if _COUNT.fullmatch(text) else None


def ipv4(text: Optional[str]) -> Optional[str]:
    parts = (text or "").split(".")
    return text if len(parts) == 4 and all(_OCTET.fullmatch(part) and int(part) < 256 for part in parts) else None


def number(text: str, low: float, high: float) -> Optional[Number]:
    """Read a number that lies within what the hardware can mean."""
    if not _NUMBER.fullmatch(text):
        return None
    value: Number = float(text) if "." in text else int(text)
    return value if low <= value <= high else None


def bus_id(text: str) -> Optional[str]:
    """Read a PCIe address; all zeros is what npu-smi prints when it could not ask."""
    return text.upper() if _BUS_ID.fullmatch(text) and not _NO_BUS.fullmatch(text) else None


def health_word(text: str) -> Optional[str]:
    return text if text in HEALTH_WORDS else None


def name(text: str) -> Optional[str]:
    return text if _NAME.fullmatch(text) else None


def version(text: str) -> Optional[str]:
    return text if _VERSION.fullmatch(text) else None
