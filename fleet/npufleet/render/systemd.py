"""A systemd unit around the docker run line: systemd starts it at boot and restarts it, as the spec says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_RESTART = {"no": "no", "on-failure": "on-failure", "always": "always"}


def word(text: str) -> str:
    """One argument: quoted for systemd, which has escapes, specifiers (%) and variables ($) of its own."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    escaped = escaped.replace("\n", "\\n").replace("\t", "\\t")
    plain = escaped == text and text and not any(c in text for c in " ';#")
    return text if plain else f'"{escaped}"'


def unit(name: str, docker: str, words: Sequence[str], restart: Any, grace_s: int) -> str:
    """`words` are those of docker run without --detach: systemd waits for it, and sees how it ends."""
    policy = restart.get("policy", "no") if isinstance(restart, dict) else restart
    start = " ".join(word(part) for part in (docker, *words[1:]))
    return "\n".join([
        "[Unit]",
        f"Description=NPU container {name}",
        "Requires=docker.service",
        "After=docker.service network-online.target",
        "Wants=network-online.target",
        "",
        "[Service]",
        f"ExecStartPre=-{docker} rm --force {name}",
        f"ExecStart={start}",
        f"ExecStop={docker} stop --time {grace_s} {name}",
        f"TimeoutStopSec={grace_s + 30}",
        "TimeoutStartSec=infinity",
        f"Restart={_RESTART[str(policy)]}",
        "RestartSec=10",
        "",
        "[Install]",
        "WantedBy=multi-user.target",
        "",
    ])  # fmt: skip
