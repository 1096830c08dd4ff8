from __future__ import annotations

from npu_agent import api, problem


def test_every_code_has_a_title() -> None:
    codes = {value for name, value in vars(api).items() if name.startswith("CODE_")}
    assert codes == set(problem.TITLES)


def test_a_refusal_reads_as_cause_and_remedy() -> None:
    error = problem.invalid("npus", "npus is missing.")
    assert str(error) == "npus is missing. Correct the field and send it again."
    assert (error.problem.status, error.problem.field) == (422, "npus")
    assert problem.guard(api.GUARD_SHM, "d", "r").problem.title == problem.GUARD_TITLE
    assert problem.docker_unreachable("refused").problem.status == 503
