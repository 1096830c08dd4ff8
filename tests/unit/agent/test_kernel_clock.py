from __future__ import annotations

from npu_agent import kernel_clock


def test_the_kernel_answers_and_an_error_goes_with_a_clock_that_somebody_keeps() -> None:
    found = kernel_clock.read()
    assert found is not None
    assert (found.error_s is not None) == found.synchronised
    assert found.error_s is None or 0 <= found.error_s < 60
