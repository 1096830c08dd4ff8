"""What a role's proof said when it failed, as one sentence to keep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def npufleet_reason(result: Mapping[str, Any]) -> str:
    """The message of a failed task; of a failed loop, those of the items that failed."""
    failed = [item for item in result.get("results") or () if isinstance(item, Mapping) and item.get("failed")]
    if failed:
        return " ".join(dict.fromkeys(npufleet_reason(item) for item in failed))
    said = (str(result.get(key) or "").strip() for key in ("msg", "stderr", "module_stderr"))
    return " ".join(next((text for text in said if text), "no reason was given").split())


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"npufleet_reason": npufleet_reason}
