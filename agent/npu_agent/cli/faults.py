"""`npu-agent faults CODE`: what a fault code means and what to do. Needs no running agent."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Optional

from npu_agent import config
from npu_agent.api_events import FaultInfo
from npu_agent.cli.result import USAGE, Result, failure
from npu_agent.health import explain, faults, rules

_WORDS = {
    "en": ("level", "state", "action", "npu-smi says", "part of the chip", "cause", "training", "inference", "rule"),
    "zh": ("级别", "状态", "处理动作", "npu-smi 显示", "芯片部件", "原因", "训练场景", "推理场景", "规则"),
}
_UNKNOWN = {"en": "This code is not in the table.", "zh": "故障码表中没有该故障码。"}


def show(arguments: argparse.Namespace) -> Result:
    info = explain.explain(arguments.code, rules.load(_rules_file(arguments.config)))
    if info is None:
        return failure(
            f"{arguments.code} is no fault code. Give eight hexadecimal digits such as 80E01801, or the ten decimal"
            " ones that npu-exporter prints.",
            "no-fault-code",
            exit_code=USAGE,
        )
    return Result(info.to_dict(), _text(info, arguments.lang))


def _rules_file(path: Path) -> Path:
    try:
        return Path(config.load(path).rules_file)
    except config.ConfigError:  # the table is for laptops too
        return Path(rules.SITE_FILE)


def _text(info: FaultInfo, language: str) -> str:
    level, state, action, word, part, cause, training, inference, rule = _WORDS[language]
    advice = {use: info.advice.get(use, {}).get(language) for use in faults.USES}
    rows: list[tuple[str, Optional[str]]] = [
        (level, info.level and f"{info.level} ({info.meaning.get(language, '')})"),
        (state, info.state),
        (action, info.action),
        (word, info.severity),
        (part, info.component.get(language)),
        (cause, info.cause.get(language)),
        (training, advice["training"]),
        (inference, advice["inference"]),
        *((rule, words) for words in info.rules),
    ]
    head = info.code if info.known else f"{info.code}  {_UNKNOWN[language]}"
    return "\n".join([head, *(f"  {name}: {value}" for name, value in rows if value)])
