"""driver: installed whole, loaded, and fitting its firmware."""

from __future__ import annotations

from collections.abc import Iterable

from npu_agent import api
from npu_agent.health.check import Context, ageing, register
from npu_agent.health.verdict import Verdict
from npu_agent.probe import host, model
from npu_agent.snapshot import Snapshot

_DRIVER_TROUBLE = {
    model.DRIVER_NOT_READY: "the driver is not ready",
    model.MISSING_LIBRARY: "a library of the driver is missing",
    model.MISSING_TOOL: "npu-smi is not installed where it is looked for",
}


@register
@ageing
class Driver:
    name = "driver"

    def run(self, context: Context) -> Iterable[Verdict]:
        return [_judge(context.snapshot)]


def _judge(snapshot: Snapshot) -> Verdict:
    name, facts = Driver.name, snapshot.facts
    trouble = [error for error in snapshot.errors if error.kind in _DRIVER_TROUBLE] if snapshot.failures else []
    if trouble:
        reason = f"{_DRIVER_TROUBLE[trouble[0].kind]}: {trouble[0].message}"
        return Verdict(name, api.UNHEALTHY, reason, "check-driver")
    if facts.driver_version is None and snapshot.tool_driver_version is None:
        return Verdict(
            name, api.UNKNOWN, "no version.info of the driver was found, and npu-smi named no version", "check-driver"
        )
    if snapshot.half_installed or facts.install.get("Driver_Install_Status", "complete") != "complete":
        return Verdict(name, api.DEGRADED, "the driver package is not completely installed", "check-driver")
    if host.firmware_fits(facts.driver, facts.firmware_version) is False:
        allowed = facts.driver.get("compatible_version_fw")
        reason = f"firmware {facts.firmware_version} is outside of what driver {facts.driver_version} takes: {allowed}"
        return Verdict(name, api.DEGRADED, reason, "check-driver")
    return Verdict(name, api.HEALTHY)
