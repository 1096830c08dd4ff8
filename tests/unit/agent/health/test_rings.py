"""A reset is never of one NPU alone where its chips are wired to a ring."""

from __future__ import annotations

from npu_agent import api
from npu_agent.health import rings
from npu_agent.health.rules import shipped

JOB = api.Holder("workload", "train-a")


def advised(npus: list[api.Npu], action: str = "reset-npu", name: str = "npu/2") -> api.Component:
    component = api.Component(name, api.UNHEALTHY, "x", action)
    return rings.advise([component], npus, shipped())[0]


def eight(name: str = "910B3", **holders: api.Holder) -> list[api.Npu]:
    return [api.Npu(n, card=n, chip=0, name=name, holder=holders.get(f"n{n}")) for n in range(8)]


def test_a_training_board_resets_all_eight_and_names_whom_it_hits() -> None:
    found = advised(eight(n0=JOB, n1=JOB, n7=api.Holder("container", "vllm")))
    assert found.resets == list(range(8))
    assert found.hits == ["container vllm", "workload train-a"]
    assert found.advice == "resetting NPU 2 resets all 8; it would hit container vllm, workload train-a"


def test_the_first_generation_resets_four() -> None:
    found = advised(eight("910A", n5=JOB))
    assert found.resets == [0, 1, 2, 3]
    assert found.hits == []
    assert found.advice == "resetting NPU 2 resets 0, 1, 2, 3; nobody is known to use what it resets"


def test_two_chips_of_a_card_go_together() -> None:
    npus = [api.Npu(n, card=n // 2, chip=n % 2, name="Ascend910", holder=JOB if n == 3 else None) for n in range(16)]
    found = advised(npus, "reset-npu-when-idle")
    assert (found.resets, found.hits) == ([2, 3], ["workload train-a"])


def test_a_chip_without_a_ring_is_reset_alone_and_an_unknown_one_is_not_guessed() -> None:
    assert advised(eight("310P3")).advice.startswith("resetting NPU 2 resets no other NPU")
    unknown = advised(eight("Ascend999"))
    assert (unknown.resets, unknown.advice) == (
        [],
        "resetting NPU 2 may take other NPUs along: the ring of this chip is not known",
    )


def test_a_chip_that_tells_no_name_is_like_the_others_of_the_node() -> None:
    npus = [api.Npu(2, card=2) if npu.npu == 2 else npu for npu in eight()]
    assert advised(npus).resets == list(range(8))


def test_other_actions_need_no_such_advice() -> None:
    assert advised(eight(), "restart-workload").advice == ""
    assert advised(eight(), "reset-npu", "npu/9").advice == ""
    assert advised(eight(), "reboot-node", "driver").advice == ""
