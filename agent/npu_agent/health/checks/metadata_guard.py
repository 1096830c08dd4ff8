"""metadata-guard: whether anything keeps containers from the cloud's metadata address, now and for all of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Optional

from npu_agent import api
from npu_agent.health.check import Context, register
from npu_agent.health.verdict import Verdict

STATUS = "/run/npufleet/metadata-guard.json"
_EVERY_S = 60.0
# One look may be late, or fall into a restart of the engine.
_STALE_AFTER_S = 3 * _EVERY_S


@register
class MetadataGuard:
    """Judges what the guard itself found when it last asserted and tried its rules, once a minute."""

    name = "metadata-guard"

    def run(self, context: Context) -> Iterable[Verdict]:
        guard = context.snapshot.facts.guard
        if guard is None:
            return [self._degraded("nothing on this node says that containers are kept from the metadata service")]
        status = context.paths.read_json(STATUS)
        age_s = _age_s(status, context.snapshot.now)
        if status is None or age_s is None:
            return [self._unknown("the guard has not told since the boot whether containers are kept from it")]
        if age_s > _STALE_AFTER_S:
            return [self._unknown(f"the guard told last {age_s:.0f} s ago; it does so every {_EVERY_S:.0f} s")]
        failures = _sentences(status, "failures")
        if failures is None:
            return [self._unknown(f"{STATUS} does not say what the guard found")]
        if failures:
            reason = f"containers are not kept from the metadata service: {'; '.join(failures)}"
            return [Verdict(self.name, api.UNHEALTHY, reason, "fix-configuration")]
        found = [*(_sentences(status, "exposed") or []), *(_sentences(status, "notes") or [])]
        if guard.get("host_network_guarded") is not True:
            found.insert(0, "containers on the host network can reach the metadata service")
        return [self._degraded("; ".join(found))] if found else [Verdict(self.name, api.HEALTHY)]

    def _degraded(self, reason: str) -> Verdict:
        return Verdict(self.name, api.DEGRADED, reason, "fix-configuration")

    def _unknown(self, reason: str) -> Verdict:
        return Verdict(
            self.name, api.UNKNOWN, f"{reason}: see systemctl status npufleet-metadata-guard", "fix-configuration"
        )


def _age_s(status: Optional[dict[str, Any]], now: float) -> Optional[float]:
    """Of the clock that starts with the boot, which nobody sets. The file may be a little newer than the snapshot."""
    told = status.get("monotonic") if status else None
    if not isinstance(told, (int, float)) or told > now + _EVERY_S:
        return None
    return max(0.0, now - told)


def _sentences(status: dict[str, Any], key: str) -> Optional[list[str]]:
    found = status.get(key)
    return [str(item) for item in found] if isinstance(found, list) else None
