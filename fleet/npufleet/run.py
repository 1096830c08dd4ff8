"""The one door to other programs: argument lists only, a time limit always, decoded output."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from npufleet.errors import ProjectError

BLOCK = 1024 * 1024


@dataclass(frozen=True)
class Output:
    code: int
    stdout: str
    stderr: str


def capture(command: Sequence[str], *, environment: Mapping[str, str], timeout_s: float) -> Output:
    """Run a program to its end; `environment` is added to this process's own."""
    try:
        done = subprocess.run(
            [beside_python(command[0]), *command[1:]],
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )
    except FileNotFoundError:
        raise ProjectError(
            f"The program {command[0]} was not found.",
            code="tool-missing",
            remedy="Install npufleet with its dependencies: make setup.",
        ) from None
    except subprocess.TimeoutExpired:
        raise ProjectError(
            f"{command[0]} gave no answer within {timeout_s:g} s.",
            code="tool-timeout",
            remedy="Run it by hand to see where it waits; dynamic inventories may need their source to be reachable.",
        ) from None
    return Output(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))


def beside_python(program: str) -> str:
    """Prefer the tools of this program's own environment, which need not be on PATH."""
    beside = Path(sys.executable).parent / program
    return str(beside) if beside.exists() else program


def follow(command: Sequence[str], text: bytes, told: Callable[[], None]) -> Output:
    """Run a program that tells how far it is; `told` is called whenever it does, and ends it by raising."""
    pipe = subprocess.PIPE
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as errors:
        given.write(text)
        given.seek(0)
        with subprocess.Popen(list(command), stdin=given, stdout=pipe, stderr=errors) as process:
            assert process.stdout is not None, "it was asked for"
            said = bytearray()
            try:
                while block := os.read(process.stdout.fileno(), BLOCK):
                    said += block
                    told()
            except BaseException:
                process.kill()
                raise
            code = process.wait()
        errors.seek(0)
        return Output(code, said.decode(errors="replace"), errors.read().decode(errors="replace"))


def feed(command: Sequence[str], source: BinaryIO, sent: Callable[[bytes], None]) -> Output:
    """Stream a file into a program; `sent` sees every block. A program that ends early has its reason in stderr."""
    pipe = subprocess.PIPE
    with (
        tempfile.TemporaryFile() as told,
        subprocess.Popen(list(command), stdin=pipe, stdout=pipe, stderr=told) as process,
    ):
        assert process.stdin is not None, "it was asked for"
        assert process.stdout is not None, "it was asked for"
        try:
            with contextlib.suppress(BrokenPipeError):
                while block := source.read(BLOCK):
                    process.stdin.write(block)
                    sent(block)
                process.stdin.flush()
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
            stdout = process.stdout.read()
        except BaseException:
            process.kill()
            raise
        code = process.wait()
        told.seek(0)
        return Output(code, stdout.decode(errors="replace"), told.read().decode(errors="replace"))
