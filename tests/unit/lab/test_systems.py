"""Several systems share one image and differ in what they say."""

from __future__ import annotations

import pytest

from npufleet_lab import systems
from npufleet_lab.files import FileSet


def test_there_are_as_many_images_as_package_kinds() -> None:
    assert systems.IMAGES == ("debian12", "hce2")
    assert {name: systems.image_of(name) for name in systems.SYSTEMS} == {
        "debian12": "debian12",
        "ubuntu22.04": "debian12",
        "hce2": "hce2",
        "openeuler22.03": "hce2",
        "euleros2.10": "hce2",
    }


@pytest.mark.parametrize("name", ["debian12", "hce2"])
def test_an_image_is_what_it_is(name: str) -> None:
    files = FileSet()
    systems.add(files, name)
    assert files.paths() == []


@pytest.mark.parametrize(
    ("name", "identity"),
    [("ubuntu22.04", "ID=ubuntu"), ("openeuler22.03", 'ID="openEuler"'), ("euleros2.10", 'ID="euleros"')],
)
def test_a_variant_says_its_name_in_both_places(name: str, identity: str) -> None:
    files = FileSet()
    systems.add(files, name)
    for path in ("/etc/os-release", "/usr/lib/os-release"):
        assert identity in files.content(path).decode().splitlines()


def test_euleros_has_yum_only() -> None:
    files = FileSet()
    systems.add(files, "euleros2.10")
    assert "/usr/bin/yum" in files.paths()
    assert b"no dnf" in files.content("/usr/bin/dnf")
