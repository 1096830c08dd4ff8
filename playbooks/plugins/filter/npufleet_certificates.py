"""Which server certificates of a node must be made or renewed, and why."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any


def npufleet_certificates_due(
    wanted: Iterable[Mapping[str, Any]], node: Mapping[str, Any], authority: str, renew_days: int
) -> list[dict[str, Any]]:
    """Those of the wanted certificates that are not as they should be, with `reason` in words."""
    judged = [{**item, "reason": reason(item, node, authority, renew_days)} for item in wanted]
    return [item for item in judged if item["reason"]]


def reason(item: Mapping[str, Any], node: Mapping[str, Any], authority: str, renew_days: int) -> str:
    """Why a new certificate is needed; empty when it is not."""
    found, files = node["certificates"].get(item["certificate"]), node["files"]
    if found is None or item["key"] not in files:
        return "there is none"
    if files.get(item["authority"], {}).get("sha256") != hashlib.sha256(authority.encode()).hexdigest():
        return "it is of another authority"
    if found["days_left"] < renew_days:
        return f"it ends in {found['days_left']} days"
    if sorted(found["names"]) != sorted(map(str, item["names"])):
        return "the names of the node changed"
    key = files[item["key"]]
    if (key["uid"], key["gid"], key["mode"]) != (item["uid"], item["gid"], "0600"):
        return "others can read its key, or its user cannot"
    return ""


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"npufleet_certificates_due": npufleet_certificates_due}
