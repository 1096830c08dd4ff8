"""One bundle for a support ticket: every node is in its index, and no secret in any of its files."""

from __future__ import annotations

import json
import tarfile
from dataclasses import replace
from pathlib import Path

import yaml

from support.fleet import Fleet

IMAGE = "npufleet-lab/busybox:1"


def with_a_node_that_is_gone(fleet: Fleet, folder: Path) -> Fleet:
    """The same inventory and one node more, at an address where nobody answers."""
    content = yaml.safe_load((fleet.inventory / "hosts.yml").read_text(encoding="utf-8"))
    content["npu_nodes"]["hosts"]["gone"] = {"ansible_host": "127.0.0.1", "ansible_port": 9}
    folder.mkdir()
    (folder / "hosts.yml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return replace(fleet, inventory=folder)


def test_a_bundle_without_secrets_and_with_the_node_that_is_gone(prepared: Fleet, tmp_path: Path) -> None:
    node = prepared.nodes[0]
    key = node.run("sed -n 2p /etc/npufleet/tls/server.key").strip()
    hashed = json.loads(node.run("cat /etc/npufleet/tokens.json"))["tokens"][0]["sha256"]
    node.run(
        "docker run -d --name secretive -e API_KEY=hush-1 -e ANYTHING=hush-2 -e HCCL_IF_IP=10.9.8.7"
        f" --entrypoint sh {IMAGE} -c 'sleep 86400' --token hush-3"
    )
    try:
        fleet = with_a_node_that_is_gone(prepared, tmp_path / "inventory")
        code, envelope = fleet.npufleet(
            "collect", "--output", str(tmp_path / "bundle.tar.gz"), "--limit", f"{node.name},gone"
        )
    finally:
        node.run("docker rm -f secretive")
    assert code == 3, envelope
    assert {entry["node"]: entry["state"] for entry in envelope["data"]["index"]} == {
        node.name: "done", "gone": "unreachable",
    }  # fmt: skip
    with tarfile.open(tmp_path / "bundle.tar.gz") as archive:
        texts = {about.name: archive.extractfile(about).read().decode() for about in archive}  # type: ignore[union-attr]  # files only
    here = f"bundle/{node.name}"
    assert "Refused" in texts["bundle/INDEX.md"] or "refused" in texts["bundle/INDEX.md"]
    assert json.loads(texts[f"{here}/facts.json"])["npu"]["davinci"] == list(range(8))
    assert "910B3" in texts[f"{here}/npu-smi-info.txt"]
    assert "npufleet node agent" in texts[f"{here}/journal-npu-agent.txt"]
    (container,) = [one for one in json.loads(texts[f"{here}/containers.json"]) if one["Name"] == "/secretive"]
    assert "HCCL_IF_IP=10.9.8.7" in container["Config"]["Env"]
    for secret in ("hush-", key, hashed, node.token("view"), "PRIVATE KEY"):
        assert not [name for name, text in texts.items() if secret in text], secret
