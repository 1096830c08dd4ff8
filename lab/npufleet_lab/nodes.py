"""One simulated node: its container's whole life."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from docker.errors import NotFound

from npufleet_lab import keys, machine, node_files
from npufleet_lab.config import ROLE_LABEL, SPEC_LABEL, LabConfig
from npufleet_lab.errors import LabError
from npufleet_lab.image import NodeImage
from npufleet_lab.network import LabNetworks
from npufleet_lab.node_spec import NodeSpec

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

_READY_TIMEOUT_S = 90
_STOP_TIMEOUT_S = 20
_EXIT_WAIT_S = 60
# systemd needs to write its own control groups; on cgroup v1 each hierarchy is a mount of its own. The boot id is the
# machine's: a node gets one of its own at every boot, for that is how everybody tells that a machine was rebooted.
_INIT = """
cat /proc/sys/kernel/random/uuid > /run/npufleet-lab-boot-id
mount --bind /run/npufleet-lab-boot-id /proc/sys/kernel/random/boot_id
if [ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ]; then mount -o remount,rw,bind /sys/fs/cgroup; fi
for d in /sys/fs/cgroup/*; do mountpoint -q "$d" && mount -o remount,rw,bind "$d"; done
exec /lib/systemd/systemd
"""


@dataclass(frozen=True)
class Node:
    """A node that exists in the engine, running or not."""

    spec: NodeSpec
    name: str
    container: Container
    management_address: str
    peer_address: str

    @property
    def running(self) -> bool:
        return bool(self.container.status == "running")

    def execute(self, argv: list[str]) -> tuple[int, str]:
        """Run a command on the node by the back door, which needs neither network nor sshd."""
        client = self.container.client
        assert client is not None  # every container here was read from an engine
        command = client.api.exec_create(self.container.id, argv)["Id"]
        output: bytes = client.api.exec_start(command)
        deadline = time.monotonic() + _EXIT_WAIT_S
        while (ended := client.api.exec_inspect(command))["ExitCode"] is None:
            # On a busy machine the engine closes the output before it knows how the command ended.
            if time.monotonic() > deadline:
                raise LabError(
                    f"{self.name} did not end {argv[0]} within {_EXIT_WAIT_S} s.", "See `npufleet lab logs`."
                )
            time.sleep(0.05)
        return int(ended["ExitCode"]), output.decode(errors="replace")


def node_name(config: LabConfig, number: int) -> str:
    return f"{config.name}-{number}"


def find_all(client: DockerClient, config: LabConfig) -> list[Node]:
    containers = client.containers.list(all=True, filters=config.filter_by_role("node"))
    found = [_node_of(config, container) for container in containers]
    return sorted(found, key=lambda node: node.spec.number)


def _node_of(config: LabConfig, container: Container) -> Node:
    spec = NodeSpec.from_label(container.labels[SPEC_LABEL])
    networks = container.attrs["NetworkSettings"]["Networks"]

    def address(suffix: str) -> str:
        endpoint = networks.get(config.object_name(suffix), {})
        return str((endpoint.get("IPAMConfig") or {}).get("IPv4Address", ""))

    return Node(spec, node_name(config, spec.number), container, address("mgmt"), address("peer"))


def create(client: DockerClient, config: LabConfig, spec: NodeSpec, image: NodeImage, networks: LabNetworks) -> Node:
    """Create a node's container with all its files in place; it is not started yet."""
    name = config.object_name(str(spec.number))
    host_config = _host_config(client, f"{name}-docker")
    volume_labels = {**config.labels, ROLE_LABEL: "volume"}
    client.volumes.create(f"{name}-docker", labels=volume_labels)
    management = client.api.create_endpoint_config(ipv4_address=networks.management.node_address(spec.number))
    request = client.api.create_container_config(
        image.tag,
        ["/bin/sh", "-c", _INIT],
        hostname=node_name(config, spec.number),
        environment={"container": "docker"},
        labels={**config.labels, ROLE_LABEL: "node", SPEC_LABEL: spec.to_label()},
        stop_signal="SIGRTMIN+3",
        host_config=host_config,
        networking_config=client.api.create_networking_config({networks.management.name: management}),
    )
    created = client.api.create_container_from_config(request, name)
    container = client.containers.get(created["Id"])
    peer_address = networks.peer.node_address(spec.number)
    client.networks.get(networks.peer.name).connect(container, ipv4_address=peer_address)
    container.reload()
    node = _node_of(config, container)
    container.put_archive("/", node_files.everything(spec, _identity(config, node)).archive())
    return node


def _host_config(client: DockerClient, volume: str) -> dict[str, Any]:
    """What makes a container boot like a machine, short of --privileged, which not every machine can give."""
    settings: dict[str, Any] = client.api.create_host_config(
        cap_add=["ALL"],
        cap_drop=["SYS_RESOURCE"] if machine.lacks_sys_resource() else [],
        security_opt=["seccomp=unconfined", "apparmor=unconfined"],
        device_cgroup_rules=["a *:* rwm"],
        tmpfs={"/run": "", "/run/lock": "", "/tmp": "exec"},  # noqa: S108 - a mount point inside the node
        binds={volume: {"bind": "/var/lib/docker", "mode": "rw"}},
        cgroupns="private",
        # A fresh server forwards nothing; without this the node inherits what the machine's engine switched on.
        sysctls={"net.ipv4.ip_forward": "0"},
        dns=["127.0.0.1"],
        # A node that reboots itself comes back; one that was killed from outside stays down.
        restart_policy={"Name": "unless-stopped"},
    )
    # The command line's systempaths=unconfined: /proc/sys is the node's own to write.
    settings["MaskedPaths"] = []
    settings["ReadonlyPaths"] = []
    return settings


def _identity(config: LabConfig, node: Node) -> node_files.NodeIdentity:
    return node_files.NodeIdentity(
        name=node.name,
        management_address=node.management_address,
        peer_address=node.peer_address,
        host_key=host_key(config, node.name),
        authorized_key=user_key(config).public_line,
        device_major=machine.free_device_major(),
    )


def user_key(config: LabConfig) -> keys.KeyPair:
    return keys.ensure(config.state_dir / "ssh" / "id_ed25519", f"npufleet-{config.name}")


def host_key(config: LabConfig, name: str) -> keys.KeyPair:
    return keys.ensure(config.state_dir / "ssh" / f"host-{name}", name)


def start(node: Node) -> None:
    """Start the node and wait until it lets people in; a node that runs gets the lab's current tools."""
    node.container.start()
    node.container.put_archive("/", node_files.tools(node.spec).archive())
    wait_ready(node)


def wait_ready(node: Node) -> None:
    """Wait for sshd, which starts only after the node's boot unit closed the metadata address off."""
    deadline = time.monotonic() + _READY_TIMEOUT_S
    while time.monotonic() < deadline:
        if _speaks_ssh(node.management_address):
            return
        node.container.reload()
        if node.container.status == "exited" or _boot_failed(node):
            break
        time.sleep(0.2)
    raise _not_up(node)


def _not_up(node: Node) -> LabError:
    if node.running and "inotify object: Too many open files" in node.execute(["journalctl", "-b", "--no-pager"])[1]:
        return LabError(
            f"Node {node.name} did not come up: this machine has no inotify instances left, and every node needs ten.",
            "Remove nodes or labs that you do not need, or allow more: sysctl -w fs.inotify.max_user_instances=1024",
        )
    said = f"Node {node.name} did not come up. Its boot said:\n{_boot_log(node)}"
    return LabError(said, f"See `npufleet lab logs {node.name}`.")


def _boot_failed(node: Node) -> bool:
    """A node that refuses to boot will not change its mind: no need to wait out the time."""
    return node.running and node.execute(["systemctl", "is-failed", "--quiet", "npufleet-lab-boot"])[0] == 0


def _speaks_ssh(address: str) -> bool:
    try:
        with socket.create_connection((address, 22), timeout=2) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def _boot_log(node: Node) -> str:
    if not node.running:
        return str(node.container.logs(tail=10).decode(errors="replace"))
    return node.execute(["journalctl", "-b", "-u", "npufleet-lab-boot", "--no-pager", "-n", "15"])[1]


def restart(node: Node) -> None:
    """A reboot from outside: the node goes down in good order and comes back."""
    node.container.stop(timeout=_STOP_TIMEOUT_S)
    node.container.start()
    wait_ready(node)


def remove(client: DockerClient, node: Node) -> None:
    name = node.container.name
    node.container.remove(force=True, v=True)
    try:
        client.volumes.get(f"{name}-docker").remove()
    except NotFound:
        return
