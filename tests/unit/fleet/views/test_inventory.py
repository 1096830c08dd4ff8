from __future__ import annotations

from npufleet.inventory_check import Finding
from npufleet.views import inventory as view
from unit.fleet.samples import make_node
from unit.fleet.terminals import draw


def test_findings_name_nodes_and_remedy_and_are_counted() -> None:
    found = [Finding("error", "x", "This is wrong.", "Do that.", tuple(f"n-{n}" for n in range(9)))]
    text = draw(view.findings(found, 9, "inventory/x"), 80)
    assert "✖ This is wrong." in text
    assert "n-4 and 4 more" in text
    assert "→ Do that." in text
    assert "9 nodes: 1 error, 0 warnings" in text
    assert "nothing amiss in inventory/x" in draw(view.findings([], 9, "inventory/x"), 80)


def test_secrets_are_not_shown() -> None:
    given = {"ansible_become_password": "x1", "registry": {"api_token": "x2", "user": "me"}, "list": [{"secret": "x3"}]}
    told = {name: view.shown(name, value) for name, value in given.items()}
    text = draw(view.detail(make_node(), told), 160)
    assert "me" in text
    assert not {"x1", "x2", "x3"} & set(text.replace('"', " ").split())


def test_listing() -> None:
    assert "lab-1  192.0.2.1:7443" in draw(view.listing([make_node()]), 80)
