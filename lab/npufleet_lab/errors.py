"""The one error the lab raises towards a person: what is wrong, and what to do about it."""

from __future__ import annotations


class LabError(Exception):
    """A sentence for the operator; `remedy` says what to do next."""

    exit_code = 1

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()


class LabUsageError(LabError):
    """What was asked for does not exist or does not parse."""

    exit_code = 2
