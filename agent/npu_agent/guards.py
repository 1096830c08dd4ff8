"""What the manual warns of and what root's policy forbids: each refusal has its own code, cause and remedy."""

from __future__ import annotations

import fnmatch
import os
import posixpath
import stat
from collections.abc import Iterable
from pathlib import Path

from npu_agent import api, units
from npu_agent.config import Policy
from npu_agent.nodefacts import NodeFacts
from npu_agent.problem import guard

USER_HOME = "/home/ma-user"
# The agent numbers the devices; a second opinion inside the container would address somebody else's NPU.
RESERVED_ENV = ("ASCEND_VISIBLE_DEVICES", "ASCEND_RT_VISIBLE_DEVICES", "ASCEND_GLOBAL_VISIBLE_DEVICES")
RESERVED_LABELS = "io.npufleet."
SYSTEM_TARGETS = ("/proc", "/sys", "/dev")
# Who reaches one of these is root on the node.
ENGINE_SOCKETS = ("/run/docker.sock", "/var/run/docker.sock", "/run/containerd", "/run/docker", "/run/podman")
NEVER_SOURCES = (
    "/proc",
    "/sys",
    "/dev",
    "/var/lib/containerd",
    "/var/lib/docker",
    "/etc/npufleet",
    "/opt/npufleet",
    "/run/npufleet",
    "/var/lib/npufleet",
)


def inside(path: str, folder: str) -> bool:
    """Both are absolute and normalised."""
    return folder in {path, "/"} or path.startswith(folder + "/")


def overlaps(one: str, other: str) -> bool:
    return inside(one, other) or inside(other, one)


def normalised(path: str) -> str:
    """POSIX keeps a leading double slash apart; here it is one."""
    return "/" + posixpath.normpath(path).lstrip("/")


def check_image(image: str, policy: Policy) -> None:
    if not any(fnmatch.fnmatchcase(image, pattern) for pattern in policy.allowed_images):
        raise guard(
            api.GUARD_IMAGE,
            f"The node's policy does not allow the image {image}.",
            f"Use an image that matches one of: {', '.join(policy.allowed_images) or 'nothing is allowed'};"
            " root can change allowed_images in the policy file.",
            field="image",
        )


def check_env(env: Iterable[str]) -> None:
    for key in env:
        if key in RESERVED_ENV:
            raise guard(
                api.GUARD_ENV,
                f"The variable {key} is set by the agent from the NPUs it gives.",
                "Leave it out and choose NPUs with the field npus.",
                field=f"env.{key}",
            )


def check_labels(labels: Iterable[str]) -> None:
    for key in labels:
        if key.startswith(RESERVED_LABELS):
            raise guard(
                api.GUARD_LABEL,
                f"Labels that begin with {RESERVED_LABELS} mark the agent's own containers.",
                "Give the label another name.",
                field=f"labels.{key}",
            )


def resolve_mount(mount: api.Mount, policy: Policy, *, field: str, own_targets: Iterable[str]) -> api.Mount:
    """Return the mount with the source's real path, or refuse it. May block on a dead network file system."""
    target = normalised(mount.target)
    check_target(target, field, own_targets)
    source = os.path.realpath(mount.source)
    roots = [os.path.realpath(root) for root in policy.mount_roots]
    shown = mount.source if source == normalised(mount.source) else f"{mount.source} (really {source})"
    _check_socket(source, shown, field)
    if any(overlaps(source, os.path.realpath(never)) for never in NEVER_SOURCES) or source == "/":
        raise guard(
            api.GUARD_MOUNT,
            f"{shown} belongs to the system or the agent and is never given to a container.",
            "Mount a folder of your own.",
            field=f"{field}.source",
        )
    if not any(inside(source, root) for root in roots):
        raise guard(
            api.GUARD_MOUNT,
            f"{shown} is outside the folders that containers of this node may mount.",
            f"Use a folder under {', '.join(policy.mount_roots) or 'none: no mounts are allowed'};"
            " root can change mount_roots in the policy file.",
            field=f"{field}.source",
        )
    if not os.path.lexists(source):
        raise guard(
            api.GUARD_MOUNT, f"{shown} does not exist on the node.", "Create it first.", field=f"{field}.source"
        )
    return api.Mount(source, target, mount.read_only)


def _check_socket(source: str, shown: str, field: str) -> None:
    """The engine's socket by its path, or any other socket: a proxy of the engine's is as good as itself."""
    engines = [os.path.realpath(path) for path in ENGINE_SOCKETS]
    if any(inside(source, path) or (source != "/" and inside(path, source)) for path in engines) or _is_socket(source):
        raise guard(
            api.GUARD_DOCKER_SOCKET,
            f"{shown} leads to the container engine or is a socket of the host: who has it can be root on the node.",
            "Start containers through this API instead.",
            field=f"{field}.source",
        )


def _is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(Path(path).stat().st_mode)
    except OSError:
        return False


def check_target(target: str, field: str, own_targets: Iterable[str]) -> None:
    if inside(USER_HOME, target):
        raise guard(
            api.GUARD_HOME,
            f"A mount at {target} would hide {USER_HOME}, the home of the image's user.",
            f"Mount below it, for example at {USER_HOME}/ws.",
            field=f"{field}.target",
        )
    for own in own_targets:
        if overlaps(target, own):
            raise guard(
                api.GUARD_DRIVER,
                f"A mount at {target} collides with {own}, which the agent mounts itself, driver and npu-smi together.",
                "Leave the mount out: the driver's files are there already.",
                field=f"{field}.target",
            )
    if any(overlaps(target, system) for system in SYSTEM_TARGETS):
        raise guard(
            api.GUARD_MOUNT,
            f"{target} belongs to the container's system.",
            "Mount at another path.",
            field=f"{field}.target",
        )


def check_network(network: str, policy: Policy, facts: NodeFacts) -> None:
    """The host's network reaches the metadata address unless the node's guard covers it, and that must be known."""
    if network != "host":
        return
    if not policy.allow_host_network:
        raise guard(
            api.GUARD_HOST_NETWORK,
            "The node's policy does not allow the host network.",
            "Use network: bridge; root can set allow_host_network in the policy file.",
            field="network",
        )
    if facts.guard is None or facts.guard.get("host_network_guarded") is not True:
        raise guard(
            api.GUARD_METADATA,
            "On this node a container on the host network could read the metadata service (169.254.169.254).",
            "Run the metadata_guard role on the node and see that it guards the host network, or use network: bridge.",
            field="network",
        )


def check_driver(facts: NodeFacts) -> None:
    """Driver and npu-smi go into a container together or not at all."""
    driver = facts.driver or {}
    for key, words in (("driver_dir", "the driver's folder"), ("npu_smi", "npu-smi")):
        path = driver.get(key)
        if not path or not Path(path).exists():
            raise guard(
                api.GUARD_DRIVER,
                f"The node has no {words} ({path or 'not recorded'}); a container needs driver and npu-smi together.",
                "Install the driver, then run the driver_mounts role on the node.",
            )


def check_shm_floor(size: int, policy: Policy) -> None:
    if size < policy.shm_floor_bytes:
        raise guard(
            api.GUARD_SHM,
            f"Shared memory of {units.show_size(size)} is below the node's floor of {policy.shm_floor}.",
            f"Ask for at least {policy.shm_floor}.",
            field="resources.shm",
        )
