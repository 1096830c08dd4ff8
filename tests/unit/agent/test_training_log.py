"""The lines are as the programs print them; only what they say has been shortened."""

from __future__ import annotations

import math

import pytest

from npu_agent import training_log
from npu_agent.training_log import Reading

MEGATRON = (
    " iteration      100/    2000 | consumed samples:         1600 | elapsed time per iteration (ms): 2500.0 |"
    " learning rate: 1.249E-06 | global batch size:    16 | lm loss: 6.234560E+00 | loss scale: 1.0 |"
    " grad norm: 4.321 | number of skipped iterations:   0 | number of nan iterations:   0 |"
)
MODELLINK = (
    " iteration  11/50000 | consumed samples: 5632 | consumed tokens:  11534336 |"
    " elapsed time per iteration (ms):  52728.1 | learning rate:    1.499E-05 | gloabl batch size:  512 |"
    " lm loss:  1.376514E+01 | loss scale:  65536.0 | grad norm:    459.628 | actual seqlen:  2048 |"
    " number of skipped iterations: 0 | number of nan iterations:   0 | samples per second: 9.710 | TFLOPs: 167.52 |"
)
DATED = (
    "[default0]: [2025-05-27 15:23:07] iteration        1/   24000 | consumed samples:         1024 |"
    " elapsed time per iteration (ms): 271607.0 | throughput per GPU (TFLOP/s/GPU): 40.4 |"
    " learning rate: 1.500000E-06 | global batch size:  1024 | lm loss: 1.192634E+01 |"
    " load_balancing_loss: 1.041994E+00 | loss scale: 1.0 | number of nan iterations:   0 |"
)
FACTORY = (
    "  2%|x         | 5/300 [00:26<25:00,  5.09s/it][INFO|2025-04-30 22:55:57] llamafactory.train.callbacks:143 >>"
    " {'loss': 1.4229, 'learning_rate': 4.9978e-05, 'epoch': 0.17, 'throughput': 1828.21}"
)
VLLM_0 = (
    "INFO 11-20 12:00:00 metrics.py:386] Avg prompt throughput: 20.3 tokens/s, Avg generation throughput: 117.1"
    " tokens/s, Running: 1 reqs, Swapped: 0 reqs, Pending: 0 reqs, GPU KV cache usage: 0.3%."
)
VLLM_1 = (
    "(APIServer pid=158) INFO 09-02 13:08:10 [loggers.py:123] Engine 000: Avg prompt throughput: 0.0 tokens/s,"
    " Avg generation throughput: 238.7 tokens/s, Running: 10 reqs, Waiting: 0 reqs"
)


def read(*lines: str) -> Reading:
    return training_log.feed(Reading(), lines)


def test_megatron() -> None:
    found = read("  seq_length ...................................... 4096", "  world_size ..... 16", MEGATRON)
    assert (found.source, found.iteration, found.iterations, found.iteration_ms) == ("megatron", 100, 2000, 2500.0)
    assert (found.loss, found.global_batch_size, found.sequence_length, found.npus) == (6.23456, 16, 4096, 16)


def test_tokens_per_second_and_npu_are_the_manuals() -> None:
    told = training_log.progress(read(MEGATRON), {"sequence_length": 4096}, 8)
    assert told is not None
    assert told.tokens_per_second_per_npu == round(16 * 4096 / (8 * 2500.0) * 1000, 2) == 3276.8
    assert told.npus == 8


def test_the_jobs_npus_count_not_the_containers() -> None:
    many = read("using world size: 16, data-parallel size: 2", MEGATRON)
    told = training_log.progress(many, {"sequence_length": 4096}, 8)
    assert (told and told.npus, told and told.tokens_per_second_per_npu) == (16, 1638.4)


def test_without_a_sequence_length_nothing_is_made_up() -> None:
    told = training_log.progress(read(MEGATRON), {}, 8)
    assert told is not None
    assert (told.tokens_per_second_per_npu, told.loss) == (None, 6.23456)


def test_modellink() -> None:
    found = read(MODELLINK)
    assert (found.iteration, found.global_batch_size, found.sequence_length) == (11, 512, 2048)
    assert (found.loss, found.iteration_ms) == (13.76514, 52728.1)
    told = training_log.progress(found, {}, 32)
    assert told is not None
    assert told.tokens_per_second_per_npu == pytest.approx(512 * 2048 / (32 * 52728.1) * 1000, abs=0.01)


def test_a_date_and_other_losses_before_it_do_not_confuse() -> None:
    found = read(DATED)
    assert (found.iteration, found.loss, found.global_batch_size) == (1, 11.92634, 1024)


def test_a_fork_that_prints_the_mean_as_well() -> None:
    assert read(MEGATRON.replace("(ms): 2500.0 |", "(ms): 2500.0/2400.0 |")).iteration_ms == 2500.0


@pytest.mark.parametrize("word", ["nan", "NaN", "inf"])
def test_a_loss_that_is_no_number_is_a_finding(word: str) -> None:
    found = read(MEGATRON.replace("6.234560E+00", word).replace("nan iterations:   0", "nan iterations:   2"))
    assert found.loss is not None
    assert not math.isfinite(found.loss)
    told = training_log.progress(found, {}, 8)
    assert told is not None
    assert told.loss is None
    assert told.findings == [f"the loss is {found.loss} at iteration 100", "2 iterations were not a number"]


def test_llama_factory() -> None:
    found = read(
        "[INFO|trainer.py:2249] 2025-06-06 23:06:18,499 >>   Total train batch size (w. parallel, distributed &"
        " accumulation) = 32",
        "[INFO|trainer.py:2251] 2025-06-06 23:06:18,500 >>   Total optimization steps = 300",
        FACTORY,
    )
    assert (found.source, found.iteration, found.iterations, found.iteration_ms) == ("trainer", 5, 300, 5090)
    assert (found.loss, found.global_batch_size, found.tokens_per_second) == (1.4229, 32, 1828.21)
    told = training_log.progress(found, {}, 4)
    assert (told and told.tokens_per_second_per_npu) == 457.05


@pytest.mark.parametrize(
    ("line", "loss", "rate"),
    [
        ("{'loss': 2.226, 'grad_norm': 5.4, 'learning_rate': 9.37e-06, 'epoch': 0.75}", 2.226, None),
        ("{'loss': '0.3605', 'grad_norm': '1.021', 'epoch': '0.129'}", 0.3605, None),
        ("{'loss': 3.2, 'train_runtime': 367.6, 'train_tokens_per_second': 82.249}", 3.2, 82.249),
        ("{'loss': nan, 'grad_norm': nan}", math.nan, None),
    ],
)
def test_the_trainers_dictionary(line: str, loss: float, rate: float | None) -> None:
    found = read(line)
    assert (str(found.loss), found.tokens_per_second) == (str(loss), rate)


def test_a_bar_of_something_else_is_no_training() -> None:
    bar = "Loading checkpoint shards:  75%|xx  | 3/4 [00:14<00:04,  4.62s/it]"
    assert read(bar) == Reading()
    assert read(FACTORY, bar).iteration == 5
    assert read(FACTORY, " 10%|x | 30/300 [01:00<10:00,  2.50it/s]").iteration_ms == 400


@pytest.mark.parametrize(("line", "rate"), [(VLLM_0, 117.1), (VLLM_1, 238.7)])
def test_vllm(line: str, rate: float) -> None:
    told = training_log.progress(read(line), {"global_batch_size": 1}, 2)
    assert told is not None
    assert (told.source, told.tokens_per_second, told.tokens_per_second_per_npu) == ("vllm", rate, round(rate / 2, 2))


@pytest.mark.parametrize("line", ["", "hello", "x" * 100_000, "iteration 1/ |" * 2000, "loss: 1.2.3.4 iteration 1/2 |"])
def test_what_says_nothing_is_nothing(line: str) -> None:
    assert training_log.progress(read(line), {}, 8) is None


def test_a_bar_goes_back_to_the_lines_start() -> None:
    assert training_log.lines_of("a\rb\r\n\nc\n") == ["a", "b", "c"]
