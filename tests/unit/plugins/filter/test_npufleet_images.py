"""An image counts as there only when it is the one that the inventory names."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from unit.plugins.loading import load

images = load("filter/npufleet_images.py")

ID, OTHER = "sha256:" + "1" * 64, "sha256:" + "2" * 64
ENGINE = {"image_ids": {"r:5000/a/b:1": ID, "local:1": ID}, "image_digests": [f"r:5000/a/b@{OTHER}"]}


@pytest.mark.parametrize(
    ("item", "lacking"),
    [
        ({"name": "local:1"}, False),
        ({"name": "local:1", "id": ""}, False),
        ({"name": "local:1", "id": ID}, False),
        ({"name": "local:1", "id": OTHER}, True),
        ({"name": "local:2"}, True),
    ],
)
def test_archives(item: dict[str, Any], *, lacking: bool) -> None:
    assert (images.npufleet_images_to_load([item], ENGINE) == [item]) is lacking


@pytest.mark.parametrize(
    ("item", "wanted"),
    [
        ({"name": "r:5000/a/b:1"}, None),
        ({"name": "r:5000/a/b:1", "digest": OTHER}, None),
        ({"name": "r:5000/a/b:1", "digest": ID}, (f"r:5000/a/b@{ID}", True)),
        ({"name": "r:5000/a/b:2", "digest": OTHER}, (f"r:5000/a/b@{OTHER}", False)),
        ({"name": "r:5000/a/c"}, ("r:5000/a/c", True)),
    ],
)
def test_pulls(item: dict[str, Any], wanted: tuple[str, bool] | None) -> None:
    found = images.npufleet_images_to_pull([item], ENGINE)
    expected = [] if wanted is None else [{"name": item["name"], "reference": wanted[0], "pull": wanted[1]}]
    assert found == expected


def test_a_digest_that_is_none_is_told() -> None:
    found = images.npufleet_images_to_pull([{"name": "a:1", "digest": "latest"}], ENGINE)
    assert found[0]["error"] == "the digest of a:1 is not sha256: and 64 hex digits"


@pytest.mark.parametrize(
    ("name", "repository"), [("r:5000/a/b:1", "r:5000/a/b"), ("r:5000/a/b", "r:5000/a/b"), ("a", "a"), ("a:1", "a")]
)
def test_a_port_is_no_tag(name: str, repository: str) -> None:
    assert images.repository_of(name) == repository


def test_login_is_what_the_engines_client_reads() -> None:
    document = json.loads(images.npufleet_registry_login("r:5000", "puller", "ü:word"))
    assert base64.b64decode(document["auths"]["r:5000"]["auth"]).decode() == "puller:ü:word"
