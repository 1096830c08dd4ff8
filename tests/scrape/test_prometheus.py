"""/metrics as the program that it is for sees it: Debian's Prometheus, over TLS and with a bearer token."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from scrape.conftest import Running
from support.nodes import wait_until
from support.prometheus import Prometheus, prometheus, promtool

pytestmark = pytest.mark.xdist_group("scrape")  # one agent and one Prometheus for all of them

# npu-exporter's own labels, which dashboards know; promtool would like them otherwise.
CAMEL = {"node_base_info", "npu_container_info"}


@pytest.fixture(scope="module")
def server(running: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    with prometheus(running.site, tmp_path_factory.mktemp("prometheus")) as started:
        yield started


def test_it_scrapes(server: Prometheus) -> None:
    target = wait_until("a good scrape", 20, lambda: server.target() if server.target()["health"] == "up" else None)
    assert (target["scrapeUrl"][:8], target["lastError"]) == ("https://", "")
    assert server.query("up")[0][1] == 1.0
    assert server.query("scrape_samples_scraped")[0][1] > 200


def test_every_npu_is_there_by_its_physical_id(server: Prometheus) -> None:
    health = wait_until("the samples", 20, lambda: server.query("npu_chip_info_health_status"))
    assert {labels["id"]: value for labels, value in health} == {str(npu): 1.0 for npu in range(16)}
    assert "pod_name" not in health[0][0]  # Prometheus drops a label that is empty
    assert server.metadata("npu_chip_info_power")[0]["type"] == "gauge"


def test_a_value_that_is_not_known_has_no_sample(server: Prometheus) -> None:
    # The second die of a card prints "-" for its power.
    power = wait_until("the samples", 20, lambda: server.query("npu_chip_info_power"))
    assert sorted(int(labels["id"]) for labels, _ in power) == list(range(0, 16, 2))
    assert all(value == 163.6 for _, value in power)


def test_the_age_of_the_table_is_told(server: Prometheus) -> None:
    age = wait_until("the age", 20, lambda: server.query("npufleet_snapshot_age_seconds"))
    assert 0 <= age[0][1] < 5


def test_an_error_code_arrives_as_a_decimal_number(running: Running, server: Prometheus) -> None:
    running.site.fault("npu=5", "health=Alarm", "code=80E01801,80E3A203")
    found = wait_until("the code", 20, lambda: server.query("npu_chip_info_error_code"))
    assert [(labels["id"], value) for labels, value in found] == [("5", float(0x80E01801))]
    second = wait_until("the second code", 20, lambda: server.query("npu_chip_info_error_code_1"))
    assert second[0][1] == float(0x80E3A203)
    health = server.query('npu_chip_info_health_status{id="5"}')
    assert health[0][1] == 0.0


def test_samples_of_a_stale_probe_are_withdrawn(running: Running, server: Prometheus) -> None:
    assert wait_until("samples", 20, lambda: server.query("npu_chip_info_temperature"))
    running.site.fault("hang")
    wait_until("their end", 30, lambda: not server.query("npu_chip_info_temperature"))
    wait_until("the word stale", 10, lambda: server.query("npufleet_snapshot_stale == 1"))
    assert server.query("npufleet_snapshot_age_seconds")[0][1] > 1.5
    assert server.query("up")[0][1] == 1.0
    assert server.query("machine_npu_nums") == []
    running.site.fault("heal")
    assert wait_until("samples again", 30, lambda: server.query("npu_chip_info_temperature"))


def test_a_scrape_runs_no_probe(running: Running) -> None:
    running.site.fault("hang")
    wait_until("a stale view", 30, lambda: b"npufleet_snapshot_stale 1.0" in running.site.get("/metrics")[1])
    before = runs(running)
    for _ in range(50):
        assert running.site.get("/metrics")[0] == 200
    # The loop itself asked once more in this time, at most twice: its time limit is two seconds.
    assert runs(running) - before <= 2


def runs(running: Running) -> float:
    found = re.search(rb'npufleet_probe_runs_total\{question="info"\} (\S+)', running.site.get("/metrics")[1])
    assert found is not None
    return float(found[1])


def test_a_wrong_token_gets_nothing(running: Running, tmp_path: Path) -> None:
    with prometheus(running.site, tmp_path, token="npf_wrong") as server:
        assert server.target()["health"] == "down"
        assert "401" in server.target()["lastError"]


def test_promtool_has_nothing_to_say_but_of_npu_exporters_own_labels(running: Running) -> None:
    status, said = promtool(running.site.get("/metrics")[1])
    assert {line.split()[0] for line in said} <= CAMEL, said
    assert all("snake_case" in line for line in said), said
    assert status == 3  # it found these, and could read all of it
