"""Runs fuzz cases and prints how many of which: `run.py [CASES] [SEED]`. A case is run again by its seed."""

from __future__ import annotations

import signal
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fuzz.cases import TARGETS

_SHOWN = 10


def main(cases: int, seed: int) -> int:
    ran: Counter[str] = Counter()
    held: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    begun = time.monotonic()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        for number in range(seed, seed + cases):
            _one(number, ran, held, failed)
    except KeyboardInterrupt:
        print("stopped before the end; these were run:")
    for name, count in ran.items():
        print(f"{name:<16} {count:>9} cases  {held[name]:>9} held against the truth  {failed[name]:>6} failed")
    together = f"{ran.total():>9} cases  {held.total():>9} held against the truth  {failed.total():>6} failed"
    print(f"{'together':<16} {together}  in {time.monotonic() - begun:.0f} s")
    return 1 if failed else 0


def _one(number: int, ran: Counter[str], held: Counter[str], failed: Counter[str]) -> None:
    target = TARGETS[number % len(TARGETS)]
    ran[target.__name__] += 1
    try:
        held[target.__name__] += target(Random(number))
    except Exception as error:  # noqa: BLE001  # whatever a parser lets out is what this looks for
        failed[target.__name__] += 1
        if failed.total() <= _SHOWN:
            print(f"{target.__name__} fails with seed {number}: {type(error).__name__}: {str(error)[:600]}", flush=True)


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:]]
    sys.exit(main(*(numbers + [6000, 0][len(numbers) :])))
