"""A workbench for tests of workloads: a node with 8 healthy NPUs, an engine in memory, state on a temporary disk."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

from npu_agent import api
from npu_agent.config import Policy
from npu_agent.intake import Node
from npu_agent.nodefacts import NodeFacts
from npu_agent.reconcile import Reconciler
from npu_agent.store import Store
from npu_agent.workloads import Workloads
from unit.agent.fake_engine import FakeEngine

GIB = 1 << 30


@dataclass(frozen=True)
class FakeProcess:
    npu: Optional[int]
    pid: Optional[int]
    name: Optional[str]


@dataclass(frozen=True)
class FakeSeen:
    npus: tuple[api.Npu, ...]
    complete: bool = True
    processes: tuple[FakeProcess, ...] = ()
    observed_monotonic: Optional[float] = 1e12


def npus(count: int = 8, **states: Any) -> tuple[api.Npu, ...]:
    return tuple(api.Npu(npu=index, state=states.get(f"n{index}", api.HEALTHY), reason="") for index in range(count))


def prepared(folder: Path) -> NodeFacts:
    """A node whose driver files exist, sized so that no profile fits unshortened."""
    driver = folder / "driver"
    (driver / "lib64").mkdir(parents=True)
    for name in ("npu-smi", "hccn.conf", "install.info"):
        (folder / name).write_text("x")
    return NodeFacts(
        driver={
            "npu_smi": str(folder / "npu-smi"),
            "driver_dir": str(driver),
            "dcmi_dir": str(folder / "absent"),
            "hccn_conf": str(folder / "hccn.conf"),
            "hccn_tool": None,
            "version_info": str(driver / "version.info"),
            "install_info": str(folder / "install.info"),
            "manager_devices": ["/dev/davinci_manager", "/dev/devmm_svm", "/dev/hisi_hdc"],
        },
        nic={"interface": "enp67s0f5", "env": {"GLOO_SOCKET_IFNAME": "enp67s0f5", "HCCL_IF_IP": "10.0.0.7"}},
        guard={"cgroup_parent": "npufleet.slice", "host_network_guarded": True},
        cpus=64,
        memory_bytes=100 * GIB,
    )


def spec(name: str = "job", **changes: Any) -> dict[str, Any]:
    return {"name": name, "image": "img:1", "npus": 1, **changes}


@dataclass
class FakeClock:
    """The clock that survives jumps, moved by hand; another boot_id is a reboot."""

    boot_id: str = "boot-1"
    at_s: float = 1000.0

    def now_s(self) -> float:
        return self.at_s


@dataclass
class Bench:
    """Change `seen`, `facts` or `policy` between calls: the next call sees it. restart() is a crash of the agent."""

    folder: Path
    facts: NodeFacts
    engine: FakeEngine = field(default_factory=FakeEngine)
    policy: Policy = field(default_factory=Policy)
    seen: FakeSeen = field(default_factory=lambda: FakeSeen(npus()))
    clock: FakeClock = field(default_factory=FakeClock)
    changes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self.close()
        self.store = Store(self.folder / "agent.db")
        node = Node("node-1", lambda: self.facts, lambda: self.policy, lambda: self.seen, self.folder / "files")
        self.workloads = Workloads(
            self.engine, self.store, node, self.clock, lambda kind, words: self.changes.append(f"{kind}: {words}")
        )
        self.reconciler = Reconciler(self.workloads, lambda action: action())

    def close(self) -> None:
        if hasattr(self, "store"):
            self.store.close()

    def cycle(self) -> None:
        self.reconciler.run(self.engine.containers())

    def leased(self) -> dict[int, str]:
        return {lease.npu: lease.workload for lease in self.store.leases()}

    def ill(self, npu: int, state: str, reason: str) -> None:
        changed = tuple(dataclasses.replace(n, state=state, reason=reason) if n.npu == npu else n for n in npus())
        self.seen = FakeSeen(changed)


def assert_waits_until_healthy(bench: Bench) -> None:
    """The start of `job` waits for its NPU 0, which reports Alarm, keeps its lease, and goes on when that is well."""
    bench.cycle()
    found = bench.workloads.get("job")
    assert (found.state, found.reason) == ("pending", "its start waits: NPU 0 is unhealthy: npu-smi reports Alarm")
    assert (bench.engine.running, bench.leased()) == ([], {0: "job"})
    bench.seen = FakeSeen(npus())
    bench.cycle()
    found = bench.workloads.get("job")
    assert (found.state, found.reason) == ("running", "")
