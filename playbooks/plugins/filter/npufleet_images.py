"""Which of the wanted images a node lacks, and the engine's own form of a registry login."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

DIGEST = re.compile(r"^sha256:[0-9a-f]{64}$")


def npufleet_images_to_load(archives: Iterable[Mapping[str, Any]], docker: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Archives whose image is not on the node, or is another one by the same name."""
    ids = docker["image_ids"]
    return [
        dict(item)
        for item in archives
        if item["name"] not in ids or item.get("id") not in (None, "", ids[item["name"]])
    ]


def npufleet_images_to_pull(pulls: Iterable[Mapping[str, Any]], docker: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Images to pull, with the reference to pull by; the digest decides where one is given.

    `error` is one sentence, for a digest that is none.
    """
    lacking = []
    for item in pulls:
        digest = item.get("digest") or ""
        if digest and not DIGEST.match(digest):
            return [{"name": item["name"], "error": f"the digest of {item['name']} is not sha256: and 64 hex digits"}]
        reference = f"{repository_of(item['name'])}@{digest}" if digest else item["name"]
        there = reference in docker["image_digests"] if digest else item["name"] in docker["image_ids"]
        if not there or item["name"] not in docker["image_ids"]:
            lacking.append({"name": item["name"], "reference": reference, "pull": not there})
    return lacking


def repository_of(name: str) -> str:
    """The name without its tag; a port belongs to the registry."""
    repository, colon, tag = name.rpartition(":")
    return repository if colon and "/" not in tag else name


def npufleet_registry_login(server: str, username: str, password: str) -> str:
    """The engine's config.json with one login."""
    token = base64.b64encode(f"{username}:{password}".encode()).decode()
    return json.dumps({"auths": {server: {"auth": token}}}) + "\n"


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {
            "npufleet_images_to_load": npufleet_images_to_load,
            "npufleet_images_to_pull": npufleet_images_to_pull,
            "npufleet_registry_login": npufleet_registry_login,
        }
