"""Fault events the simulated driver knows: the severity it gives them, and the sentence it prints for them."""

from __future__ import annotations

SEVERITIES = ("OK", "Warning", "Alarm", "Critical")
_UNLISTED = "Warning"  # the real driver's default for an event without a configured severity
_HEARTBEAT = "node type=process-manager, sensor type=General Software, event state="

EVENTS: dict[str, tuple[str, str]] = {
    "80818C00": ("Warning", "node type=SoC, sensor type=Memory, event state=Precision abnormal"),
    "80C98000": ("Warning", "node type=AICore, sensor type=Memory, event state=Instruction data verification failed"),
    "80E01801": ("Critical", "node type=HBM, sensor type=Memory, event state=Multi Bit ECC"),
    "80E01809": ("OK", "node type=HBM, sensor type=Memory, event state=Multi Bit ECC found in patrol"),
    "80E18005": ("Alarm", "node type=HBMC, sensor type=Memory, event state=Parity error"),
    "80E3A203": ("Alarm", "node type=LPM, sensor type=Current, event state=Obtaining the current is abnormal"),
    "81078603": ("Warning", "node type=Port, sensor type=Network, event state=Link down"),
    "8C03A000": (
        "Alarm",
        _HEARTBEAT + "The process start failed or exit abnormally",
    ),
    "8C084E00": ("Warning", "node type=adda, sensor type=Heartbeat Sensor, event state=Heartbeat Lost."),
    "A4025021": ("Warning", "ascend_monitor adda heart beat lost error"),
}


def worst(codes: list[str]) -> str:
    found = [EVENTS.get(code, (_UNLISTED, ""))[0] for code in codes]
    return max(found, key=SEVERITIES.index, default="OK")


def text(code: str) -> str:
    return EVENTS.get(code, ("", f"Failed to get error information for error code : 0x{code}"))[1]
