from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from npufleet import remote
from npufleet.inventory import Ssh
from unit.fleet.samples import make_node


def test_options_are_read_as_ssh_reads_them() -> None:
    told = "-o UserKnownHostsFile=/a/known -oStrictHostKeyChecking=yes -J jump@host -o 'ProxyCommand ssh -W %h:%p x' -v"
    assert list(remote.options(told)) == [
        ("UserKnownHostsFile", "/a/known"), ("StrictHostKeyChecking", "yes"), ("ProxyJump", "jump@host"),
        ("ProxyCommand", "ssh -W %h:%p x"),
    ]  # fmt: skip


def test_an_unknown_host_is_not_trusted_unless_the_inventory_says_so(tmp_path: Path) -> None:
    for told, policy in (("", "RejectPolicy"), ("-o StrictHostKeyChecking=no", "AutoAddPolicy")):
        ssh = Ssh("192.0.2.1", user="root", port=2222, key=str(tmp_path / "key"), arguments=told)
        node = make_node()
        connection = remote.connect(type(node)(node.name, node.address, node.port, ssh))
        assert (connection.user, connection.port) == ("root", 2222)
        assert type(connection.client._policy).__name__ == policy


@pytest.mark.parametrize(("command", "line"), [(["a | b"], "a | b"), (["ls", "a b"], "ls 'a b'")])
def test_one_word_is_a_line_and_several_are_a_program(command: list[str], line: str) -> None:
    assert remote.words(command) == line


def test_the_container_and_sudo_stand_before_the_guard() -> None:
    assert remote.guarded("id", container="npufleet-x", sudo=True).startswith(
        "sudo -n docker exec -i npufleet-x sh -c "
    )


def start(command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["sh", "-c", remote.guarded(command)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("code", [0, 7])
def test_output_and_exit_code_pass_the_guard(code: int) -> None:
    with start(f"echo it\\'s me; exit {code}") as guarded:
        assert guarded.stdout is not None
        out = guarded.stdout.read()  # the connection stays open meanwhile
        assert (out, guarded.wait(timeout=10)) == ("it's me\n", code)


def test_what_was_started_ends_with_the_connection() -> None:
    guarded = start("sleep 61 & echo $!; wait")
    assert guarded.stdout is not None
    assert guarded.stdin is not None
    pid = guarded.stdout.readline().strip()
    assert Path(f"/proc/{pid}").exists()
    guarded.stdin.close()
    guarded.wait(timeout=10)
    deadline = time.monotonic() + 5
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not alive(pid)
    guarded.stdout.close()


def alive(pid: str) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return False
