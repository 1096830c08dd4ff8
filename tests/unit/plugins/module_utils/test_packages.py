"""What package managers print becomes one cause and one remedy; who holds a lock is named."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from unit.plugins import loading  # makes the modules below importable

assert loading

from ansible.module_utils.npufleet import apt, locks, package_errors, rpm_folder  # noqa: E402  # needs the line above

EXCLUDES = ["kernel*", "linux-image*", "Ascend*"]


@pytest.mark.parametrize(
    ("printed", "cause", "remedy"),
    [
        ("E: You don't have enough free space in /var/cache/apt/archives/.", "the disk is full", "Free some space"),
        ("dpkg: error: failed to write: No space left on device", "the disk is full", "Free some space"),
        ("Curl error (23): Failed writing received data to disk/application", "the disk is full", "Free some space"),
        ("  At least 120MB more space needed on the / filesystem.", "the disk is full", "Free some space"),
        ("E: Could not get lock /var/lib/dpkg/lock-frontend.", "holds the package manager's lock", "Wait for it"),
        ("RPM: error: can't create transaction lock on /var/lib/rpm/.rpm.lock", "holds the package", "Wait for it"),
        ("E: dpkg was interrupted, you must manually run ...", "was interrupted", "dpkg --configure -a"),
        (
            "Err:1 http://10.0.0.5 ./ InRelease\nE: Failed to fetch http://10.0.0.5",
            "repository does not work",
            "x_repository_url",
        ),
        ("Error: Failed to download metadata for repo 'r': Cannot download repomd.xml", "does not work", "curl -I"),
        ("E: Unable to locate package docker.io", "does not have it", "x_packages"),
        ("Error: Unable to find a match: docker", "does not have it", "x_packages"),
        ("W: GPG error: NO_PUBKEY 0123456789", "signature is not known", "x_repository_key"),
        ("something odd\nE: of its own kind", "of its own kind", "run this again"),
        ("", "it gave no reason", "run this again"),
    ],
)
def test_output_becomes_cause_and_remedy(printed: str, cause: str, remedy: str) -> None:
    told = package_errors.describe(printed, EXCLUDES, "x")
    assert cause in told
    assert remedy in told
    assert told.endswith(".")


@pytest.mark.parametrize(
    "printed",
    [
        " needs-it : Depends: linux-image-generic (>= 2.0) but it is not installable",
        "  - nothing provides kernel >= 2.0 needed by needs-it-1.0-1.noarch",
        "  - package needs-it-1.0-1.noarch from x requires Ascend-driver >= 2.0, but none can be installed",
        "  - package kernel-2.0-1.noarch from x is filtered out by exclude filtering",
    ],
)
def test_what_the_excludes_keep_back_is_named(printed: str) -> None:
    told = package_errors.describe(printed, EXCLUDES, "x")
    assert any(f"it needs {name}," in told for name in ("linux-image-generic", "kernel", "Ascend-driver"))
    assert "x_package_excludes" in told


def test_a_need_that_nobody_keeps_back_is_not_blamed_on_the_excludes() -> None:
    assert "excludes" not in package_errors.describe("nothing provides libfoo needed by bar", EXCLUDES, "x")


def test_the_holder_of_a_lock_is_named(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.touch()
    assert locks.holder([str(path)]) is None
    code = "import fcntl, sys; f = open(sys.argv[1], 'a'); fcntl.lockf(f, 2); print(1, flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        process.stdout.readline()
        found = locks.holder([str(tmp_path / "l*")])
        name = Path(f"/proc/{process.pid}/comm").read_text().strip()
        assert found == {"path": str(path), "pid": process.pid, "name": name}
        assert locks.wait_free([str(path)], 0) == found
        process.communicate("\n")
    assert locks.wait_free([str(path)], 0) is None


def test_our_own_lock_is_none_to_wait_for(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("w") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        assert locks.holder([str(tmp_path / "lock")]) is None


def test_a_pid_file_counts_while_its_process_lives(tmp_path: Path) -> None:
    path = tmp_path / "dnf.pid"
    path.write_text(str(os.getppid()))
    found = locks.holder([str(path)])
    assert found is not None
    assert found["pid"] == os.getppid()
    path.write_text("999999999")
    assert locks.holder([str(path)]) is None


def wanted(**more: object) -> dict[str, object]:
    return {"folder": "", "url": "", "only": True, "key": "", "suite": "./", "components": [], "excludes": [], **more}


def test_one_repository_shuts_the_nodes_own_out(tmp_path: Path) -> None:
    manager = apt.Apt(wanted(url="http://10.0.0.5/deb"), str(tmp_path))
    manager._configure()
    config = (tmp_path / "apt.conf").read_text()
    assert 'Dir::Etc::sourceparts "-";' in config
    assert (tmp_path / "sources.list").read_text() == "deb [trusted=yes] http://10.0.0.5/deb ./\n"


def test_a_signed_repository_with_components(tmp_path: Path) -> None:
    more = {"url": "http://10.0.0.5/ubuntu", "suite": "jammy", "components": ["main"], "key": "/etc/key.gpg"}
    manager = apt.Apt(wanted(**more), str(tmp_path))
    assert manager._sources() == "deb [signed-by=/etc/key.gpg] http://10.0.0.5/ubuntu jammy main\n"


@pytest.mark.parametrize("folder", ["missing", "empty"])
def test_a_folder_without_packages_is_told(tmp_path: Path, folder: str) -> None:
    (tmp_path / "empty").mkdir()
    manager = apt.Apt(wanted(url=f"file://{tmp_path}/{folder}"), str(tmp_path))
    with pytest.raises(package_errors.PackageError, match=r"Put the packages there and run this again\."):
        manager._sources()
    with pytest.raises(package_errors.PackageError, match=r"holds no \.rpm file"):
        rpm_folder.choose(str(tmp_path / "empty"), ["docker"], [], "docker")


def test_what_would_be_removed_or_kept_back_stops_the_transaction(tmp_path: Path) -> None:
    manager = apt.Apt(wanted(excludes=EXCLUDES, prefix="x"), str(tmp_path))
    manager._refuse_side_effects("Inst docker.io (20.10 local)\nConf docker.io (20.10 local)\n")
    with pytest.raises(package_errors.PackageError, match="it needs linux-image-generic"):
        manager._refuse_side_effects("Inst linux-image-generic [1.0] (2.0 local)\n")
    with pytest.raises(package_errors.PackageError, match="it would remove podman"):
        manager._refuse_side_effects("Remv podman [4.3]\n")


LISTING = """\
N engine
P engine
P /usr/bin/engine
R runtime
R /bin/sh
N runtime
P runtime-tool
R libc.so.6
N kernel
P config(kernel)
N wants-kernel
R kernel
"""


def test_of_a_folder_only_what_is_needed_is_taken() -> None:
    files = rpm_folder.parse(LISTING)
    assert [file["name"] for file in files] == ["engine", "runtime", "kernel", "wants-kernel"]
    chosen = rpm_folder.closure(files, ["/usr/bin/engine"], EXCLUDES, lambda need: need in {"/bin/sh", "libc.so.6"})
    assert [file["name"] for file in chosen] == ["engine", "runtime"]


def test_of_a_folder_nothing_excluded_is_taken() -> None:
    files = rpm_folder.parse(LISTING)
    with pytest.raises(PermissionError, match=r"^kernel$"):
        rpm_folder.closure(files, ["wants-kernel"], EXCLUDES, lambda _: False)
    assert len(rpm_folder.closure(files, ["wants-kernel"], EXCLUDES, lambda need: need == "kernel")) == 1
    with pytest.raises(LookupError, match=r"^podman$"):
        rpm_folder.closure(files, ["podman"], EXCLUDES, lambda _: True)
