# ruff: noqa: I002, PLC0415, PTH100, PTH103, PTH104, PTH110, PTH111, PTH112, PTH118, PTH120, PTH123
# Python 3.6 must be able to read this file, to be told that it is too old; and it runs before every command, so it
# imports only what it needs, when it needs it.
"""First lines of the one-file agent: unpack once, then start the real command line from there."""

import os
import sys

DIGEST = "@DIGEST@"
NEEDS = (3, 9)
ROOT_FOLDER = "/var/lib/npufleet/unpacked"
MARKER = ".complete"


class BootstrapError(Exception):
    """One sentence with the remedy."""


def base_folder() -> str:
    """Root's own folder, or a private one of the user's; the variable is for tests and unusual disks."""
    chosen = os.environ.get("NPU_AGENT_UNPACK_DIR")
    if chosen:
        return os.path.abspath(chosen)
    if os.geteuid() == 0:
        return ROOT_FOLDER
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(os.path.abspath(cache), "npufleet", "unpacked")


def check_owner(folder: str) -> None:
    """Code is run from here: nobody else may own or write it, and it may not be a link to somewhere else."""
    import stat

    found = os.lstat(folder)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise BootstrapError(f"{folder} is not a folder that only this user can write. Remove it, then try again.")


def is_complete(folder: str) -> bool:
    if not os.path.lexists(folder):
        return False
    check_owner(folder)
    return os.path.exists(os.path.join(folder, MARKER))


def unpack(archive: str, base: str, target: str) -> None:
    """Beside the target first and then renamed, so that a crash or a second start never sees half of it."""
    import shutil
    import tempfile

    if not os.path.isdir(base):
        os.makedirs(base, 0o700)
    check_owner(base)
    new = tempfile.mkdtemp(prefix=".new-", dir=base)
    try:
        write_all(archive, new)
        try:
            os.rename(new, target)
        except OSError:
            if not is_complete(target):
                raise
    finally:
        shutil.rmtree(new, ignore_errors=True)


def write_all(archive: str, folder: str) -> None:
    import compileall
    import zipfile

    written = []
    with zipfile.ZipFile(archive) as packed:
        for name in packed.namelist():
            if name.startswith("lib/"):
                packed.extract(name, folder)
                written.append(os.path.join(folder, name))
    compileall.compile_dir(os.path.join(folder, "lib"), quiet=2)
    for path in written:  # a power cut must not leave a complete mark on empty files
        with open(path, "rb") as data:
            os.fsync(data.fileno())
    with open(os.path.join(folder, MARKER), "w") as mark:
        mark.write(DIGEST + "\n")
        mark.flush()
        os.fsync(mark.fileno())


def prepare(archive: str) -> str:
    base = base_folder()
    target = os.path.join(base, DIGEST[:12])
    try:
        if not is_complete(target):
            unpack(archive, base, target)
        check_owner(base)
    except OSError as error:
        raise BootstrapError(
            f"npu-agent cannot unpack itself into {base}: {error.strerror or error}."
            " Make room or correct the folder, then try again."
        ) from None
    return os.path.join(target, "lib")


def standard_library_only(paths: "list[str]") -> "list[str]":
    """Drop what is installed beside Python: a library of the node's own, or a half of one, must not get in here.

    It costs memory too: where paramiko is installed the Docker SDK loads it, 15 MiB for what is never used.
    """
    home = os.path.dirname(os.__file__)
    return [path for path in paths if path == home or path.endswith((".zip", os.sep + "lib-dynload"))]


def main() -> int:
    if sys.version_info < NEEDS:
        sys.stderr.write(
            f"npu-agent needs Python {NEEDS[0]}.{NEEDS[1]} or newer and was started with {sys.version.split()[0]}."
            " Install a newer Python beside it and start the agent with that one.\n"
        )
        return 1
    os.umask(0o077)
    try:
        library = prepare(sys.path[0])
    except BootstrapError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.path[:] = [library, *standard_library_only(sys.path[1:])]
    from npu_agent.cli import main as command

    return command(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
