"""Takes secrets out of text before it leaves a node: what looks like one is not kept, however useful it might be."""

from __future__ import annotations

import json
import re
from typing import Any

KEPT_BACK = "<kept-back>"
# Names whose values say how a job was set up, and never who may do what.
HARMLESS = re.compile(r"^(ASCEND_|HCCL_|GLOO_|TP_SOCKET_|RANK|WORLD_SIZE$|MASTER_(ADDR|PORT)$|LANG$|LC_|PATH$|HOME$)")
WORD = (
    r"(?:pass(?:word|wd|phrase)?|secret|token|api[-_]?key|access[-_]?key|private[-_]?key|credentials?"
    r"|auth(?:orization)?)"
)
VALUE = r"(\"[^\"]*\"|'[^']*'|[^\s,;\"']+)"
PATTERNS = (
    # A key in PEM, whole or cut off.
    r"(?s)()-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    r"(?i)\b((?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}",
    r"\b(npf_|hf_|sk-|gh[pousr]_|AKIA)[A-Za-z0-9_-]{8,}",
    # user:password in an address
    r"(://)[^\s/@:]+:[^\s/@]+(?=@)",
    # name=value, "name": "value", --name value
    r"(?i)(" + WORD + r"[\w.-]*[\"']?\s*[=:]\s*)" + VALUE,
    r"(?i)(--?[\w-]*" + WORD + r"[\w-]*[\"',]*\s+)" + VALUE,
)
COMPILED = [re.compile(pattern) for pattern in PATTERNS]


def text(words: str) -> str:
    for pattern in COMPILED:
        words = pattern.sub(lambda match: match.group(1) + KEPT_BACK, words)
    return words


def json_text(words: str) -> str:
    """A JSON document stays one; what should be one and is not is treated as text."""
    try:
        return json.dumps(document(json.loads(words)), indent=1, sort_keys=True) + "\n"
    except ValueError:
        return text(words)


def document(value: Any) -> Any:
    """The same for what was read as JSON; the value of a key that sounds secret goes as a whole."""
    if isinstance(value, dict):
        return {key: KEPT_BACK if secret(key) and item else document(item) for key, item in value.items()}
    if isinstance(value, list):
        return [document(item) for item in value]
    return text(value) if isinstance(value, str) else value


def secret(key: str) -> bool:
    return re.search(r"(?i)" + WORD + r"$", key) is not None


def environment(words: list[str]) -> list[str]:
    """Names of a container's environment, and values only of those that are known to be harmless."""
    pairs = (word.partition("=") for word in words)
    return [f"{name}={text(value) if HARMLESS.match(name) else KEPT_BACK}" for name, _, value in pairs]


def container(inspected: dict[str, Any]) -> dict[str, Any]:
    """What `docker inspect` says, without the values of its environment and labels that could be anything."""
    config = dict(inspected.get("Config") or {})
    config["Env"] = environment(config.get("Env") or [])
    return document_of_arguments(dict(inspected, Config=config))


def document_of_arguments(inspected: dict[str, Any]) -> dict[str, Any]:
    """A command line is a list: the word after --token belongs to it."""
    config = inspected["Config"]
    for holder, key in ((inspected, "Args"), (config, "Cmd"), (config, "Entrypoint")):
        if isinstance(holder.get(key), list):
            holder[key] = [text(" ".join(map(str, holder[key])))]
    return dict(document(inspected))
