from __future__ import annotations

from typing import Any

import pytest

from unit.plugins.loading import load

amiss = load("filter/npufleet_amiss.py")


@pytest.mark.parametrize(
    ("result", "says"),
    [
        ({"msg": "n1: the rules\n are gone. "}, "n1: the rules are gone."),
        ({"msg": "", "stderr": "no such file"}, "no such file"),
        ({}, "no reason was given"),
        (
            {"msg": "One or more items failed", "results": [{"msg": "fine"}, {"failed": True, "msg": "not refused"}]},
            "not refused",
        ),
    ],
)
def test_reason(result: dict[str, Any], says: str) -> None:
    assert amiss.npufleet_reason(result) == says
