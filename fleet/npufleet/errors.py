"""The errors that stop a command, each with a stable code, a cause and a remedy.

NpufleetError
├── UsageError         the command line asks for something that cannot be
├── ProjectError       this program does not find its playbooks, or a tool it needs
├── InventoryError     no group of nodes, or an inventory that cannot be read
├── CredentialError    the fleet's secret or its CA is missing or unreadable
├── WorkloadError      no such workload, or more than one of that name
├── PlacementError     no node can take the workload
├── JobError           a job over several nodes did not start, or did not go on
└── AgentError         a node's agent did not give what was asked; see agent_errors.py
"""

from __future__ import annotations

from typing import ClassVar

from npufleet.result import Exit, Failure, Result


class NpufleetError(Exception):
    code: ClassVar[str] = "failed"
    exit_code: ClassVar[Exit] = Exit.FAILED

    def __init__(self, message: str, *, remedy: str = "", code: str | None = None, node: str | None = None) -> None:
        super().__init__(message)
        self.failure = Failure(code or self.code, message, remedy, node)

    def result(self, command: str) -> Result:
        return Result(command, errors=(self.failure,), exit_code=self.exit_code)


class UsageError(NpufleetError):
    code = "usage"
    exit_code = Exit.USAGE


class ProjectError(NpufleetError):
    code = "project-missing"


class InventoryError(NpufleetError):
    code = "inventory-invalid"


class CredentialError(NpufleetError):
    code = "credentials-missing"


class WorkloadError(NpufleetError):
    code = "workload-not-found"


class PlacementError(NpufleetError):
    code = "no-node-fits"


class JobError(NpufleetError):
    code = "job-failed"


class AgentError(NpufleetError):
    code = "agent-error"
