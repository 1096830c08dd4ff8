from __future__ import annotations

import dataclasses
import json
import threading
from pathlib import Path

import pytest
import requests
import yaml

from npufleet import discovery
from npufleet.inventory import Inventory
from npufleet.pki import Credentials, derive_token
from unit.fleet.samples import make_node

SECRET = "ab" * 32


@pytest.fixture
def inventory() -> Inventory:
    second = dataclasses.replace(make_node("n-2", "fd00::2"), groups=("npu_nodes", "rack_a"))
    return Inventory(Path("inventory/x"), (make_node("n-1", "10.0.0.1"), second))


def test_targets(inventory: Inventory, tmp_path: Path) -> None:
    discovery.write_targets(inventory, tmp_path / "t.json")
    assert json.loads((tmp_path / "t.json").read_text()) == [
        {"targets": ["10.0.0.1:7443"], "labels": {"node": "n-1", "__meta_npufleet_groups": ""}},
        {"targets": ["[fd00::2]:7443"], "labels": {"node": "n-2", "__meta_npufleet_groups": ",rack_a,"}},
    ]


def test_scrape_config_has_every_nodes_own_token_and_name(inventory: Inventory, tmp_path: Path) -> None:
    (tmp_path / "tokens").mkdir()
    (tmp_path / "tokens/gone").touch()
    path = discovery.write_scrape_config(inventory, Credentials(Path("/ca.crt"), SECRET), tmp_path)
    jobs = yaml.safe_load(path.read_text())["scrape_configs"]
    assert [job["tls_config"]["server_name"] for job in jobs] == ["n-1", "n-2"]
    token = Path(jobs[1]["authorization"]["credentials_file"])
    assert token.read_text() == derive_token(SECRET, "view", "n-2")
    assert (token.stat().st_mode & 0o777, token.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert SECRET not in path.read_text()
    assert not (tmp_path / "tokens/gone").exists()


def test_http_sd_never_answers_with_an_empty_fleet(inventory: Inventory) -> None:
    fleets = [inventory]  # the second time there is none to be had
    with discovery.make_server(("127.0.0.1", 0), lambda: discovery.targets(fleets.pop())) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/"
        first, second = requests.get(url, timeout=5), requests.get(url, timeout=5)
        server.shutdown()
    assert first.json()[0]["targets"] == ["10.0.0.1:7443"]
    assert first.headers["content-type"] == "application/json"
    assert second.status_code == 503
