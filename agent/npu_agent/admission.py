"""Which NPUs a workload gets: the lowest healthy free ones, or exactly those it asks for, or a named refusal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

from npu_agent import api
from npu_agent.cordons import npu_cordoned
from npu_agent.problem import ProblemError

_USABLE = frozenset({api.HEALTHY, api.DEGRADED})


def choose(
    asked: Any,
    npus: Sequence[api.Npu],
    holders: Mapping[int, api.Holder],
    *,
    complete: bool,
    cordoned: Optional[Mapping[int, api.Cordon]] = None,
) -> tuple[list[int], list[str]]:
    """Return physical ids in ascending order and notes; raise a problem that names who or what is in the way."""
    marked = cordoned or {}
    if not complete:
        raise ProblemError(
            503,
            api.CODE_NPU_UNHEALTHY,
            "There is no complete probe of the NPUs yet, and unknown is not healthy.",
            "Wait for /readyz, or see `npu-agent health` on the node.",
        )
    known = {npu.npu: npu for npu in npus}
    if isinstance(asked, (int, float)):
        return _by_count(int(asked), known, holders, marked), []
    ids = sorted(known) if asked == "all" else sorted(int(item) for item in asked)
    if not ids:
        raise _too_few(1, 0)
    for npu in ids:
        _check(npu, known, holders, marked)
    return ids, [f"NPU {npu} is degraded: {known[npu].reason}" for npu in ids if known[npu].state == api.DEGRADED]


def _by_count(
    count: int, known: Mapping[int, api.Npu], holders: Mapping[int, api.Holder], cordoned: Mapping[int, api.Cordon]
) -> list[int]:
    if count > len(known):
        raise _too_few(count, len(known))
    free = [npu for npu in sorted(known) if npu not in holders and npu not in cordoned]
    good = [npu for npu in free if known[npu].state == api.HEALTHY]
    if len(good) >= count:
        return good[:count]
    held = [npu for npu in sorted(known) if npu in holders]
    awaited = [npu for npu in held if known[npu].state == api.HEALTHY]
    ill = [npu for npu in (*free, *held) if known[npu].state != api.HEALTHY]
    before = f"{count} NPUs are asked and {len(good)} are healthy and free: "
    if awaited and len(good) + len(awaited) >= count:  # then waiting for their holders helps
        raise _held(awaited[0], holders[awaited[0]], before)
    if ill:
        raise _unhealthy(known[ill[0]], before)
    marked = [npu for npu in sorted(known) if npu in cordoned]
    if marked:
        raise npu_cordoned(cordoned[marked[0]], before)
    raise _held(held[0], holders[held[0]], before)


def _check(
    npu: int, known: Mapping[int, api.Npu], holders: Mapping[int, api.Holder], cordoned: Mapping[int, api.Cordon]
) -> None:
    if npu not in known:
        raise ProblemError(
            422,
            api.CODE_NPU_UNKNOWN,
            f"This node has no NPU {npu}.",
            f"Choose among {', '.join(str(item) for item in sorted(known)) or 'none'}.",
            npu=npu,
            field="npus",
        )
    if npu in holders:
        raise _held(npu, holders[npu])
    if npu in cordoned:
        raise npu_cordoned(cordoned[npu])
    if known[npu].state not in _USABLE:
        raise _unhealthy(known[npu])


def _too_few(count: int, has: int) -> ProblemError:
    return ProblemError(
        422,
        api.CODE_NPU_SHORT,
        f"The spec asks {count} NPUs; this node has {has}.",
        "Ask for fewer, or use another node.",
        field="npus",
    )


def _held(npu: int, holder: api.Holder, before: str = "") -> ProblemError:
    return ProblemError(
        409,
        api.CODE_NPU_HELD,
        f"{before}NPU {npu} is held by {holder.sentence()}.",
        "Wait until it ends or stop it, or choose other NPUs.",
        holder=holder,
        npu=npu,
    )


def _unhealthy(npu: api.Npu, before: str = "") -> ProblemError:
    return ProblemError(
        503,
        api.CODE_NPU_UNHEALTHY,
        f"{before}NPU {npu.npu} is {npu.state}: {npu.reason}".rstrip(": "),
        f"Advised action: {npu.action}. See `npu-agent health` on the node, or choose other NPUs.",
        npu=npu.npu,
    )
