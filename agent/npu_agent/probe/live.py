"""`npu-agent probe` against this node's own npu-smi, or against a command that prints its table."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any, Optional

from npu_agent import run as run_module
from npu_agent.facts import NodePaths, read_facts
from npu_agent.probe.document import document_of
from npu_agent.probe.mapping import Mapping, parse_mapping
from npu_agent.probe.tools import NpuSmi, driver_env
from npu_agent.run import Run


def live_document(
    paths: NodePaths,
    *,
    run_dir: str = "/run/npufleet",
    npu_smi: Optional[str] = None,
    timeout_s: float = 20.0,
    run: Run = run_module.run,
) -> dict[str, Any]:
    """Ask the tool under the host's lock; chips whose physical id it does not print get it from the mapping."""
    facts = read_facts(paths, npu_smi)
    lock_path = Path(run_dir, "npu-smi.lock")
    smi = NpuSmi(facts.npu_smi, run, lock_path, timeout_s, driver_env(facts.driver_dir))
    completed = smi.call("info")
    mapping = parse_mapping(smi.ask("info", "-m").text or "") if completed.exit_code == 0 else Mapping()
    return document_of(completed, mapping)


def command_document(command: str, *, timeout_s: float = 20.0, run: Run = run_module.run) -> dict[str, Any]:
    """Run any command that prints a table of `npu-smi info`; no shell is involved.

    A command that cannot be split into words, or has none, is a ValueError.
    """
    argv = shlex.split(command)
    if not argv:
        raise ValueError("it is empty")
    return document_of(run(argv, timeout_s=timeout_s))
