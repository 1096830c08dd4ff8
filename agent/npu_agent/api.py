"""The wire types of the agent's HTTP API: plain data, standard library only, shared with the fleet side."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Optional

# The fleet side reads these from here too.
from npu_agent.api_cordon import Cordon as Cordon  # noqa: PLC0414
from npu_agent.api_cordon import Cordons as Cordons  # noqa: PLC0414
from npu_agent.api_cordon import Drain as Drain  # noqa: PLC0414
from npu_agent.api_wire import Wire as Wire  # noqa: PLC0414

API_VERSION = "v1"
DEFAULT_PORT = 7443
PROBLEM_MEDIA_TYPE = "application/problem+json"
PROBLEM_TYPE_PREFIX = "urn:npufleet:problem:"

SCOPE_VIEW = "view"
SCOPE_OPERATE = "operate"

LABEL_WORKLOAD = "io.npufleet.workload"
LABEL_NODE = "io.npufleet.node"
LABEL_NPUS = "io.npufleet.npus"
LABEL_SPEC = "io.npufleet.spec-sha256"
CONTAINER_PREFIX = "npufleet-"

# How many NPUs a profile asks where the spec says nothing.
PROFILE_NPUS = {"train": "all", "aigc-lora": 1, "aigc-finetune": 8}

HEALTHY = "healthy"
DEGRADED = "degraded"
UNHEALTHY = "unhealthy"
UNKNOWN = "unknown"
HEALTH_STATES = (HEALTHY, DEGRADED, UNKNOWN, UNHEALTHY)
# Components by the beginnings of their names. A workload that failed says nothing about whether the node can take
# another one. Ports are asked by turns, which take long on a busy node: that nobody knows of one takes no node out.
NOT_THE_NODES = ("workload/",)
MAY_BE_UNKNOWN = ("npu-network/",)

ACTIONS = (
    "none",
    "restart-workload",
    "reset-npu-when-idle",
    "reset-npu",
    "reboot-node",
    "replace-hardware",
    "fix-configuration",
    "check-driver",
)

PENDING = "pending"
RUNNING = "running"
EXITED = "exited"
FAILED = "failed"
REMOVED = "removed"
WORKLOAD_STATES = (PENDING, RUNNING, EXITED, FAILED, REMOVED)

HOLDER_KINDS = ("workload", "reservation", "container", "process")

# What a drain does with the workloads of the node, in NVSentinel's words.
DRAIN_IMMEDIATE = "Immediate"
DRAIN_ALLOW_COMPLETION = "AllowCompletion"
DRAIN_DELETE_AFTER_TIMEOUT = "DeleteAfterTimeout"
DRAIN_MODES = (DRAIN_IMMEDIATE, DRAIN_ALLOW_COMPLETION, DRAIN_DELETE_AFTER_TIMEOUT)
DRAIN_STATES = ("none", "draining", "overdue", "drained")

# Stable codes of problem documents: programs decide by these, people read the sentences.
CODE_BAD_REQUEST = "bad-request"
CODE_UNAUTHENTICATED = "unauthenticated"
CODE_FORBIDDEN = "forbidden"
CODE_NOT_FOUND = "not-found"
CODE_METHOD = "method-not-allowed"
CODE_TOO_LARGE = "body-too-large"
CODE_RATE_LIMIT = "too-many-failures"
CODE_INTERNAL = "internal-error"
CODE_INVALID_SPEC = "invalid-spec"
CODE_NPU_HELD = "npu-held"
CODE_NPU_UNHEALTHY = "npu-unhealthy"
CODE_NPU_UNKNOWN = "npu-not-found"
CODE_NPU_SHORT = "npu-not-enough"
CODE_WORKLOAD_EXISTS = "workload-exists"
CODE_WORKLOAD_BUSY = "workload-busy"
CODE_DOCKER = "docker-unreachable"
CODE_DOCKER_REFUSED = "docker-refused"
CODE_IMAGE_MISSING = "image-not-found"
CODE_STATE_WRITE = "state-not-writable"
CODE_POLICY = "policy-unreadable"
CODE_POLICY_UNSAFE = "policy-unsafe"
CODE_CORDONED = "node-cordoned"
CODE_NPU_CORDONED = "npu-cordoned"
CODE_CORDON_OWNER = "cordon-of-another"
CODE_RESERVATION_GONE = "reservation-gone"
CODE_RESERVATION_OTHER = "reservation-mismatch"
CODE_PRECONDITION = "precondition-failed"
CODE_TIMEOUT = "request-timeout"
GUARD_HOME = "guard-home"
GUARD_SHM = "guard-shm"
GUARD_IMAGE = "guard-image"
GUARD_MOUNT = "guard-mount"
GUARD_METADATA = "guard-metadata"
GUARD_DRIVER = "guard-driver"
GUARD_HOST_NETWORK = "guard-host-network"
GUARD_RESOURCES = "guard-resources"
GUARD_LABEL = "guard-label"
GUARD_ENV = "guard-env"
GUARD_PRIVILEGED = "guard-privileged"
GUARD_HOST_PID = "guard-host-pid"
GUARD_HOST_IPC = "guard-host-ipc"
GUARD_DEVICE = "guard-device"
GUARD_CAPABILITY = "guard-capability"
GUARD_DOCKER_SOCKET = "guard-docker-socket"


@dataclass(frozen=True)
class Holder(Wire):
    """Who really has an NPU: a workload of ours, a foreign container, or a process of the host."""

    kind: str
    name: str
    container_id: Optional[str] = None
    pid: Optional[int] = None
    since: Optional[str] = None

    def sentence(self) -> str:
        if self.kind == "process":
            return f"process {self.name} (pid {self.pid})" if self.pid is not None else f"process {self.name}"
        return f"{self.kind} {self.name}"


@dataclass(frozen=True)
class Component(Wire):
    """One judged part of the node; `since` and `observed_at` are ISO 8601 UTC with a Z.

    `marks` name the fault: error codes, or short words. `resets` are the NPUs that the advised reset takes along, and
    `hits` who uses them.
    """

    name: str
    state: str
    reason: str = ""
    action: str = "none"
    since: Optional[str] = None
    observed_at: Optional[str] = None
    marks: list[str] = field(default_factory=list)
    advice: str = ""
    resets: list[int] = field(default_factory=list)
    hits: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class HealthReport(Wire):
    node: str
    ready: bool
    state: str
    reasons: list[str] = field(default_factory=list)
    components: list[Component] = field(default_factory=list)


@dataclass(frozen=True)
class Npu(Wire):
    """One NPU by its physical id; None means unknown, never zero."""

    npu: int
    card: Optional[int] = None
    chip: Optional[int] = None
    name: Optional[str] = None
    health: Optional[str] = None
    state: str = UNKNOWN
    reason: str = ""
    action: str = "none"
    power_w: Optional[float] = None
    temperature_c: Optional[float] = None
    aicore_percent: Optional[float] = None
    hbm_used_mb: Optional[float] = None
    hbm_total_mb: Optional[float] = None
    memory_used_mb: Optional[float] = None
    memory_total_mb: Optional[float] = None
    bus_id: Optional[str] = None
    error_codes: list[str] = field(default_factory=list)
    device: Optional[str] = None
    holder: Optional[Holder] = None
    device_ip: Optional[str] = None  # of the network port on the NPU itself


@dataclass(frozen=True)
class NpuReport(Wire):
    observed_at: Optional[str] = None
    age_s: Optional[float] = None
    npus: list[Npu] = field(default_factory=list)


@dataclass(frozen=True)
class Node(Wire):
    node: str
    agent_version: str
    api_version: str = API_VERSION
    boot_id: Optional[str] = None
    started_at: Optional[str] = None
    cordoned: bool = False
    driver_version: Optional[str] = None
    chip: Optional[str] = None
    npu_count: Optional[int] = None
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Mount(Wire):
    source: str
    target: str
    read_only: bool = False


@dataclass(frozen=True)
class TextFile(Wire):
    """A small file that the agent writes as root and mounts read-only at `target`."""

    target: str
    text: str


@dataclass(frozen=True)
class Resources(Wire):
    """Sizes are texts with a unit such as "200g"; None leaves it to the profile."""

    cpus: Optional[float] = None
    memory: Optional[str] = None
    shm: Optional[str] = None


@dataclass(frozen=True)
class WorkloadSpec(Wire):
    """The desired state of one container; `npus` is a count, a list of physical ids, or "all".

    `restart` is a policy's name or an object with its backoff and budget. schemas/workload.json tells every key.
    """

    name: str
    image: str
    npus: Any = None
    profile: str = "custom"
    command: Optional[list[str]] = None
    env: dict[str, str] = field(default_factory=dict)
    mounts: list[Mount] = field(default_factory=list)
    files: list[TextFile] = field(default_factory=list)
    workdir: Optional[str] = None
    network: Optional[str] = None
    resources: Resources = field(default_factory=Resources)
    restart: Any = "no"
    stop_grace_s: int = 30
    labels: dict[str, str] = field(default_factory=dict)
    probe: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    pull: Optional[str] = None
    privileged: Optional[bool] = None
    pid: Optional[str] = None
    ipc: Optional[str] = None
    devices: list[str] = field(default_factory=list)
    capabilities: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Leave out what was not said: the schema has no nulls."""
        data = super().to_dict()
        data["resources"] = {key: value for key, value in data["resources"].items() if value is not None}
        return {key: value for key, value in data.items() if value is not None and value not in ({}, [])}


@dataclass(frozen=True)
class Resolved(Wire):
    """What the spec became on this node: exactly what the container was created with."""

    image: str
    devices: list[str] = field(default_factory=list)
    mounts: list[Mount] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    cpus: Optional[float] = None
    memory_bytes: Optional[int] = None
    shm_bytes: Optional[int] = None
    network: str = "bridge"
    restart: dict[str, Any] = field(default_factory=dict)
    isolation: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ProbeStatus(Wire):
    """What the workload's own probe found; `unknown` until it has answered for the first time."""

    kind: str
    state: str = UNKNOWN
    reason: str = ""
    failures: int = 0
    observed_at: Optional[str] = None


@dataclass(frozen=True)
class Progress(Wire):
    """The last numbers that the container printed about its training or serving; None means not printed."""

    source: Optional[str] = None
    iteration: Optional[int] = None
    iterations: Optional[int] = None
    loss: Optional[float] = None
    iteration_ms: Optional[float] = None
    global_batch_size: Optional[int] = None
    sequence_length: Optional[int] = None
    npus: Optional[int] = None
    tokens_per_second_per_npu: Optional[float] = None
    tokens_per_second: Optional[float] = None
    observed_at: Optional[str] = None
    findings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Workload(Wire):
    """`generation` grows with every spec that the node accepts; 0 is of a container that was adopted."""

    name: str
    spec: dict[str, Any]
    resolved: Optional[Resolved] = None
    notes: list[str] = field(default_factory=list)
    npus: list[int] = field(default_factory=list)
    state: str = PENDING
    container_id: Optional[str] = None
    exit_code: Optional[int] = None
    started_at: Optional[str] = None
    finished_at: Optional[str] = None
    reason: str = ""
    restarts: int = 0
    generation: int = 0
    spec_sha256: str = ""
    probe: Optional[ProbeStatus] = None
    progress: Optional[Progress] = None


@dataclass(frozen=True)
class Overview(Wire):
    """What a sweep over the fleet asks of a node: one picture, of one moment."""

    node: Node
    health: HealthReport
    npus: NpuReport
    workloads: list[Workload] = field(default_factory=list)


@dataclass(frozen=True)
class Reservation(Wire):
    """NPUs that are kept for a workload still to come, until the time limit is over."""

    reservation: str
    npus: list[int] = field(default_factory=list)
    ttl_s: int = 60
    expires_in_s: float = 0.0
    since: Optional[str] = None


@dataclass(frozen=True)
class Lease(Wire):
    """The exclusive right of one workload to one NPU; state is reserved, held or releasing."""

    npu: int
    workload: str
    since: str
    state: str


@dataclass(frozen=True)
class Problem(Wire):
    """An RFC 9457 problem document with the extensions of this API."""

    title: str
    status: int
    detail: str
    code: str
    type: str = "about:blank"
    remedy: str = ""
    holder: Optional[Holder] = None
    npu: Optional[int] = None
    field: Optional[str] = None

    def to_dict(self) -> dict[str, Any]:
        return {key: value for key, value in super().to_dict().items() if value is not None}
