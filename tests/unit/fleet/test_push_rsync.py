from __future__ import annotations

from pathlib import Path

import pytest

from npufleet import push_rsync, run
from npufleet.push_remote import Shell
from unit.fleet.samples import make_node

STATS = "  1,000 100%  0.00kB/s\r\nTotal file size: 5,000,000 bytes\nLiteral data: 1,400 bytes\n"


@pytest.mark.parametrize(("said", "sent"), [(STATS, 1400), ("Literal data: 0 bytes\n", 0), ("", 0)])
def test_what_went_over_the_network_is_read_from_its_own_count(said: str, sent: int) -> None:
    assert push_rsync.literal_bytes(run.Output(0, said, "")) == sent


def test_it_uses_the_same_ssh_as_everything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def follow(command: list[str], _text: bytes, _told: object) -> run.Output:
        asked.append(command)
        return run.Output(0, "", "")

    monkeypatch.setattr(run, "follow", follow)
    shell = Shell(make_node(), Path("/run/sockets"))
    push_rsync.update(shell, Path("/a/b"), "/data/it's b", lambda: None)
    command = asked[0]
    assert command[command.index("--rsh") + 1].startswith("ssh -o BatchMode=yes")
    assert command[-2:] == ["/a/b", f"{shell.target}:/data/it's b.npufleet-part"]


def test_names_fit_on_a_line() -> None:
    assert [len(share) for share in push_rsync.shares(list(range(401)))] == [200, 200, 1]
