"""The commands and their options."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from npu_agent.cli import ask, faults, local

CONFIG = Path("/etc/npufleet/agent.yaml")
SOCKET = Path("/run/npufleet/agent.sock")


def parse(argv: Sequence[str]) -> argparse.Namespace:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="print one JSON document")
    asking = argparse.ArgumentParser(add_help=False, parents=[common])
    asking.add_argument("--socket", type=Path, default=SOCKET, help="the running agent's socket (%(default)s)")
    reading = argparse.ArgumentParser(add_help=False, parents=[common])
    reading.add_argument("--config", type=Path, default=CONFIG, help="configuration file (%(default)s)")

    parser = argparse.ArgumentParser(prog="npu-agent", description="The npufleet agent of this node.")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(name: str, command: object, words: str, parent: argparse.ArgumentParser) -> argparse.ArgumentParser:
        found = commands.add_parser(name, help=words, description=words, parents=[parent])
        found.set_defaults(command=command)
        return found

    add("run", local.run, "run the agent (systemd does)", reading)
    add("status", ask.status, "the node in one screen", asking)
    add("health", ask.health, "every judged part, with reason and advised action", asking)
    add("npus", ask.npus, "every NPU: state, readings, holder", asking)
    add("workloads", ask.workloads, "the workloads of this node", asking)
    events = add("events", ask.events, "what happened on this node, in order", asking)
    events.add_argument("--after", type=int, default=0, metavar="SEQ", help="only what came after this number")
    events.add_argument("-f", "--follow", action="store_true", help="go on with new events")
    logs = add("logs", ask.logs, "what a workload prints", asking)
    logs.add_argument("name")
    logs.add_argument("--tail", type=int, default=200, help="the last so many lines (%(default)s)")
    logs.add_argument("-f", "--follow", action="store_true", help="go on with new lines")
    probe = add("probe", local.probe, "read npu-smi once and print what it says; needs no running agent", reading)
    source = probe.add_mutually_exclusive_group()
    source.add_argument("--from-file", type=Path, help="a recorded output instead of the tool")
    source.add_argument("--command", dest="probe_command", metavar="COMMAND", help="run this instead of npu-smi info")
    table = add("faults", faults.show, "what a fault code means and what to do; needs no running agent", reading)
    table.add_argument("code", metavar="CODE", help="such as 80E01801, 0x80e01801 or 2162169857")
    table.add_argument("--lang", choices=("en", "zh"), default="en", help="language of the texts (%(default)s)")
    add("withdraw", local.withdraw, "say in the platform file that nobody vouches for the NPUs (systemd does)", reading)
    add("version", local.version, "the agent's version", common)
    add("doctor", local.doctor, "check what the agent needs on this node; changes nothing", reading)
    return parser.parse_args(argv)
