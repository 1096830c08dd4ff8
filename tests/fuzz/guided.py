"""The same targets, steered by coverage: `guided.py -runs=N` (libFuzzer's options); needs requirements/fuzz.txt."""

from __future__ import annotations

import sys
from collections.abc import MutableSequence, Sequence
from pathlib import Path
from random import Random
from typing import Any

import atheris

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

with atheris.instrument_imports(include=["npu_agent.probe"]):
    from fuzz.cases import READERS, TARGETS
    from npu_agent.probe import decode, document

_RAW_SHARE = 4


class Steered(Random):
    """Chance that the fuzzer decides; when its bytes run out, everything is the first choice."""

    def __init__(self, data: bytes) -> None:
        super().__init__(0)
        self._data = atheris.FuzzedDataProvider(data)

    def random(self) -> float:
        return float(self._data.ConsumeIntInRange(0, 65535)) / 65536

    def getrandbits(self, k: int, /) -> int:
        return int(self._data.ConsumeIntInRange(0, (1 << k) - 1)) if k <= 64 else 0

    def _randbelow(self, n: int) -> int:
        return int(self._data.ConsumeIntInRange(0, n - 1)) if n > 1 else 0

    def sample(self, population: Sequence[Any], k: int, **_: Any) -> list[Any]:
        """Pick without going on until two differ: exhausted bytes would always pick the same."""
        left = list(population)
        return [left.pop(self._randbelow(len(left))) for _ in range(k)]

    def shuffle(self, x: MutableSequence[Any]) -> None:
        x.reverse()


def one(data: bytes) -> None:
    """A quarter of the inputs are a text themselves, the others decide what happens to one."""
    if not data:
        return
    if data[0] % _RAW_SHARE == 0:
        text = decode(data[1:])
        document(text)
        for reader in READERS:
            reader(text)
    else:
        TARGETS[data[0] % len(TARGETS)](Steered(data[1:]))


def main(arguments: Sequence[str]) -> None:
    atheris.Setup(list(arguments), one)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv)
