"""/metrics: npu-exporter's names and value rules, withdrawn when they are old."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from npu_agent import api, metrics
from npu_agent.metrics import ContainerLabel, Extra, Sample
from npu_agent.snapshot import Codes
from unit.agent.fake_node import FakeNode
from unit.agent.recorded import healthy_table, read

STANDARD = {"id", "model_name", "vdie_id", "pcie_bus_info", "namespace", "pod_name", "container_name"}


@pytest.fixture
def node(tmp_path: Path) -> FakeNode:
    made = FakeNode(tmp_path)
    made.cycles(1)
    return made


def samples(body: bytes) -> dict[str, dict[str, float]]:
    """Map names to values by the label that tells samples apart."""
    found: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(body.decode()):
        for sample in family.samples:
            labels = sample.labels
            key = labels.get("id") or labels.get("npuID") or labels.get("class") or ""
            found.setdefault(sample.name, {})[key] = sample.value
    return found


def test_quantities_of_npu_exporter(node: FakeNode) -> None:
    found = samples(metrics.render(node.monitor.view()))
    assert found["machine_npu_nums"] == {"": 8}
    assert found["npu_chip_info_power"]["3"] == 93.2
    assert found["npu_chip_info_temperature"]["3"] == 47
    assert found["npu_chip_info_hbm_used_memory"]["3"] == 4096
    assert found["npu_chip_info_hbm_utilization"]["3"] == 6
    assert found["npu_chip_info_health_status"]["3"] == 1
    assert found["npu_chip_info_process_info_num"]["3"] == 0
    assert "npu_chip_info_error_code" not in found


def test_names_and_labels_are_those_of_npu_exporter(node: FakeNode) -> None:
    known = {"npu_chip_info_", "machine_", "container_npu_", "npu_container_info", "node_base_info"}
    known |= {"npufleet_", "process_"}
    for family in text_string_to_metric_families(metrics.render(node.monitor.view()).decode()):
        assert any(family.name.startswith(prefix) for prefix in known), family.name
        for sample in family.samples:
            if sample.name.startswith("npu_chip_info_") and sample.name != "npu_chip_info_name":
                assert set(sample.labels) >= STANDARD, sample.name


def test_health_is_one_zero_or_minus_one(node: FakeNode) -> None:
    node.smi.info = healthy_table(n1="Alarm", n2="UNKNOWN")
    found = samples(metrics.render(node.monitor.cycle()))
    assert [found["npu_chip_info_health_status"][npu] for npu in "012"] == [1, 0, -1]
    assert found["machine_unhealthy_npu_nums"] == {"": 1}
    assert found["machine_unknown_npu_nums"] == {"": 1}


def test_a_fault_that_came_after_the_table_counts(node: FakeNode) -> None:
    node.smi.health = {2: "80E01801"}  # the table was read before the fault, the codes after it
    view = node.monitor.cycle()
    found = samples(metrics.render(view))
    assert found["npu_chip_info_error_code"] == {"2": 0x80E01801}
    assert found["npu_chip_info_health_status"]["2"] == 0


def test_a_fault_that_is_older_than_the_table_does_not_count(node: FakeNode) -> None:
    view = node.monitor.cycle()
    seen = view.sightings[2]
    before = dataclasses.replace(seen, codes=Codes("Alarm", (), taken_at=seen.seen_at - 1))
    healed = dataclasses.replace(view, sightings={**view.sightings, 2: before})
    assert samples(metrics.render(healed))["npu_chip_info_health_status"]["2"] == 1


def test_error_codes_are_decimal_and_numbered(node: FakeNode) -> None:
    node.smi.info, node.smi.health = healthy_table(n5="Alarm"), {5: "80E01801 80E3A203"}
    found = samples(metrics.render(node.monitor.cycle()))
    assert found["npu_chip_info_error_code"] == {"5": 0x80E01801}
    assert found["npu_chip_info_error_code_1"] == {"5": 0x80E3A203}


def test_what_is_not_known_has_no_sample(node: FakeNode) -> None:
    node.smi.info = healthy_table().replace("| 93.2        47", "| -           4#", 1)
    found = samples(metrics.render(node.monitor.cycle()))
    assert set(found["npu_chip_info_power"]) == set("1234567")
    assert set(found["npu_chip_info_temperature"]) == set("1234567")


def test_old_samples_are_withdrawn(node: FakeNode) -> None:
    node.wait(60)
    found = samples(metrics.render(node.monitor.view()))
    assert not [name for name in found if not name.startswith(("npufleet_", "process_"))]
    assert found["npufleet_snapshot_stale"] == {"": 1}
    assert found["npufleet_ready"] == {"": 0}


def test_plain_docker_containers_are_named(node: FakeNode) -> None:
    node.smi.info = read("info/910B3_8cards_busy_23.0.7.txt")
    one, two = ContainerLabel("abc", "train"), ContainerLabel("def", "serve")
    body = metrics.render(node.monitor.cycle(), Extra(containers={0: [one], 1: [one, two]})).decode()
    assert 'container_npu_used_memory{container_name="train",id="0"' in body
    assert 'container_id="abc",container_name="train",id="0"' in body
    assert 'container_name="not_displayed_for_multi_pod",id="1"' in body
    assert samples(body.encode())["container_npu_used_memory"] == {"0": 61958}


def test_other_gauges_join(node: FakeNode) -> None:
    others = [Sample("npufleet_lease", "leases", 1, {"npu": str(npu), "workload": "a"}) for npu in (0, 1)]
    body = metrics.render(node.monitor.view(), Extra(samples=others)).decode()
    assert body.count('npufleet_lease{npu="') == 2
    assert body.count("# TYPE npufleet_lease gauge") == 1


def test_the_age_is_written_at_every_scrape(node: FakeNode) -> None:
    view = node.monitor.view()
    body = metrics.render(view) + metrics.age_lines(view.age_s(node.clock.monotonic() + 2))
    assert samples(body)["npufleet_snapshot_age_seconds"][""] > 2
    assert metrics.age_lines(None) == b""


def test_errors_are_counted_by_class(node: FakeNode) -> None:
    node.smi.hang()
    node.cycles(2)
    assert samples(metrics.render(node.monitor.view()))["npufleet_probe_errors_total"] == {"timeout": 2}


def test_answers_beside_the_table_are_served(node: FakeNode) -> None:
    node.smi.mute = "\tHBM Double Bit Error Count               : 2\n\tHBM Temperature(C)             : 52\n"
    node.cycles(40)
    found = samples(metrics.render(node.monitor.view()))
    assert found["npu_chip_info_hbm_ecc_double_bit_error_cnt"]["3"] == 2
    assert found["npu_chip_info_hbm_temperature"]["7"] == 52
    assert "npu_chip_info_hbm_bandwidth_utilization" not in found


def test_who_holds_an_npu_and_what_is_to_be_done_are_told(node: FakeNode) -> None:
    node.smi.info = healthy_table(n5="Alarm")
    node.cycles(3)
    view = node.monitor.view().with_holders({5: api.Holder("container", "stranger")})
    body = metrics.render(view).decode()
    assert 'npufleet_npu_holder{kind="container",name="stranger",npu="5"} 1.0' in body
    assert 'npufleet_component_action{action="' in body
    assert 'component="npu/5"} 1.0' in body
    assert 'component="npu/4"} 1.0' not in body


def test_a_counter_of_others_is_served_as_one(node: FakeNode) -> None:
    body = metrics.render(node.monitor.view(), Extra(samples=[Sample("npufleet_x", "x", 3, counter=True)])).decode()
    assert "# TYPE npufleet_x_total counter" in body
    assert "npufleet_x_total 3.0" in body


def test_what_the_agent_costs_is_told(node: FakeNode) -> None:
    found = samples(metrics.render(node.monitor.view()))
    assert found["process_resident_memory_bytes"][""] > 1e6
    assert found["process_cpu_seconds_total"][""] > 0
