"""The package server on the management network; nodes without an uplink install from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from docker.errors import NotFound
from docker.types import Mount

from npufleet_lab.config import ROLE_LABEL, SPEC_LABEL, LabConfig
from npufleet_lab.image import NodeImage
from npufleet_lab.network import LabNetworks
from npufleet_lab.packages import Served

if TYPE_CHECKING:
    from docker import DockerClient

_COMMAND = ["python3", "-m", "http.server", "80", "--directory", "/srv"]


def ensure(client: DockerClient, config: LabConfig, image: NodeImage, networks: LabNetworks, served: Served) -> str:
    """Have the server running with these files; returns its address on the management network."""
    name = config.object_name("repo")
    address = networks.management.repository_address
    try:
        existing = client.containers.get(name)
    except NotFound:
        existing = None
    if existing is not None and existing.labels.get(SPEC_LABEL) != str(served.folder):
        existing.remove(force=True)
        existing = None
    if existing is not None:
        existing.start()
        return address
    endpoint = client.api.create_endpoint_config(ipv4_address=address)
    created = client.api.create_container(
        image.tag,
        _COMMAND,
        name=name,
        labels={**config.labels, ROLE_LABEL: "repo", SPEC_LABEL: str(served.folder)},
        host_config=client.api.create_host_config(
            mounts=[Mount("/srv", str(served.folder), type="bind", read_only=True)],
            restart_policy={"Name": "unless-stopped"},
            dns=["127.0.0.1"],
        ),
        networking_config=client.api.create_networking_config({networks.management.name: endpoint}),
    )
    client.api.start(created["Id"])
    return address


def remove(client: DockerClient, config: LabConfig) -> None:
    for container in client.containers.list(all=True, filters=config.filter_by_role("repo")):
        container.remove(force=True, v=True)
