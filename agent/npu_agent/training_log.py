"""Reads what trainings and servers print: Megatron's family (ModelLink, MindSpeed), LLaMA-Factory, vLLM. Pure.

tokens per second and NPU = global batch size x sequence length / (NPUs x milliseconds per iteration) x 1000.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Optional

from npu_agent import api

MEGATRON = "megatron"
TRAINER = "trainer"
VLLM = "vllm"
LINE_LIMIT = 4096

_NUMBER = r"([-+]?(?:nan|inf|\d[\d.]*(?:[eE][-+]?\d+)?))"
_ITERATION = re.compile(r"iteration\s+(\d{1,12})\s*/\s*(\d{1,12})\s*\|")
# "(ms): 1234.5" in Megatron; some forks print the last and the mean: "(ms): 1234.5/1200.1".
_ELAPSED = re.compile(r"elapsed time per iteration \(ms\):\s*" + _NUMBER)
# The misspelt form is ModelLink's own, of 2023 and 2024.
_BATCH = re.compile(r"(?:global|gloabl) batch size:\s*(\d{1,12})")
_LOSS = re.compile(r"(?:\||\s)(?:lm )?loss:\s*" + _NUMBER, re.IGNORECASE)
_SEQUENCE = re.compile(r"actual seqlen:\s*(\d{1,12})")
_NAN_ITERATIONS = re.compile(r"number of nan iterations:\s*(\d{1,12})")
# The table of arguments that Megatron prints at its start.
_ARGUMENT = re.compile(r"^\s*(?:\[[^]]*\]:?\s*)?(seq_length|world_size|global_batch_size) \.{2,}\s*(\d{1,12})\s*$")
_WORLD = re.compile(r"using world size:\s*(\d{1,9})")
# A bar of tqdm: "  2%|x   | 5/300 [00:26<25:00,  5.09s/it]".
_BAR = re.compile(r"\|\s*(\d{1,12})/(\d{1,12}) \[[^]]*?,\s*(\d+(?:\.\d+)?)(s/it|it/s)")
_TRAINER = re.compile(r"\{'loss': ")
_TRAINER_KEY = re.compile(r"'(loss|throughput|train_tokens_per_second)': '?" + _NUMBER)
_TRAINER_BATCH = re.compile(r"Total train batch size .*= ([\d,]{1,15})\s*$")
_TRAINER_STEPS = re.compile(r"Total optimization steps = ([\d,]{1,15})\s*$")
_VLLM = re.compile(r"Avg generation throughput:\s*" + _NUMBER + r" tokens/s")


@dataclass(frozen=True)
class Reading:
    """What the lines so far have told; None was never printed."""

    source: Optional[str] = None
    iteration: Optional[int] = None
    iterations: Optional[int] = None
    loss: Optional[float] = None
    iteration_ms: Optional[float] = None
    global_batch_size: Optional[int] = None
    sequence_length: Optional[int] = None
    npus: Optional[int] = None
    tokens_per_second: Optional[float] = None
    nan_iterations: int = 0


def feed(reading: Reading, lines: Iterable[str]) -> Reading:
    for line in lines:
        for read in _READERS:
            found = read(reading, line[:LINE_LIMIT])
            if found is not None:
                reading = found
                break
    return reading


def lines_of(text: str) -> list[str]:
    """A bar goes back to the line's start instead of to the next one."""
    return [line for line in re.split(r"[\r\n]+", text) if line.strip()]


def _megatron(reading: Reading, line: str) -> Optional[Reading]:
    where = _ITERATION.search(line)
    elapsed = _ELAPSED.search(line)
    if where is None or elapsed is None:
        return None
    return dataclasses.replace(
        reading,
        source=MEGATRON,
        iteration=int(where[1]),
        iterations=int(where[2]),
        iteration_ms=_float(elapsed),
        loss=_float(_LOSS.search(line), reading.loss),
        global_batch_size=_int(_BATCH.search(line), reading.global_batch_size),
        sequence_length=_int(_SEQUENCE.search(line), reading.sequence_length),
        nan_iterations=_int(_NAN_ITERATIONS.search(line), 0) or 0,
    )


def _argument(reading: Reading, line: str) -> Optional[Reading]:
    match = _ARGUMENT.match(line)
    if match is not None:
        key = {"seq_length": "sequence_length", "world_size": "npus"}.get(match[1], match[1])
        changes: dict[str, Any] = {key: int(match[2])}
        return dataclasses.replace(reading, **changes)
    world = _WORLD.search(line)
    return None if world is None else dataclasses.replace(reading, npus=int(world[1]))


def _trainer(reading: Reading, line: str) -> Optional[Reading]:
    """The Hugging Face trainer under LLaMA-Factory: a bar, a dictionary, or both in one line."""
    bar, told = _BAR.search(line), _TRAINER.search(line)
    if told is None and (bar is None or reading.source != TRAINER or int(bar[2]) != reading.iterations):
        return _trainer_start(reading, line)
    found = dataclasses.replace(reading, source=TRAINER)
    if bar is not None:
        pace = float(bar[3])
        seconds = pace if bar[4] == "s/it" else (1 / pace if pace else None)
        ms = None if seconds is None else round(seconds * 1000, 3)
        found = dataclasses.replace(found, iteration=int(bar[1]), iterations=int(bar[2]), iteration_ms=ms)
    for key, value in _TRAINER_KEY.findall(line[told.start() :]) if told is not None else ():
        changes: dict[str, Any] = {"loss" if key == "loss" else "tokens_per_second": float(value)}
        found = dataclasses.replace(found, **changes)
    return found


def _trainer_start(reading: Reading, line: str) -> Optional[Reading]:
    batch, steps = _TRAINER_BATCH.search(line), _TRAINER_STEPS.search(line)
    if batch is not None:
        return dataclasses.replace(reading, source=TRAINER, global_batch_size=int(batch[1].replace(",", "")))
    if steps is not None:
        return dataclasses.replace(reading, source=TRAINER, iterations=int(steps[1].replace(",", "")))
    return None


def _vllm(reading: Reading, line: str) -> Optional[Reading]:
    match = _VLLM.search(line)
    return None if match is None else dataclasses.replace(reading, source=VLLM, tokens_per_second=_float(match))


_READERS: tuple[Callable[[Reading, str], Optional[Reading]], ...] = (_megatron, _vllm, _trainer, _argument)


def _float(match: Optional[re.Match[str]], otherwise: Optional[float] = None) -> Optional[float]:
    try:
        return float(match[1]) if match is not None else otherwise
    except ValueError:
        return otherwise


def _int(match: Optional[re.Match[str]], otherwise: Optional[int]) -> Optional[int]:
    return int(match[1]) if match is not None else otherwise


def progress(
    reading: Reading, given: dict[str, int], npus: int, findings: Iterable[str] = ()
) -> Optional[api.Progress]:
    """In the API's words; `given` is the spec's `training`, `npus` those of this container. None before any number."""
    if reading.source is None:
        return None
    batch = reading.global_batch_size or given.get("global_batch_size")
    length = reading.sequence_length or given.get("sequence_length")
    total = given.get("npus") or reading.npus or npus
    per_npu = _per_npu(reading, batch, length, total)
    found = [*loss_findings(reading), *findings]
    return api.Progress(
        source=reading.source,
        iteration=reading.iteration,
        iterations=reading.iterations,
        loss=_finite(reading.loss),
        iteration_ms=_finite(reading.iteration_ms),
        global_batch_size=batch,
        sequence_length=length,
        npus=total,
        tokens_per_second_per_npu=per_npu,
        tokens_per_second=_finite(reading.tokens_per_second),
        findings=found,
    )


def _per_npu(reading: Reading, batch: Optional[int], length: Optional[int], npus: int) -> Optional[float]:
    ms = _finite(reading.iteration_ms)
    if reading.source != VLLM and batch and length and ms and npus:
        return round(batch * length / (npus * ms) * 1000, 2)
    total = _finite(reading.tokens_per_second)
    return None if total is None or not npus else round(total / npus, 2)


def loss_findings(reading: Reading) -> list[str]:
    found = []
    where = f" at iteration {reading.iteration}" if reading.iteration is not None else ""
    if reading.loss is not None and not math.isfinite(reading.loss):
        found.append(f"the loss is {reading.loss}{where}")
    if reading.nan_iterations:
        found.append(f"{reading.nan_iterations} iterations were not a number")
    return found


def _finite(value: Optional[float]) -> Optional[float]:
    """JSON has no NaN: it is a finding in words, and the number is not known."""
    return value if value is not None and math.isfinite(value) else None
