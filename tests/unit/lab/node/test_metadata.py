"""The documents of the simulated metadata service."""

from __future__ import annotations

import json
from pathlib import Path

from npufleet_lab.node import metadata


def test_the_secret_is_in_every_document_that_holds_one(tmp_path: Path) -> None:
    node = tmp_path / "node.json"
    node.write_text(json.dumps({"name": "lab-1", "uuid": "u", "secret": "s3cret" * 4}))
    documents = metadata.documents(node)
    for name in ("meta_data.json", "user_data", "securitykey"):
        assert b"s3cret" in documents[f"/openstack/latest/{name}"]
    assert json.loads(documents["/openstack/latest/meta_data.json"])["hostname"] == "lab-1"
    assert b"s3cret" not in documents["/"]
