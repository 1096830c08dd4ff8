"""What a rehearsed task would have changed, read from its event: the file, setting, unit or package that differs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

# What npufleet remembers for `remove`, and what lives for one transaction only: no part of the wanted state.
_OWN_NOTES = ("/var/lib/npufleet/found/", "/run/npufleet-")


@dataclass(frozen=True)
class Difference:
    """One thing on a node that is not as the inventory says; `kind` is file, option, unit, command, task or proof."""

    role: str
    kind: str
    what: str

    def to_dict(self) -> dict[str, str]:
        return {"role": self.role, "kind": self.kind, "what": self.what}


def differences(data: Mapping[str, Any], role: str) -> list[Difference]:
    """Everything that one task would have changed on one node."""
    result = data.get("res")
    if not isinstance(result, Mapping) or not result.get("changed"):
        return []
    task = str(data.get("task") or "?")
    return [Difference(role, kind, what) for kind, what in dict.fromkeys(_of_result(result, task))]


def _of_result(result: Mapping[str, Any], task: str) -> Iterator[tuple[str, str]]:
    items = result.get("results")
    if isinstance(items, list) and any(isinstance(item, Mapping) for item in items):
        for item in items:
            if isinstance(item, Mapping) and item.get("changed"):
                yield from _of_result(item, task)
        return
    if _is_unit(result):
        # One that is as wanted is only to be restarted or reloaded, because something else differs.
        if unit := _unit(result):
            yield "unit", unit
    elif isinstance(paths := result.get("paths"), list):
        yield from (told for path in paths if not str(path).startswith(_OWN_NOTES) for told in _file(str(path), result))
    elif path := result.get("dest") or result.get("path"):
        yield from _file(str(path), result)
    elif command := result.get("cmd"):
        yield "command", " ".join(map(str, command)) if isinstance(command, list) else str(command)
    else:
        yield "task", task


def _is_unit(result: Mapping[str, Any]) -> bool:
    return re.search(r"\.(service|timer|socket|mount|slice)$", str(result.get("name") or "")) is not None


def _unit(result: Mapping[str, Any]) -> str:
    status = result.get("status")
    found = status if isinstance(status, Mapping) else {}
    wants = {
        "ActiveState": ("active", "started", result.get("state") == "started"),
        "UnitFileState": ("enabled", "enabled", result.get("enabled") is True),
    }
    missing = {key: word for key, (state, word, wanted) in wants.items() if wanted and found.get(key) != state}
    told = " and ".join(str(found.get(key) or "unknown") for key in missing)
    return f"{result['name']} is {told}, wanted {' and '.join(missing.values())}" if missing else ""


def _file(path: str, result: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """A JSON file that is there is told key by key: the file as a whole belongs to others as well."""
    texts = _before_and_after(path, result)
    documents = [_document(text) for text in texts]
    if len(documents) == 2 and all(documents):
        before, after = documents
        keys = sorted({key for key in (*before, *after) if before.get(key) != after.get(key)})
        yield from (("option", f"{path}: {key}") for key in keys)
    else:
        yield "file", f"{path} is missing" if texts and not texts[0] else f"{path} differs"


def _before_and_after(path: str, result: Mapping[str, Any]) -> list[str]:
    diffs = result.get("diff")
    for diff in diffs if isinstance(diffs, list) else [diffs]:
        if isinstance(diff, Mapping) and path in str(diff.get("after_header", "")) and "before" in diff:
            return [str(diff["before"] or ""), str(diff.get("after") or "")]
    return []


def _document(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
