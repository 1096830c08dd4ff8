from __future__ import annotations

import os
import socket
from typing import Any

import pytest

from npu_agent.http import peer


class FakeTransport:
    def __init__(self, **known: Any) -> None:
        self._known = known

    def get_extra_info(self, name: str) -> Any:
        return self._known.get(name)


def test_a_local_process_is_known_by_the_kernels_word() -> None:
    here, there = socket.socketpair()
    with here, there:
        found = peer.of_transport(FakeTransport(socket=here))  # type: ignore[arg-type]  # the part that is asked
    assert (found.uid, found.pid) == (os.geteuid(), os.getpid())
    assert f"pid {os.getpid()}" in found.words()


def test_a_certificates_common_name_is_its_owners() -> None:
    subject = ((("countryName", "CN"),), (("commonName", "alice"),))
    found = peer.of_transport(FakeTransport(peercert={"subject": subject}))  # type: ignore[arg-type]  # see above
    assert found.certificate == "alice"


def test_nobody_is_vouched_for_without_one() -> None:
    assert peer.of_transport(FakeTransport()) == peer.NOBODY_KNOWN  # type: ignore[arg-type]  # see above
    assert peer.of_scope({}) == peer.NOBODY_KNOWN


def test_others_than_root_are_not_root() -> None:
    assert not peer.Peer(uid=os.geteuid() + 4711).is_root
    assert peer.Peer(uid=0).is_root


@pytest.mark.parametrize(
    ("host", "whole"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:1", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
        ("not:an:address", "not:an:address"),
    ],
)
def test_a_client_is_an_address_or_the_network_that_one_machine_has(host: str, whole: str) -> None:
    assert peer.neighbourhood(host) == whole
