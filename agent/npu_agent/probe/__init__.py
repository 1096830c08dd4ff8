"""Reads the NPU hardware through npu-smi, hccn_tool and lspci: pure parsers, and the only callers of these tools."""

from __future__ import annotations

from npu_agent.probe.detail import (
    Board,
    CardList,
    HealthDetail,
    parse_board,
    parse_health,
    parse_list,
    parse_numbers,
    parse_proc_mem,
    parse_tool_version,
)
from npu_agent.probe.document import decode, document, document_of, read
from npu_agent.probe.errors import classify, classify_text
from npu_agent.probe.info import parse_info
from npu_agent.probe.mapping import Mapping, MapRow, parse_mapping
from npu_agent.probe.model import ERROR_CLASSES, HEALTH_WORDS, Chip, InfoTable, ProbeError, Process
from npu_agent.probe.tools import NpuSmi, ToolStats, driver_env

__all__ = [
    "ERROR_CLASSES",
    "HEALTH_WORDS",
    "Board",
    "CardList",
    "Chip",
    "HealthDetail",
    "InfoTable",
    "MapRow",
    "Mapping",
    "NpuSmi",
    "ProbeError",
    "Process",
    "ToolStats",
    "classify",
    "classify_text",
    "decode",
    "document",
    "document_of",
    "driver_env",
    "parse_board",
    "parse_health",
    "parse_info",
    "parse_list",
    "parse_mapping",
    "parse_numbers",
    "parse_proc_mem",
    "parse_tool_version",
    "read",
]
