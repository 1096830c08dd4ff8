"""What a command gives back: a document for programs, a text for people, an exit code for scripts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Optional

FINE = 0
FAILED = 1
USAGE = 2
UNREACHABLE = 4


@dataclass(frozen=True)
class Result:
    document: Any = None
    text: str = ""
    code: int = FINE
    is_error: bool = False

    def as_json(self) -> str:
        return "" if self.document is None else json.dumps(self.document, indent=2, ensure_ascii=False)


def failure(sentence: str, code: str, document: Optional[dict[str, Any]] = None, *, exit_code: int = FAILED) -> Result:
    return Result(document or {"code": code, "detail": sentence}, sentence, exit_code, is_error=True)


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Columns as wide as their widest cell; what is unknown is a dash."""
    cells = [[*head], *([("-" if cell is None else str(cell)) for cell in row] for row in rows)]
    widths = [max(len(row[index]) for row in cells) for index in range(len(head))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in cells)
    return "\n".join(lines)
