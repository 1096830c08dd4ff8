"""Everything about a node that preparing it could change, so that what it was given back as can be compared."""

from __future__ import annotations

import json
import shlex
from typing import Any

from support.nodes import Node

# Runs on the node: the paths with content, mode and owner, settings, packet filter rules, units, packages, links.
LOOK = r"""
import hashlib, json, os, re, stat, subprocess

FOLDERS = ("/etc", "/usr/local", "/opt", "/srv", "/mnt", "/data", "/root", "/home", "/var/lib")
# Written by the system itself, or data that stays by design.
SKIPPED = re.compile(
    r"^/var/lib/(docker|containerd|apt|dpkg|rpm|dnf|systemd|private|logrotate|ucf|update-notifier|nftables)(/|$)"
    r"|^/var/lib/npufleet-lab(/|$)|^/etc/(mtab|resolv.conf|hostname|hosts|machine-id|ld.so.cache|\.updated)$"
    r"|^/etc/(passwd|group|shadow|gshadow)-$|^/etc/\.pwd\.lock$|^/root/\.(ansible|cache|docker)(/|$)|__pycache__"
)
# Counters, or of an interface that comes and goes.
VOLATILE = re.compile(
    r"random\.|dentry-state|inode-|file-nr|ns_last_pid|nf_conntrack_(count|max)|\.neigh\.|sched_domain|"
    r"^dev\.|^fs\.|^kernel\.|^vm\.|^user\.|^debug\.|^abi\.|netdev_rss_key|tcp_(fastopen_key|available|allowed)|"
    r"^net\.ipv[46]\.conf\.(?!all|default)|stable_secret"
)


def out(*command):
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except FileNotFoundError:
        return []
    return done.stdout.decode(errors="replace").splitlines()


def describe(path):
    state = os.lstat(path)
    facts = "%04o %d:%d" % (stat.S_IMODE(state.st_mode), state.st_uid, state.st_gid)
    if stat.S_ISLNK(state.st_mode):
        return facts + " -> " + os.readlink(path)
    if stat.S_ISREG(state.st_mode):
        with open(path, "rb") as stream:
            return facts + " " + hashlib.sha256(stream.read()).hexdigest()
    return facts + " " + str(stat.S_IFMT(state.st_mode))


files = {}
for top in FOLDERS:
    if os.path.lexists(top):
        files[top] = describe(top)
    for folder, inner, names in os.walk(top):
        inner[:] = [name for name in inner if not SKIPPED.search(os.path.join(folder, name))]
        for name in inner + names:
            path = os.path.join(folder, name)
            if not SKIPPED.search(path):
                files[path] = describe(path)


def rules(command):
    # A table without rules of anybody is as good as none.
    kept, table = [], []
    for line in out(command):
        line = re.sub(r"\[\d+:\d+\]", "", line).strip()
        # The engine that runs the node gives it a name server, at another port after every boot.
        if line.startswith("#") or "127.0.0.11" in line:
            continue
        table.append(line)
        if line == "COMMIT":
            if any(not re.match(r"\*|COMMIT|:[A-Z]+ ACCEPT$", part) for part in table):
                kept += table
            table = []
    return kept


print(json.dumps({
    "files": files,
    "sysctl": dict(l.split(" = ", 1) if " = " in l else (l, "") for l in out("sysctl", "-a") if not VOLATILE.search(l)),
    **{command: rules(command) for command in
       ("iptables-save", "ip6tables-save", "iptables-legacy-save", "ip6tables-legacy-save")},
    "units": {l.split()[0]: l.split()[1] for l in out("systemctl", "list-unit-files", "--no-legend", "--no-pager")
              if l.split()[1] != "transient"},
    "active": sorted(l.split()[0] for l in out("systemctl", "list-units", "--state=active", "--plain", "--no-legend",
                                                "--no-pager", "--type=service,timer,mount,socket")
                     if not re.match(r"user|session|run-user|run-docker|systemd-(tmpfiles-clean|timedated|hostnamed)|"
                                     r"var-lib-docker|packagekit|dbus|polkit", l.split()[0])),
    "packages": sorted(out("dpkg-query", "-W", "-f", "${Package} ${Version} ${db:Status-Status}\n")
                       + out("rpm", "-qa")),
    "links": sorted(link["ifname"] for link in json.loads("".join(out("ip", "-j", "link")) or "[]")
                    if not link["ifname"].startswith("veth")),
    "routes": sorted(line.strip() for line in out("ip", "route")),
    "mounts": sorted(l.split()[1] for l in open("/proc/self/mounts")
                     if not re.match(r"/(run/(user|docker|credentials)|var/lib/docker)", l.split()[1])),
}))
"""


def snapshot(node: Node) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(node.run(f"python3 -c {shlex.quote(LOOK)}"))
    return found


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """One line for each difference; empty when nothing differs."""
    lines = []
    for part, found in before.items():
        old, new = as_pairs(found), as_pairs(after[part])
        lines += [
            f"{part}: {key}: was {old.get(key, 'not there')}, is {new.get(key, 'not there')}"
            for key in sorted({*old, *new})
            if old.get(key) != new.get(key)
        ]
        if old == new and found != after[part]:
            lines.append(f"{part}: in another order")
    return lines


def as_pairs(part: Any) -> dict[str, Any]:
    return part if isinstance(part, dict) else dict.fromkeys(part, "there")
