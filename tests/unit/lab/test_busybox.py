"""The test image in the format of `docker save`."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

from npufleet_lab import busybox


def test_manifest_configuration_and_layer_agree(tmp_path: Path) -> None:
    target = tmp_path / "image.tar"
    busybox.write_image(target, b"\x7fELF program")
    with tarfile.open(target) as tar:
        members = {member.name: (tar.extractfile(member) or io.BytesIO()).read() for member in tar}
    (manifest,) = json.loads(members["manifest.json"])
    layer = members[manifest["Layers"][0]]
    config = members[manifest["Config"]]
    assert manifest["RepoTags"] == ["npufleet-lab/busybox:1"]
    assert manifest["Config"] == hashlib.sha256(config).hexdigest() + ".json"
    assert json.loads(config)["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(layer).hexdigest()}"]
    with tarfile.open(fileobj=io.BytesIO(layer)) as files:
        assert files.getmember("bin/busybox").mode == 0o755
        assert {"bin/sh", "bin/sleep", "bin/nc", "bin/ls", "bin/cat"} <= set(files.getnames())


def test_the_same_program_makes_the_same_image(tmp_path: Path) -> None:
    for name in ("one", "two"):
        busybox.write_image(tmp_path / name, b"program")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
