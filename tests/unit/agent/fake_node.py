"""A node on a temporary disk, a clock that stands still, and an npu-smi that answers from memory."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Optional

from npu_agent.kernel_clock import KernelClock
from npu_agent.monitor import Monitor, MonitorSettings, Past
from npu_agent.run import Completed
from unit.agent.recorded import healthy_table, read

GIB = 1024**3


@dataclass
class StillClock:
    """`step_s` is how far the time of day was set by hand."""

    at: float = 1000.0
    step_s: float = 0.0

    def monotonic(self) -> float:
        return self.at

    def now(self) -> datetime:
        return datetime.fromisoformat("2026-01-01T00:00:00+00:00") + timedelta(seconds=self.at + self.step_s)


@dataclass
class FakeSmi:
    """Stands for the door to other programs.

    `health` gives a card's codes, `fail` replaces every answer, `mute` those about single chips, `hccn` answers for
    hccn_tool by option; what contains `hang_on` never ends.
    """

    clock: StillClock
    info: str = field(default_factory=healthy_table)
    mapping: str = field(default_factory=lambda: read("info_m/910A_8cards.txt"))
    health: dict[int, str] = field(default_factory=dict)
    fail: Optional[Completed] = None
    mute: Optional[str] = None
    takes_s: float = 0.3
    calls: list[str] = field(default_factory=list)
    hccn: dict[str, str] = field(default_factory=dict)
    hang_on: str = ""
    limits: list[float] = field(default_factory=list)

    def __call__(
        self,
        argv: Sequence[str],
        *,
        timeout_s: float,
        env: Optional[Mapping[str, str]] = None,
        hold_fd: Optional[int] = None,
    ) -> Completed:
        asked = " ".join(argv[1:])
        self.calls.append(asked)
        self.limits.append(timeout_s)
        if argv[0] == "cat":
            return Completed(tuple(argv), 0, Path(argv[1]).read_text(encoding="utf-8"))
        if self.hang_on and self.hang_on in asked:
            self.clock.at += timeout_s
            return Completed(tuple(argv), None, timed_out=True, duration_s=timeout_s)
        if self.fail is not None:
            return self.fail
        self.clock.at += self.takes_s
        return Completed(tuple(argv), 0, self._answer(asked), duration_s=self.takes_s)

    def _answer(self, asked: str) -> str:
        if asked == "info":
            return self.info
        if asked == "info -m":
            return self.mapping
        if asked.endswith(" -g"):
            return self.hccn.get(asked.split()[2], "Cmd execute failed!\n")
        if self.mute is not None:
            return self.mute
        words = asked.split()
        if "health" in words:
            codes = self.health.get(int(words[words.index("-i") + 1]), "NA")
            return f"\tHealth Status                  : {'OK' if codes == 'NA' else 'Alarm'}\n\tError Code : {codes}\n"
        return "This device does not support querying board.\n"

    def hang(self) -> None:
        self.fail = Completed(("npu-smi", "info"), None, timed_out=True, duration_s=20.0)

    def say(self, text: str, exit_code: int = 0) -> None:
        self.fail = Completed(("npu-smi", "info"), exit_code, text)

    def heal(self) -> None:
        self.fail, self.info, self.health = None, healthy_table(), {}


@dataclass
class FakeNode:
    """`root` stands for /."""

    root: Path
    clock: StillClock = field(default_factory=StillClock)
    smi: FakeSmi = field(init=False)
    monitor: Monitor = field(init=False)
    kernel: Optional[KernelClock] = field(default_factory=lambda: KernelClock(synchronised=True, error_s=0.01))
    # What the metadata guard finds, every time that it looks; None when its timer has stopped.
    guard: Optional[dict[str, Any]] = field(default_factory=lambda: {"failures": [], "exposed": [], "notes": []})

    def __post_init__(self) -> None:
        self.smi = FakeSmi(self.clock)
        for number in range(8):
            self.write(f"dev/davinci{number}")
        self.write("dev/davinci_manager")
        self.write("usr/local/sbin/npu-smi")
        self.write("proc/sys/net/ipv4/ip_forward", "1\n")
        self.write("usr/local/Ascend/driver/version.info", read("other/driver_version_info_23.0.7.txt"))
        self.write("usr/local/Ascend/firmware/version.info", read("other/firmware_version_info_7.1.0.11.220.txt"))
        self.write_facts("guard", {"host_network_guarded": True})
        self.write_facts("nic", {"interface": "enp67s0f5", "mtu": 1500})
        self.write("sys/class/net/enp67s0f5/operstate", "up\n")
        self.write("sys/class/net/enp67s0f5/mtu", "1500\n")
        self.write("proc/meminfo", "MemTotal: 16000000 kB\nMemFree: 1000 kB\nMemAvailable: 15000000 kB\n")
        self.boot("boot-1")
        self.let_guard_tell()
        self.start()

    def boot(self, boot_id: str) -> None:
        self.write("proc/sys/kernel/random/boot_id", boot_id + "\n")

    def write_rules(self, text: str) -> None:
        self.write("etc/npufleet/health.yaml", text).chmod(0o644)

    def start(self, past: Optional[Past] = None, **settings: Any) -> None:
        """Start the monitor anew, as after a restart of the agent."""
        chosen: dict[str, Any] = {"state_dir": "/nowhere/state", "docker_dir": "/nowhere/docker", **settings}
        run_dir = str(self.root / "run")
        self.monitor = Monitor(
            MonitorSettings("node-1", run_dir=run_dir, root=str(self.root), **chosen),
            clock=self.clock,
            run=self.smi,
            past=past,
            kernel=lambda: self.kernel,
        )

    def write_pci(self, address: str, *, dead: bool = False) -> None:
        folder = f"sys/bus/pci/devices/{address}"
        for name, text in (("vendor", "0x19e5"), ("class", "0x120000"), ("device", "0xd802")):
            self.write(f"{folder}/{name}", text + "\n")
        (self.root / folder / "config").write_bytes(b"\xff" * 64 if dead else b"\xe5\x19\x02\xd8" * 16)

    def write(self, path: str, text: str = "") -> Path:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        return target

    def write_facts(self, name: str, facts: dict[str, Any]) -> None:
        self.write(f"etc/npufleet/facts.d/{name}.json", json.dumps(facts))

    def let_guard_tell(self) -> None:
        if self.guard is not None:
            self.write("run/npufleet/metadata-guard.json", json.dumps({"monotonic": self.clock.at, **self.guard}))

    def wait(self, seconds: float) -> None:
        self.clock.at += seconds

    def cycles(self, count: int, interval_s: float = 5.0) -> None:
        """Turn the loop as the daemon does: it waits for what is left of the interval."""
        for _ in range(count):
            begun = self.clock.at
            self.let_guard_tell()
            self.monitor.cycle()
            self.wait(max(0.0, begun + interval_s - self.clock.at))

    def state_of(self, component: str) -> str:
        return {c.name: c.state for c in self.monitor.view().components}[component]

    def reason_of(self, component: str) -> str:
        return {c.name: c.reason for c in self.monitor.view().components}[component]

    def action_of(self, component: str) -> str:
        return {c.name: c.action for c in self.monitor.view().components}[component]
