"""What npufleet's own files on the node look like, so that roles touch only those that differ."""

from __future__ import annotations

import calendar
import glob
import hashlib
import json
import os
import re
import stat
import time
from typing import Any

from ansible.module_utils.npufleet.run import Done, read, run

OURS = (
    "/etc/npufleet",
    "/etc/npufleet/**",
    "/etc/sysctl.d/*npufleet*",
    "/etc/profile.d/npufleet*",
    "/etc/systemd/system/npu-agent.service",
    "/etc/systemd/system/npufleet*",
    "/etc/systemd/system/*.mount",
    "/etc/systemd/system/multi-user.target.wants/*.mount",
    "/etc/systemd/system/*.d/npufleet*",
    "/opt/npufleet",
    "/opt/npufleet/**",
    "/usr/local/bin/npu-agent",
    "/usr/local/libexec/npufleet",
    "/usr/local/libexec/npufleet/**",
    "/var/lib/npufleet/found/*",
)
FOUND = "/var/lib/npufleet/found"
CERTIFICATE = "/etc/npufleet/tls/server.crt"


def gather(watched: list[str], certificates: list[str]) -> dict[str, Any]:
    paths = sorted({path for pattern in OURS for path in glob.glob(pattern, recursive=True)}.union(watched))
    return {
        "files": {path: describe(path) for path in paths if os.path.lexists(path)},
        # What a role found before it changed something: `remove` gives it back.
        "found": {os.path.basename(p)[:-5]: load(p) for p in sorted(glob.glob(FOUND + "/*.json"))},
        "certificates": {
            path: certificate(run("openssl", "x509", "-noout", "-enddate", "-text", "-in", path))
            for path in [CERTIFICATE, *certificates]
            if os.path.exists(path)
        },
    }


def describe(path: str) -> dict[str, Any]:
    state = os.lstat(path)
    facts = {"mode": f"{stat.S_IMODE(state.st_mode):04o}", "uid": state.st_uid, "gid": state.st_gid}
    if stat.S_ISLNK(state.st_mode):
        return dict(facts, kind="link", target=os.readlink(path), mtime=int(state.st_mtime))
    if stat.S_ISDIR(state.st_mode):
        return dict(facts, kind="directory")
    return dict(facts, kind="file", sha256=digest(path), mtime=int(state.st_mtime))


def digest(path: str) -> str:
    total = hashlib.sha256()
    with open(path, "rb") as stream:
        for block in iter(lambda: stream.read(1048576), b""):
            total.update(block)
    return total.hexdigest()


def digest_text(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def load(path: str) -> Any:
    try:
        return json.loads(read(path))
    except ValueError:
        return None


def certificate(done: Done) -> dict[str, Any] | None:
    """When a certificate ends and which names it carries; None when openssl cannot read it."""
    end = re.search(r"^notAfter=(.+)$", done.out, re.MULTILINE)
    if done.code != 0 or end is None:
        return None
    names = re.search(r"Subject Alternative Name:[^\n]*\n\s*(.+)", done.out)
    listed = [name.strip() for name in names.group(1).split(",")] if names else []
    expires = calendar.timegm(time.strptime(end.group(1).replace("GMT", "").strip(), "%b %d %H:%M:%S %Y"))
    return {
        "expires": expires,
        "days_left": (expires - int(time.time())) // 86400,
        "names": sorted(name.split(":", 1)[1] for name in listed if ":" in name),
    }
