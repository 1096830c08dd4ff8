"""Who has an NPU open, from the driver's own files."""

from __future__ import annotations

from npu_agent.probe import uda

UDEVICE = """\
udevid 0 type(davinci, entity, near, real) status 'ready, sia' added_udevid 0 chip_type cloud_v2
        has os device
        has used by container, ns id 3

udevid 1 type(davinci, entity, near, real) status 'ready, sia' added_udevid 1 chip_type cloud_v2
        has os device
        shared dev used by ns id: 3 4

udevid 2 type(davinci, entity, near, real) status 'ready, sia' added_udevid 2 chip_type cloud_v2
        has os device

udevid 100 type(davinci, entity, near, real) status 'ready, mia' added_udevid 100 chip_type cloud_v2
        has used by container, ns id 5
        mia para: phy_devid 2 sub_devid 1

"""
NAMESPACES = """\
ns_id 3 identify 1f root_tgid 4711 dev_num 1 namespace 00000000deadbeef, udev list:
logic_devid udevid
       0        0


ns_id 4 identify 20 root_tgid 4712 dev_num 1 namespace 00000000deadbef0(#), udev list:
logic_devid udevid
       0        1


"""


def test_users_of_each_npu() -> None:
    assert uda.parse_udevice(UDEVICE) == {0: (3,), 1: (3, 4), 2: (5,)}
    assert uda.parse_udevice("cat: /proc/uda/udevice: Permission denied") == {}


def test_the_process_at_the_root_of_each_namespace() -> None:
    namespaces = uda.parse_namespaces(NAMESPACES)
    assert namespaces == {3: 4711, 4: 4712}
    # Namespace 5 is not listed: then nobody is named, rather than somebody guessed.
    assert uda.roots(uda.parse_udevice(UDEVICE), namespaces) == {0: (4711,), 1: (4711, 4712)}


def test_a_namespace_that_is_listed_twice_is_nobodys() -> None:
    assert uda.parse_namespaces(NAMESPACES + NAMESPACES) == {}
    assert uda.parse_namespaces("ns_id 3 identify 1f root_tgid 0 dev_num 0 namespace 0, udev list:") == {}
