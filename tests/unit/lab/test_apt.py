"""Reading the machine's own apt configuration, as apt itself prints it."""

from __future__ import annotations

import pytest

from npufleet_lab.apt import Source, choose_debian, download_options, parse_sources
from npufleet_lab.errors import LabError

PRINTED = """\
http://mirror.example/debian/|bookworm|main|Debian|/usr/share/keyrings/debian-archive-keyring.gpg
http://mirror.example/debian/|bookworm-updates|main|Debian|$(SIGNED_BY)
http://mirror.example/debian-security/|bookworm-security|main|Debian|$(SIGNED_BY)
https://download.vendor.example/linux/debian/|bookworm|stable|Docker|/etc/apt/keyrings/vendor.asc
https://packages.vendor.example/apt/|bookworm|main|Vendor|$(SIGNED_BY)
"""


def test_the_debian_source_is_found_among_others() -> None:
    chosen = choose_debian(parse_sources(PRINTED))
    assert chosen.uri == "http://mirror.example/debian/"
    key = "/usr/share/keyrings/debian-archive-keyring.gpg"
    assert chosen.line() == f"deb [signed-by={key}] http://mirror.example/debian/ bookworm main"


def test_a_source_without_a_key_of_its_own_needs_no_option() -> None:
    assert Source("http://m/debian/", "bookworm", "main", "Debian").line() == "deb http://m/debian/ bookworm main"


def test_a_source_whose_release_file_was_not_read_yet_will_do() -> None:
    unread = parse_sources("http://m/debian/|bookworm|main|$(ORIGIN)|$(SIGNED_BY)\n")
    assert choose_debian(unread).uri == "http://m/debian/"
    # ... but one that is known to be Debian's is preferred.
    assert choose_debian(unread + parse_sources(PRINTED)).uri == "http://mirror.example/debian/"


@pytest.mark.parametrize(
    "printed",
    ["", "https://packages.vendor.example/apt/|bookworm|main|Vendor|\n", "http://m/ubuntu/|noble|main|Ubuntu|\n"],
)
def test_a_machine_without_debian_is_told_what_to_do(printed: str) -> None:
    with pytest.raises(LabError, match="no Debian bookworm") as caught:
        choose_debian(parse_sources(printed))
    assert "Debian 12" in caught.value.remedy


def test_the_same_source_twice_is_one() -> None:
    assert len(parse_sources(PRINTED + PRINTED)) == 5


def test_download_options_are_those_about_downloading() -> None:
    dump = """\
APT::Architecture "amd64";
Acquire::Check-Valid-Until "false";
Acquire::http::Proxy "http://proxy.example:3128/";
Acquire::https::CAInfo "/etc/ssl/own-ca.pem";
Acquire::Languages:: "none";
Acquire::IndexTargets::deb::Packages::Optional "0";
DPkg::Pre-Install-Pkgs:: "/usr/sbin/dpkg-preconfigure --apt || true";
"""
    assert download_options(dump).splitlines() == [
        'Acquire::Check-Valid-Until "false";',
        'Acquire::http::Proxy "http://proxy.example:3128/";',
        'Acquire::https::CAInfo "/etc/ssl/own-ca.pem";',
        'Acquire::Languages:: "none";',
    ]
