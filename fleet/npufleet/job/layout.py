"""The keys of a job file that say how the job lies over nodes; the rest of the file is the workload of every rank."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from npufleet.errors import UsageError

STOP_ALL = "stop-all"
RESTART_ELSEWHERE = "restart-elsewhere"
NONE = "none"
ON_FAILURE = (STOP_ALL, RESTART_ELSEWHERE, NONE)
TABLE_VERSIONS = ("auto", "1.0", "1.2")
TABLE_TARGET = "/etc/npufleet-job/rank_table.json"


@dataclass(frozen=True)
class Layout:
    """`nodes` is a count or names, and `rank_table` the version wanted, or None. job.schema.json tells every key."""

    nodes: int | tuple[str, ...]
    master_port: int = 29500
    rank_table: str | None = None
    on_failure: str = STOP_ALL
    restarts: int = 3
    unreachable_after_s: int = 120

    @property
    def count(self) -> int:
        return self.nodes if isinstance(self.nodes, int) else len(self.nodes)

    def to_dict(self) -> dict[str, Any]:
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @classmethod
    def take(cls, keys: dict[str, Any]) -> Layout | None:
        """Take the layout's keys out of a job document; None where the job is for one node as ever."""
        own = {name: keys.pop(name) for name in cls.__dataclass_fields__ if name in keys}
        if not own:
            return None
        if "nodes" not in own:
            raise _wrong(f"{next(iter(own))} is for jobs with nodes", "Give nodes: COUNT, or a list of names.")
        return cls(
            nodes=_nodes(own["nodes"]),
            master_port=_number(own, "master_port", cls.master_port, 1, 65535),
            rank_table=_table(own.get("rank_table")),
            on_failure=_word(own, "on_failure", cls.on_failure, ON_FAILURE),
            restarts=_number(own, "restarts", cls.restarts, 0, 1000),
            unreachable_after_s=_number(own, "unreachable_after_s", cls.unreachable_after_s, 5, 86400),
        )


def _nodes(value: Any) -> int | tuple[str, ...]:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    names = isinstance(value, list) and all(isinstance(name, str) and name for name in value)
    if names and value and len(set(value)) == len(value):
        return tuple(value)
    raise _wrong(f"nodes is {value!r}", "Give a count, or a list of different names.")


def _table(value: Any) -> str | None:
    if value is None or value is False:
        return None
    if value is True:
        return "auto"
    if value in TABLE_VERSIONS:
        return str(value)
    raise _wrong(f"rank_table is {value!r}", 'Give true, or a version in quotes: "1.0" or "1.2".')


def _number(own: dict[str, Any], key: str, default: int, least: int, most: int) -> int:
    value = own.get(key, default)
    if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
        return value
    raise _wrong(f"{key} is {value!r}", f"Give a whole number from {least} to {most}.")


def _word(own: dict[str, Any], key: str, default: str, words: tuple[str, ...]) -> str:
    value = own.get(key, default)
    if value in words:
        return str(value)
    raise _wrong(f"{key} is {value!r}", f"Give one of {', '.join(words)}.")


def _wrong(what: str, remedy: str) -> UsageError:
    return UsageError(f"The job is not understood: {what}.", code="invalid-spec", remedy=remedy)
