"""The lab as one object: what the command line does, and what tests call."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from npufleet_lab import (
    apt,
    cache,
    engine,
    image,
    inventory,
    machine,
    network,
    nodes,
    packages,
    repository,
    rpm_repository,
)
from npufleet_lab.config import LabConfig
from npufleet_lab.errors import LabError, LabUsageError
from npufleet_lab.image import NodeImage
from npufleet_lab.network import LabNetworks
from npufleet_lab.node_spec import NodeSpec
from npufleet_lab.nodes import Node
from npufleet_lab.packages import Served
from npufleet_lab.progress import Progress
from npufleet_lab.systems import IMAGES

if TYPE_CHECKING:
    from docker import DockerClient

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_PARALLEL = 4
_HOST_PROGRAMS = {**image.BUILD_PROGRAMS, **rpm_repository.BUILD_PROGRAMS, "ssh": "openssh-client"}


@dataclass(frozen=True)
class Materials:
    """What nodes are made from: images, and the packages served to them."""

    images: dict[str, NodeImage]
    served: Served

    @property
    def any_image(self) -> NodeImage:
        """One that can serve files: each has Python."""
        return next(iter(self.images.values()))


class Lab:
    """Simulated nodes of one name; everything that exists is read from the engine, nothing is remembered here."""

    def __init__(self, config: LabConfig | None = None, progress: Progress | None = None) -> None:
        self.config = config or LabConfig.from_environment()
        self.progress = progress or Progress()

    def up(self, specs: Sequence[NodeSpec]) -> list[Node]:
        """Have exactly these nodes running; a node that differs from what is asked for is made anew."""
        machine.require_linux_root()
        with machine.locked(self.config.home / "lock"):
            return self._up(specs)

    def _up(self, specs: Sequence[NodeSpec]) -> list[Node]:
        client = engine.ensure(self.config, self.progress)
        materials = self._materials(client, tuple(dict.fromkeys(spec.image for spec in specs)))
        networks = network.ensure(client, self.config)
        address = repository.ensure(client, self.config, materials.any_image, networks, materials.served)
        self._remove_others(client, specs)
        self._boot_all(client, specs, materials, networks)
        found = nodes.find_all(client, self.config)
        path = inventory.write(self.config, found, address, materials.served.image_archive)
        self.progress.note(f"inventory: {path}")
        return found

    def down(self, stop_engine: bool = False, purge_cache: bool = False) -> None:
        """Remove this lab's nodes with their volumes and networks; on request the engine and the caches too."""
        machine.require_linux_root()
        if not self.config.home.is_dir():
            return
        with machine.locked(self.config.home / "lock"):
            self._down(stop_engine, purge_cache)

    def _down(self, stop_engine: bool, purge_cache: bool) -> None:
        client = engine.connect(self.config)
        if client is not None:
            self._remove_objects(client)
        inventory.remove(self.config)
        shutil.rmtree(self.config.state_dir, ignore_errors=True)
        if client is not None and (stop_engine or purge_cache) and engine.in_use(client):
            raise LabError(
                "This lab is gone; another one still runs on the same engine and images, so those stay.",
                "Remove that lab first: see `NPUFLEET_LAB_NAME=... npufleet lab down`.",
            )
        if purge_cache:
            cache.purge(client, self.config)
        if stop_engine:
            self._stop_engine(forget=purge_cache)

    def nodes(self) -> list[Node]:
        client = engine.connect(self.config)
        return nodes.find_all(client, self.config) if client else []

    def node(self, name: str) -> Node:
        """The node called `name`; its bare number will do too."""
        found = self.nodes()
        for node in found:
            if name in {node.name, str(node.spec.number)}:
                return node
        known = ", ".join(node.name for node in found) or "none; start some with `npufleet lab up`"
        raise LabUsageError(f"There is no node called {name}.", f"Nodes are: {known}.")

    def restart(self, name: str) -> Node:
        """Reboot a node from outside."""
        node = self.node(name)
        nodes.restart(node)
        return self.node(name)

    def _materials(self, client: DockerClient, names: Sequence[str]) -> Materials:
        """Build what these nodes need and is not there yet; what other labs of this version need stays."""
        apt.require_apt()
        if apt.lists_are_missing():
            with self.progress.step("read the package lists"):
                apt.update_lists()
        planned = {name: image.planned(self.config, name) for name in IMAGES}
        if not all(image.exists(client, planned[name]) for name in names):
            machine.require_disk(self.config.home)
            self._install_programs()
        build = lambda name: image.ensure(client, self.config, name, self.progress)  # noqa: E731
        images = dict(zip(names, _in_parallel(build, names), strict=True))
        served = packages.ensure(self.config, planned, names, self.progress)
        cache.prune(client, self.config, keep=[served.folder.parent, *(each.folder for each in planned.values())])
        return Materials(images, served)

    def _install_programs(self) -> None:
        missing = machine.missing_programs(_HOST_PROGRAMS)
        if missing:
            with self.progress.step(f"install {', '.join(missing)}", "10-30 s"):
                apt.install(missing)

    def _remove_others(self, client: DockerClient, specs: Sequence[NodeSpec]) -> None:
        for node in nodes.find_all(client, self.config):
            if node.spec not in specs:
                self.progress.note(f"{node.name} is not what is asked for now: removed")
                nodes.remove(client, node)

    def _boot_all(
        self, client: DockerClient, specs: Sequence[NodeSpec], materials: Materials, networks: LabNetworks
    ) -> None:
        existing = {node.spec: node for node in nodes.find_all(client, self.config)}

        def boot(spec: NodeSpec) -> None:
            node = existing.get(spec)
            if node is not None and node.running:
                nodes.start(node)
                return
            with self.progress.step(
                f"boot {nodes.node_name(self.config, spec.number)} ({spec.os}, {spec.chip}, driver {spec.driver})"
            ):
                nodes.start(node or nodes.create(client, self.config, spec, materials.images[spec.image], networks))

        nodes.user_key(self.config)  # made once, before threads ask for it
        _in_parallel(boot, specs)

    def _remove_objects(self, client: DockerClient) -> None:
        found = nodes.find_all(client, self.config)
        if found:
            with self.progress.step(f"remove {len(found)} nodes"):
                _in_parallel(lambda node: nodes.remove(client, node), found)
        repository.remove(client, self.config)
        network.remove(client, self.config)

    def _stop_engine(self, forget: bool) -> None:
        if not engine.stop(self.config, self.progress):
            self.progress.note("the lab started no engine of its own: nothing to stop")
        if forget:
            engine.remove_data(self.config)


def _in_parallel(function: Callable[[_Item], _Result], items: Sequence[_Item]) -> list[_Result]:
    """Run for all items at once; the first failure is raised after the others have ended."""
    with ThreadPoolExecutor(max_workers=_PARALLEL) as pool:
        return list(pool.map(function, items))
