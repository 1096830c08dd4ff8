"""Commands that work without a running agent."""

from __future__ import annotations

import argparse
import json
import platform
from pathlib import Path
from typing import Any

from npu_agent import __version__, api
from npu_agent.cli.result import FAILED, Result, failure, table

_FILE_LIMIT = 4 * 1024 * 1024


def version(_arguments: argparse.Namespace) -> Result:
    document = {"version": __version__, "api_version": api.API_VERSION, "python": platform.python_version()}
    return Result(document, __version__)


def run(arguments: argparse.Namespace) -> Result:
    from npu_agent import config, daemon  # noqa: PLC0415  # the server's libraries are for this command only

    daemon.run(config.load(arguments.config))


def probe(arguments: argparse.Namespace) -> Result:
    if arguments.from_file is not None:
        return _recorded(arguments.from_file)
    if arguments.probe_command is not None:
        return _from_command(arguments.probe_command)
    return _probed(_live(arguments.config))


def _recorded(path: Path) -> Result:
    from npu_agent.probe import decode, document  # noqa: PLC0415  # the parsers are for this command only

    try:
        with path.open("rb") as stream:
            data = stream.read(_FILE_LIMIT + 1)
    except OSError as error:
        return failure(f"{path} cannot be read: {error.strerror}.", "no-file")
    if len(data) > _FILE_LIMIT:
        return failure(f"{path} has more than 4 MiB: cut out one answer of the tool and give that.", "file-too-large")
    return _probed(document(decode(data)))


def _from_command(command: str) -> Result:
    from npu_agent.probe.live import command_document  # noqa: PLC0415  # see _recorded

    try:
        return _probed(command_document(command, timeout_s=20.0))
    except ValueError as error:
        return failure(f"The command cannot be read: {error}. Quote it as for a shell.", "bad-command")


def _live(path: Path) -> dict[str, Any]:
    from npu_agent import config  # noqa: PLC0415  # see _recorded
    from npu_agent.facts import NodePaths  # noqa: PLC0415  # see _recorded
    from npu_agent.probe.live import live_document  # noqa: PLC0415  # see _recorded

    settings = config.load(path) if path.exists() else config.Config(node_name=platform.node() or "this node")
    return live_document(
        NodePaths(facts_dir=settings.facts_dir),
        run_dir=settings.run_dir,
        npu_smi=settings.npu_smi,
        timeout_s=settings.probe.timeout_s,
    )


def _probed(document: dict[str, Any]) -> Result:
    rows = [
        [c["npu_id"], c["chip_id"], c["phy_id"], c["name"], c["health"], c["temperature_c"], c["power_w"]]
        for c in document["chips"]
    ]
    parts = [table(["CARD", "CHIP", "NPU", "NAME", "HEALTH", "TEMP C", "POWER W"], rows)] if rows else []
    other = document.get("other")
    if other is not None:
        parts += [f"This is {other['output']}, not npu-smi info. It says:", json.dumps(other["values"], indent=2)]
    parts += [f"{e['class']}: {e['message']}" for e in document["errors"]]
    understood = document["complete"] or (other is not None and not document["errors"])
    if not understood:
        parts.append("The answer is not complete: what it lacks is unknown, not healthy.")
    return Result(document, "\n".join(parts), 0 if understood else FAILED)


def withdraw(arguments: argparse.Namespace) -> Result:
    from npu_agent import config, platform_file  # noqa: PLC0415  # see run

    settings = config.load(arguments.config)
    done = settings.platform_file is not None and platform_file.withdraw(Path(settings.platform_file))
    return Result({"withdrawn": done}, "withdrawn" if done else "There is nothing to withdraw.")


def doctor(arguments: argparse.Namespace) -> Result:
    from npu_agent.cli import checks  # noqa: PLC0415  # see run

    found = checks.run(arguments.config)
    rows = [["ok" if check.fine else "FAILED", check.name, check.detail] for check in found]
    document = {"checks": [{"name": c.name, "ok": c.fine, "detail": c.detail} for c in found]}
    return Result(document, table(["RESULT", "CHECK", "DETAIL"], rows), 0 if all(c.fine for c in found) else FAILED)
