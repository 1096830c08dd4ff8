"""From a workload spec to the exact container of this node: pure, but for looking at which paths exist."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from npu_agent import api, files, guards, isolation, resources, restarts, schema
from npu_agent.config import Policy
from npu_agent.nodefacts import NodeFacts
from npu_agent.problem import invalid

PROFILES = Path(__file__).parent / "profiles"
# Long trainings print for weeks: bounded on disk, and readable through the API whatever the engine's default is.
_LOGS = {"Type": "json-file", "Config": {"max-size": "100m", "max-file": "5"}}
_DRIVER_PATHS = ("driver_dir", "npu_smi", "dcmi_dir", "hccn_conf", "hccn_tool", "version_info", "install_info")


@dataclass(frozen=True)
class Plan:
    """The body of Docker's create call, and the same told to people."""

    body: dict[str, Any]
    resolved: api.Resolved
    notes: list[str] = field(default_factory=list)
    own_mounts: list[api.Mount] = field(default_factory=list)  # those of the spec, with real paths


def parse(name: str, document: Any) -> api.WorkloadSpec:
    """Validate a spec as it was sent for this name, or raise a problem that names the field."""
    try:
        schema.check("workload", document)
    except schema.SchemaError as error:
        raise invalid(error.field, str(error)) from None
    spec = api.WorkloadSpec.from_dict(document)
    if spec.name != name:
        raise invalid("name", f"The spec's name {spec.name} is not the name in the address, {name}.")
    check(spec)
    return spec


def check(spec: api.WorkloadSpec) -> None:
    """What the schema cannot say: which keys need which others."""
    if spec.npus is None and "npus" not in profile(spec.profile):
        raise invalid("npus", f"The profile {spec.profile} has no number of NPUs of its own.", "Give npus.")
    kind = spec.probe.get("kind")
    if spec.probe.get("action") == "restart" and restarts.settings(spec.restart)["policy"] == restarts.NO:
        raise invalid("probe.action", "A probe that restarts needs a restart policy.", "Give restart: on-failure.")
    needed = {"http": "port", "tcp": "port", "exit-code": "command"}.get(kind or "")
    if needed and needed not in spec.probe:
        raise invalid(f"probe.{needed}", f"A probe of the kind {kind} needs {needed}.")


def npus_asked(spec: api.WorkloadSpec, node_has: int) -> tuple[Any, list[str]]:
    """What the spec says, or else the profile, whose number is a ceiling on a smaller node."""
    if spec.npus is not None:
        return spec.npus, []
    wanted = profile(spec.profile)["npus"]
    if wanted == "all" or wanted <= node_has or not node_has:
        return wanted, []
    return node_has, [f"profile {spec.profile} asks {wanted} NPUs; this node gives all its {node_has}"]


def digest(document: Mapping[str, Any]) -> str:
    """One spec, one digest, whatever the order of its keys."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


@functools.cache
def profile(name: str) -> dict[str, Any]:
    import yaml  # noqa: PLC0415  # only a new workload needs it

    document: dict[str, Any] = yaml.safe_load((PROFILES / f"{name}.yaml").read_text(encoding="utf-8")) or {}
    base = document.pop("extends", None)
    return {**profile(base), **document} if base else document


def resolve(
    spec: api.WorkloadSpec,
    npus: Sequence[int],
    *,
    node: str,
    sha256: str,
    facts: NodeFacts,
    policy: Policy,
    folder: Path,
) -> Plan:
    """Refuse what a guard forbids; otherwise tell exactly which container this spec is on this node.

    `folder` is where the agent keeps the files of specs.
    """
    settings = profile(spec.profile)
    network = spec.network or settings["network"]
    _check_guards(spec, network, policy, facts)
    apart = isolation.resolve(spec, policy)
    sizes = resources.resolve(spec.resources, settings, spec.profile, facts, policy)
    mounts, own = _mounts(spec, settings, facts, policy)
    env, notes = _env(spec, npus, network, facts)
    resolved = api.Resolved(
        image=spec.image,
        devices=[*_devices(npus, facts), *apart.devices],
        mounts=mounts + own + _file_mounts(spec, mounts + own, folder),
        env=env,
        cpus=sizes.cpus,
        memory_bytes=sizes.memory_bytes,
        shm_bytes=sizes.shm_bytes,
        network=network,
        restart=restarts.settings(spec.restart),
        isolation=apart.told(),
    )
    labels = {**spec.labels, **_own_labels(spec.name, node, npus, sha256)}
    host = {**apart.host_config(), "SecurityOpt": list(settings.get("security_opt", []))}
    if cgroup_parent := (facts.guard or {}).get("cgroup_parent"):
        host["CgroupParent"] = cgroup_parent
    return Plan(_body(spec, resolved, labels, host), resolved, [*sizes.notes, *notes], own)


def _check_guards(spec: api.WorkloadSpec, network: str, policy: Policy, facts: NodeFacts) -> None:
    guards.check_image(spec.image, policy)
    guards.check_env(spec.env)
    guards.check_labels(spec.labels)
    guards.check_network(network, policy, facts)
    guards.check_driver(facts)


def _own_labels(name: str, node: str, npus: Sequence[int], sha256: str) -> dict[str, str]:
    return {
        api.LABEL_WORKLOAD: name,
        api.LABEL_NODE: node,
        api.LABEL_NPUS: ",".join(str(npu) for npu in npus),
        api.LABEL_SPEC: sha256,
    }


def _devices(npus: Sequence[int], facts: NodeFacts) -> list[str]:
    managers = (facts.driver or {}).get("manager_devices") or []
    return [*(f"/dev/davinci{npu}" for npu in npus), *managers]


def _driver_mounts(facts: NodeFacts) -> list[api.Mount]:
    """Only what exists, each at the path it has on the node, and read-only: the driver belongs to the host."""
    found: list[str] = []
    for key in _DRIVER_PATHS:
        path = (facts.driver or {}).get(key)
        if path and Path(path).exists() and not any(guards.inside(path, other) for other in found):
            found.append(path)
    return [api.Mount(path, path, read_only=True) for path in found]


def _mounts(
    spec: api.WorkloadSpec, settings: Mapping[str, Any], facts: NodeFacts, policy: Policy
) -> tuple[list[api.Mount], list[api.Mount]]:
    """The agent's mounts, and the spec's own."""
    given = _driver_mounts(facts)
    given += [m for m in map(api.Mount.from_dict, settings.get("mounts", ())) if Path(m.source).exists()]
    taken = [mount.target for mount in given]
    asked: list[api.Mount] = []
    for index, mount in enumerate(spec.mounts):
        asked.append(guards.resolve_mount(mount, policy, field=f"mounts.{index}", own_targets=taken))
        if [m.target for m in asked].count(asked[-1].target) > 1:
            raise invalid(f"mounts.{index}.target", f"Two mounts have the target {asked[-1].target}.")
    return given, asked


def _file_mounts(spec: api.WorkloadSpec, others: Sequence[api.Mount], folder: Path) -> list[api.Mount]:
    """Each at its own path: inside another mount Docker would have to make the file's place in the host's folder."""
    found: list[api.Mount] = []
    taken = [mount.target for mount in others]
    for index, wanted in enumerate(spec.files):
        target, field_name = guards.normalised(wanted.target), f"files.{index}.target"
        guards.check_target(target, field_name, ())
        if any(guards.overlaps(target, other) for other in taken):
            raise invalid(field_name, f"{target} collides with another mount.", "Give the file a path of its own.")
        taken.append(target)
        found.append(api.Mount(str(files.path_of(folder, spec.name, index)), target, read_only=True))
    return found


def _env(
    spec: api.WorkloadSpec, npus: Sequence[int], network: str, facts: NodeFacts
) -> tuple[dict[str, str], list[str]]:
    """Device numbers as the driver counts them, and the node's interface where the container can see it.

    A container sees its NPUs as 0..n-1 whatever their numbers on the node are, and a privileged one as the node does.
    """
    env: dict[str, str] = {}
    notes: list[str] = []
    if network == "host":
        nic = (facts.nic or {}).get("env") or {}
        env.update({str(key): str(value) for key, value in nic.items()})
        if not nic:
            notes.append(
                "the node has no recorded network interface for HCCL; run the nic_env role before jobs on several nodes"
            )
    env.update(spec.env)
    everyone = ",".join(str(npu) for npu in npus)
    env["ASCEND_VISIBLE_DEVICES"] = everyone
    env["ASCEND_GLOBAL_VISIBLE_DEVICES"] = everyone
    inside = npus if spec.privileged else range(len(npus))
    env["ASCEND_RT_VISIBLE_DEVICES"] = ",".join(str(npu) for npu in inside)
    return env, notes


def _body(
    spec: api.WorkloadSpec, resolved: api.Resolved, labels: Mapping[str, str], more: Mapping[str, Any]
) -> dict[str, Any]:
    host: dict[str, Any] = {
        "NetworkMode": resolved.network,
        "Devices": [
            {"PathOnHost": path, "PathInContainer": path, "CgroupPermissions": "rwm"} for path in resolved.devices
        ],
        # Mounts, not Binds: Docker makes the missing source of a bind as root's empty folder without a word.
        "Mounts": [
            {"Type": "bind", "Source": m.source, "Target": m.target, "ReadOnly": m.read_only} for m in resolved.mounts
        ],
        "ShmSize": resolved.shm_bytes,
        # The agent restarts, with a look at the NPUs first: the engine would do it before the driver is up.
        "RestartPolicy": {"Name": "no"},
        "LogConfig": _LOGS,
        **more,
    }
    if resolved.cpus is not None:
        host["NanoCpus"] = round(resolved.cpus * 1_000_000_000)
    if resolved.memory_bytes is not None:
        host["Memory"] = resolved.memory_bytes
    body: dict[str, Any] = {
        "Image": resolved.image,
        "Env": [f"{key}={value}" for key, value in resolved.env.items()],
        "Labels": dict(labels),
        "StopTimeout": spec.stop_grace_s,
        "HostConfig": host,
    }
    if spec.command is not None:
        body["Cmd"] = list(spec.command)
    if spec.workdir is not None:
        body["WorkingDir"] = spec.workdir
    return body
