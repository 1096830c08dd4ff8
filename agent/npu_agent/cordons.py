"""Marks that keep new work away from the node or from one of its NPUs, and who set them.

Every owner has a cordon of its own: a rollout that is done lifts its own mark and never an operator's.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Optional

from npu_agent import api, units
from npu_agent.problem import ProblemError
from npu_agent.store import Store

log = logging.getLogger(__name__)

KIND = "cordon"


class Cordons:
    def __init__(self, store: Store, on_change: Callable[[str, str], None] = lambda _kind, _words: None) -> None:
        self._store = store
        self._on_change = on_change

    def all(self) -> list[api.Cordon]:
        found = [api.Cordon.from_dict(document) for document in self._store.marks(KIND).values()]
        return sorted(found, key=lambda c: (-1 if c.npu is None else c.npu, c.owner))

    def told(self) -> api.Cordons:
        found = self.all()
        return api.Cordons(any(cordon.npu is None for cordon in found), found)

    def put(self, owner: str, reason: str, npus: Sequence[int] = ()) -> bool:
        """Set a mark on the node, or on each of the NPUs. Gives whether anything changed."""
        changed = False
        known = {_key(cordon): cordon for cordon in self.all()}
        for npu in npus or (None,):
            wanted = api.Cordon(owner, reason, npu, units.utc_now())
            before = known.get(_key(wanted))
            if before is None or before.reason != reason:
                self._store.mark(KIND, _key(wanted), wanted.to_dict())
                self._tell("cordoned", f"{_target(npu)} is cordoned by {owner}{_because(reason)}")
                changed = True
        return changed

    def lift(self, owner: str, npus: Sequence[int] = (), *, force: bool = False) -> bool:
        """Take the owner's mark away; with force everybody's. Another's mark alone is a refusal that names it."""
        changed = False
        for npu in npus or (None,):
            here = [cordon for cordon in self.all() if cordon.npu == npu]
            mine = [cordon for cordon in here if force or cordon.owner == owner]
            if here and not mine:
                raise _anothers(here[0], npu)
            if mine:
                self._store.unmark(KIND, [_key(cordon) for cordon in mine])
                self._tell("uncordoned", f"{owner} lifts the cordon of {_target(npu)}")
                changed = True
        return changed

    def check_node(self) -> None:
        """Refuse new work on a node that is cordoned."""
        for cordon in self.all():
            if cordon.npu is None:
                raise ProblemError(
                    409,
                    api.CODE_CORDONED,
                    f"The node is cordoned by {cordon.owner}{_because(cordon.reason)}.",
                    "Choose another node, or wait until it is uncordoned.",
                )

    def of_npus(self) -> dict[int, api.Cordon]:
        return {cordon.npu: cordon for cordon in self.all() if cordon.npu is not None}

    def _tell(self, kind: str, words: str) -> None:
        log.info("%s", words)
        self._on_change(kind, words)


def npu_cordoned(cordon: api.Cordon, before: str = "") -> ProblemError:
    return ProblemError(
        409,
        api.CODE_NPU_CORDONED,
        f"{before}NPU {cordon.npu} is cordoned by {cordon.owner}{_because(cordon.reason)}.",
        "Choose other NPUs, or wait until it is uncordoned.",
        npu=cordon.npu,
    )


def _anothers(cordon: api.Cordon, npu: Optional[int]) -> ProblemError:
    return ProblemError(
        409,
        api.CODE_CORDON_OWNER,
        f"The cordon of {_target(npu)} is {cordon.owner}'s{_because(cordon.reason)}.",
        "Let its owner lift it, or force it if you are sure.",
        npu=npu,
    )


def _because(reason: str) -> str:
    return f" ({reason})" if reason else ""


def _target(npu: Optional[int]) -> str:
    return "the node" if npu is None else f"NPU {npu}"


def _key(cordon: api.Cordon) -> str:
    return f"{'node' if cordon.npu is None else cordon.npu}/{cordon.owner}"
