"""npu-exporter's names, labels and units, held against the table of them that this repository keeps."""

from __future__ import annotations

import csv
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from npu_agent import quantities
from support.repo import ROOT

CHIP = ",".join(quantities.CHIP_LABELS)


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("metrics_page", ROOT / "scripts/metrics_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def is_own(name: str) -> bool:
    return name.startswith(("npufleet_", "process_"))


def test_exactly_what_the_table_says_is_served(script: ModuleType) -> None:
    served = {row["name"] for row in script.rows() if row["served"] == "yes"}
    assert {name for name in script.families() if not is_own(name)} == served
    assert len(served) > 40


def test_labels_and_types_are_those_of_npu_exporter(script: ModuleType) -> None:
    table = {row["name"]: row for row in script.rows() if row["served"] == "yes"}
    for name, family in script.families().items():
        if not is_own(name):
            assert family.type == "gauge", name
            assert script.labels_of(family) == sorted(filter(None, table[name]["labels"].split(","))), name


def test_units_and_sources_are_those_of_the_table(script: ModuleType) -> None:
    table = {(row["name"], row["labels"]): (row["unit"], row["source"]) for row in script.rows()}
    for quantity in quantities.QUANTITIES:
        assert table[quantity.name, CHIP] == (quantity.unit, quantity.source), quantity.name


def test_what_is_not_served_has_a_reason(script: ModuleType) -> None:
    assert {row["source"] for row in script.rows() if row["served"] == "no"} == set(script.REASONS)


def test_the_page_is_fresh(script: ModuleType) -> None:
    message = "docs/reference/metrics.md is old: run scripts/metrics_page.py"
    assert script.PAGE.read_text(encoding="utf-8") == script.page(), message


def facts() -> Path | None:
    """The list that the table was made from, where somebody keeps it beside the checkout."""
    found = (folder / "shared/reference/npu_exporter_metrics.tsv" for folder in ROOT.parents)
    return next((path for path in found if path.is_file()), None)


def test_the_table_has_every_metric_with_its_labels(script: ModuleType) -> None:
    table = {(row["name"], row["labels"]) for row in script.rows()}
    path = facts()
    if path is not None:
        with path.open(encoding="utf-8") as file:
            known = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            listed = {(row["name"], row["labels"].strip("-")) for row in known if not row["name"].startswith("<")}
        assert table == listed
    assert len(table) > 250
