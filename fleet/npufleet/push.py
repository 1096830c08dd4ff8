"""Copies files to nodes: goes on where it was cut, and proves each file by its SHA-256 before it gets its name."""

from __future__ import annotations

import hashlib
import queue
import shlex
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from npufleet import push_remote, push_rsync, run
from npufleet.errors import NpufleetError, UsageError
from npufleet.interrupts import signals_interrupt
from npufleet.inventory import Node
from npufleet.push_remote import PART, Shell
from npufleet.result import Exit, Failure, Frame, Result
from npufleet.views import push as view

FRAME_S = 0.5
SSH_FAILED = 255


class PushError(NpufleetError):
    code = "push-failed"


class NoSshError(PushError):
    code = "unreachable"


@dataclass(frozen=True)
class Item:
    local: Path
    remote: str
    size: int
    mode: int
    mtime: int
    name: str = ""  # below the folder that is pushed; empty for a file by itself


@dataclass
class Tally:
    """How far one node is. Bytes that were there already are not counted as sent."""

    node: str
    total: int
    state: str = "waiting"
    sent: int = 0
    kept: int = 0
    files: int = 0
    begun: float = 0.0
    took_s: float = 0.0
    cause: str = ""

    @property
    def rate(self) -> float:
        """Bytes a second that went over the network."""
        lasted = self.took_s or (time.monotonic() - self.begun if self.begun else 0.0)
        return self.sent / lasted if lasted else 0.0

    def to_dict(self) -> dict[str, Any]:
        return {
            "node": self.node, "state": self.state, "files": self.files, "bytes_sent": self.sent,
            "bytes_kept": self.kept, "bytes_total": self.total, "took_s": round(self.took_s, 3),
            "bytes_per_s": round(self.rate), "cause": self.cause,
        }  # fmt: skip


def items(source: Path, target: str) -> list[Item]:
    """Where each file goes: a file to `target` (below it, if that ends in /), a folder's contents below `target`."""
    if not target.startswith("/"):
        raise UsageError(f"The target {target} is no path from the root.", remedy="Give it as /folder/name.")
    if source.is_file():
        return [_item(source, f"{target}{source.name}" if target.endswith("/") else target)]
    if not source.is_dir():
        raise UsageError(f"There is no file or folder {source}.", code="source-missing")
    files = sorted(path for path in source.rglob("*") if path.is_file())
    if not files:
        raise UsageError(f"The folder {source} has no files.", code="source-missing")
    base = target.rstrip("/")
    return [_item(path, f"{base}/{path.relative_to(source)}", str(path.relative_to(source))) for path in files]


def _item(path: Path, remote: str, name: str = "") -> Item:
    about = path.stat()
    return Item(path, remote, about.st_size, about.st_mode & 0o777, int(about.st_mtime), name)


@dataclass
class Push:
    nodes: Sequence[Node]
    items: Sequence[Item]
    parallel: int = 4
    shell: Callable[[Node], Shell] = Shell
    _sums: dict[Path, str] = field(default_factory=dict)
    _stopping: threading.Event = field(default_factory=threading.Event)

    def steps(self) -> Generator[Frame, None, Result]:
        total = sum(item.size for item in self.items)
        tallies = {node.name: Tally(node.name, total) for node in self.nodes}
        waiting: queue.SimpleQueue[Node] = queue.SimpleQueue()
        for node in self.nodes:
            waiting.put(node)
        threads = [
            threading.Thread(target=self._work, args=(waiting, tallies), name="push", daemon=True)
            for _ in range(min(self.parallel, len(self.nodes)))
        ]
        with signals_interrupt():
            try:
                for thread in threads:
                    thread.start()
                yield from self._frames(threads, tallies)
            except (KeyboardInterrupt, GeneratorExit):
                self._stop(threads, tallies)
        return self._result(list(tallies.values()))

    @staticmethod
    def _frames(threads: Sequence[threading.Thread], tallies: dict[str, Tally]) -> Generator[Frame, None, None]:
        told: set[str] = set()
        while any(thread.is_alive() for thread in threads):
            threads[0].join(FRAME_S) if threads[0].is_alive() else time.sleep(FRAME_S)
            ended = [t for t in tallies.values() if t.took_s and t.node not in told]
            told |= {tally.node for tally in ended}
            yield Frame(lambda: view.progress(list(tallies.values())), "; ".join(view.line(tally) for tally in ended))

    def _stop(self, threads: Sequence[threading.Thread], tallies: dict[str, Tally]) -> None:
        """What has arrived stays in its part, and the next push goes on behind it."""
        self._stopping.set()
        for thread in threads:
            thread.join(5)
        for tally in tallies.values():
            if tally.state in {"waiting", "sending"}:
                tally.state, tally.cause = "interrupted", "the next push goes on where this one stopped"

    def _work(self, waiting: queue.SimpleQueue[Node], tallies: dict[str, Tally]) -> None:
        while not self._stopping.is_set():
            try:
                node = waiting.get_nowait()
            except queue.Empty:
                return
            tally = tallies[node.name]
            tally.begun, tally.state = time.monotonic(), "sending"
            try:
                shell = self.shell(node)
                for item in self._besides_small(shell, tally):
                    self._one(shell, item, tally)
                tally.state = "done"
            except KeyboardInterrupt:
                return
            except (NpufleetError, OSError) as error:
                tally.state, tally.cause = "unreachable" if isinstance(error, NoSshError) else "failed", str(error)
            finally:
                tally.took_s = time.monotonic() - tally.begun

    def _one(self, shell: Shell, item: Item, tally: Tally) -> None:
        whole, part = (_number(word) for word in _answer(shell, push_remote.sizes(item.remote)).split())
        if whole == item.size and self._same(shell, item):
            tally.kept += item.size
        elif part or (whole or 0) < push_rsync.SMALL_BYTES or not self._update(shell, item, tally):
            self._send(shell, item, part or 0, tally)
        tally.files += 1

    def _besides_small(self, shell: Shell, tally: Tally) -> Sequence[Item]:
        """Bring a folder's small files by rsync where that can be; give the others, or all where it cannot."""
        small = [item for item in self.items if item.name and item.size <= push_rsync.SMALL_BYTES]
        if len(small) < 2 or not push_rsync.usable(shell):
            return self.items
        source, base = (str(end).removesuffix(f"/{small[0].name}") for end in (small[0].local, small[0].remote))
        _answer(shell, f"mkdir -p {shlex.quote(base)}")
        output = push_rsync.bulk(shell, Path(source), base, [item.name for item in small], self._heed)
        if not _went(shell, output):
            return self.items
        for share in push_rsync.shares(small):
            told = _answer(shell, push_rsync.checksums(base, [item.name for item in share]), push_remote.HASH_S)
            theirs = [line.lstrip("\\").split()[0] for line in told.splitlines()]
            for item, found in zip(share, theirs, strict=True):
                if found != self._sum(item):
                    raise PushError(f"{item.remote} on {shell.node.name} differs from what was sent. Try again.")
        _count(tally, sum(item.size for item in small), push_rsync.literal_bytes(output))
        tally.files += len(small)
        return [item for item in self.items if item not in set(small)]

    def _update(self, shell: Shell, item: Item, tally: Tally) -> bool:
        """Bring what is new in a file; False where rsync is not there or could not, and all of it must go."""
        if not push_rsync.usable(shell):
            return False
        _answer(shell, push_rsync.begin_with(item.remote), push_remote.HASH_S)
        output = push_rsync.update(shell, item.local, item.remote, self._heed)
        if not _went(shell, output):
            return False
        theirs = _answer(shell, push_remote.checksum(item.remote + PART), push_remote.HASH_S).split()[0]
        if theirs != self._sum(item):
            return False
        _count(tally, item.size, push_rsync.literal_bytes(output))
        _answer(shell, push_remote.finish(item.remote, item.mode, item.mtime))
        return True

    def _heed(self) -> None:
        if self._stopping.is_set():
            raise KeyboardInterrupt

    def _same(self, shell: Shell, item: Item) -> bool:
        theirs = _answer(shell, push_remote.checksum(item.remote), push_remote.HASH_S).split()[0]
        return theirs == self._sum(item)

    def _sum(self, item: Item) -> str:
        if item.local not in self._sums:
            self._sums[item.local] = _sum_of(item.local)
        return self._sums[item.local]

    def _send(self, shell: Shell, item: Item, there: int, tally: Tally) -> None:
        with item.local.open("rb") as source:
            offset, digest = _prefix(shell, item, source, there)
            tally.kept += offset

            def sent(block: bytes) -> None:
                self._heed()
                digest.update(block)
                tally.sent += len(block)

            output = run.feed(shell.command(push_remote.receive(item.remote, offset)), source, sent)
            size = source.tell()
        _check(shell.node.name, output)
        arrived = output.stdout.split()
        # A full disk is seen by the size: the sum is of what came in.
        if arrived[:1] != [digest.hexdigest()] or arrived[-1] != str(size):
            with suppress(PushError):
                _answer(shell, f"rm -f {shlex.quote(item.remote + PART)}")
            raise PushError(
                f"{item.remote} on {shell.node.name} differs from what was sent; its part is removed. Try again."
            )
        _answer(shell, push_remote.finish(item.remote, item.mode, item.mtime))

    def _result(self, tallies: Sequence[Tally]) -> Result:
        bad = [tally for tally in tallies if tally.state != "done"]
        code = Exit.FINE
        if bad:
            code = Exit.PARTLY if len(bad) < len(tallies) else Exit.FAILED
        if bad and all(tally.state == "unreachable" for tally in tallies):
            code = Exit.UNREACHABLE
        failures = [Failure(f"push-{t.state}", f"{t.node}: {t.cause}", "", t.node) for t in bad]
        return Result(
            "push", data={"files": len(self.items), "nodes": [tally.to_dict() for tally in tallies]},
            errors=tuple(failures), exit_code=code, view=lambda: view.done(tallies),
        )  # fmt: skip


def _prefix(shell: Shell, item: Item, source: Any, there: int) -> tuple[int, Any]:
    """How much of the part on the node is the beginning of this very file, and the sum so far."""
    digest = hashlib.sha256()
    if not 0 < there <= item.size:
        return 0, digest
    left = there
    while left and (block := source.read(min(run.BLOCK, left))):
        digest.update(block)
        left -= len(block)
    theirs = _answer(shell, push_remote.checksum(item.remote + PART, there), push_remote.HASH_S).split()[0]
    if theirs == digest.hexdigest():
        return there, digest
    source.seek(0)
    return 0, hashlib.sha256()


def _answer(shell: Shell, line: str, timeout_s: float = push_remote.SHORT_S) -> str:
    output = shell.ask(line, timeout_s)
    _check(shell.node.name, output)
    return output.stdout


def _check(node: str, output: run.Output) -> None:
    said = " ".join(output.stderr.split()) or "no reason was given"
    if output.code == SSH_FAILED:
        raise NoSshError(f"no SSH to {node}, or it was cut: {said}")
    if output.code != 0:
        raise PushError(f"{node} could not take it: {said}")


def _went(shell: Shell, output: run.Output) -> bool:
    """Whether rsync did it; a connection that was cut is no reason to try another way."""
    if output.code in push_rsync.CUT:
        raise NoSshError(f"no SSH to {shell.node.name}, or it was cut: {' '.join(output.stderr.split())}")
    return output.code == 0


def _count(tally: Tally, size: int, literal: int) -> None:
    sent = min(size, literal)
    tally.sent += sent
    tally.kept += size - sent


def _number(word: str) -> int | None:
    return int(word) if word.isdecimal() else None


def _sum_of(path: Path) -> str:
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()
