from __future__ import annotations

import html
import json
import re
from html.parser import HTMLParser
from typing import Any, Optional

import pytest

from npu_agent.config import Policy
from npu_agent.http import docs, openapi
from npu_agent.http.app import ENDPOINTS
from unit.agent.http.client import Api

PAGE = docs.page(openapi.document(ENDPOINTS))


class Reader(HTMLParser):
    """Checks that tags are closed in order, and notes links, ids and everything that would be loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, Optional[str]]]) -> None:
        found = {key: value or "" for key, value in attributes}
        self.tags.add(tag)
        self.ids += [found["id"]] if "id" in found else []
        self.links += [found["href"]] if "href" in found else []
        assert "src" not in found
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def read() -> Reader:
    reader = Reader()
    reader.feed(PAGE)
    reader.close()
    return reader


def commands(name: str) -> str:
    found = re.search(rf'<pre id="try-{name}">(.*?)</pre>', PAGE, re.DOTALL)
    assert found is not None
    return html.unescape(found.group(1))


def test_it_is_whole_and_loads_nothing() -> None:
    page = read()
    assert page.open == []
    assert not page.tags & {"script", "img", "link", "iframe", "form"}
    assert not re.search(r"@[a-z]+@", PAGE)
    assert len(page.ids) == len(set(page.ids))
    for link in page.links:
        assert link == "/openapi.json" or (link.startswith("#") and link[1:] in page.ids), link


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_every_operation_is_told(endpoint: Any) -> None:
    assert f'<h3 id="{endpoint.name}"><code>{endpoint.method} {html.escape(endpoint.path)}</code></h3>' in PAGE


@pytest.mark.parametrize("key", ["npus", "mounts[].source", "probe.stalled_after_s", "restart.budget"])
def test_every_key_of_a_spec_is_told(key: str) -> None:
    assert f"<code>{key}</code>" in PAGE


def test_what_it_says_to_send_is_accepted_as_it_stands(agent: Api) -> None:
    document = json.loads(commands("spec").partition("'END'\n")[2].rpartition("END")[0])
    agent.bench.engine.images.add(document["image"])
    source = agent.bench.folder / "data"
    source.mkdir()
    agent.bench.policy = Policy(mount_roots=(str(agent.bench.folder),))
    document["mounts"][0]["source"] = str(source)  # /data is not on every machine
    address = commands("start").split("$NODE")[1].strip()
    assert agent.ask("PUT", address, json=document).status_code == 201
    for name in ("watch", "logs", "events"):
        path = commands(name).split("$NODE")[1].strip().strip('"')
        assert agent.ask("GET", path).status_code == 200, path
    path = commands("stop").split("$NODE")[1].strip().strip('"')
    assert agent.ask("DELETE", path).json()["state"] == "removed"


def test_it_is_served_to_everybody_and_forbids_everything_else(agent: Api) -> None:
    answer = agent.outside.get("/docs")
    assert (answer.status_code, answer.text) == (200, PAGE)
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
