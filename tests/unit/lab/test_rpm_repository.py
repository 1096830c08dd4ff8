"""The RPM packages that the lab serves: the names that the distributions give the engine."""

from __future__ import annotations

from npufleet_lab import rpm_repository

PACKAGES = {package.name: package for package in rpm_repository.packages(("/usr/lib/x86_64-linux-gnu/libx.so.1",))}


def test_both_families_of_names_are_there() -> None:
    assert set(PACKAGES) == {"docker", "docker-engine", "docker-engine-selinux", "docker-runc"}


def test_each_way_brings_a_whole_engine() -> None:
    needed = {
        "/usr/bin/docker",
        "/usr/bin/dockerd",
        "/usr/bin/containerd",
        "/usr/bin/runc",
        "/usr/lib/x86_64-linux-gnu/libx.so.1",
    }
    assert needed <= set(PACKAGES["docker"].contents)
    assert needed <= set(PACKAGES["docker-engine"].contents + PACKAGES["docker-runc"].contents)


def test_the_two_ways_exclude_each_other() -> None:
    assert "Conflicts: docker" in PACKAGES["docker-engine"].tags
    assert "Conflicts: docker-engine" in PACKAGES["docker"].tags
