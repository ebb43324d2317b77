"""Running out of memory changes the micro-batch, and no result."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from data.task.task import ForecastTask
from tests.trainables.trial.toy_trial import (
    CPU,
    HYPER,
    Toy,
    assert_close,
    gradients,
    run,
    spec_in,
)
from trainables.base import check_hyper
from trainables.device.memory import FallBack, MicroBatch
from trainables.errors import HyperError
from trainables.trial.trial import Trial


@pytest.mark.parametrize("size", [1, 5, 8, 100])
def test_the_gradient_of_micro_batches_is_that_of_the_whole_batch(size: int, task: ForecastTask) -> None:
    """16 windows cut into 16, into 5 + 5 + 5 + 1, into 8 + 8, or not at all; expected is autograd on all at once."""
    training, found = gradients(task, size)
    reference = Toy()
    reference.build(check_hyper(Toy, HYPER), task)
    reference.loss(task.gather("train").batch(training._window_ids(0))).mean().backward()
    assert found.keys() == {"body.weight", "body.bias", "head.weight", "head.bias"}
    for name, parameter in reference.module.named_parameters():
        torch.testing.assert_close(found[name], parameter.grad, rtol=1e-5, atol=1e-7)


def test_a_micro_batch_of_the_hyperparameters_changes_the_work_and_not_the_result(
    task: ForecastTask, tmp_path: Path
) -> None:
    whole = run(Trial(Toy(), spec_in(tmp_path, "t0000"), task, CPU))
    Toy.loss_sizes.clear()
    cut = run(Trial(Toy(), spec_in(tmp_path, "t0001", micro_batch_size=6), task, CPU))
    assert Toy.loss_sizes[:3] == [6, 6, 4]
    assert_close(cut, whole, rel=1e-4)


def test_running_out_of_memory_halves_the_micro_batch_and_changes_no_result(task: ForecastTask, tmp_path: Path) -> None:
    expected = run(Trial(Toy(), spec_in(tmp_path / "roomy"), task, CPU))
    Toy.loss_sizes.clear()
    Toy.fits = 4
    trial = Trial(Toy(), spec_in(tmp_path / "tight"), task, CPU)
    found = run(trial)
    assert trial.training.micro_batch.size == 4  # 16, 8, 4
    assert max(Toy.loss_sizes) == 4
    assert trial.eval_batch.size == 4  # 256, 128, ..., 4
    assert_close(found, expected, rel=1e-4)


def test_a_resumed_trial_remembers_which_micro_batch_fits(task: ForecastTask, tmp_path: Path) -> None:
    Toy.fits = 4
    run(Trial(Toy(), spec_in(tmp_path), task, CPU), 2)
    assert Trial(Toy(), spec_in(tmp_path, reported_epoch=1), task, CPU).training.micro_batch.size == 4


def test_later_trials_begin_with_the_micro_batch_that_fitted(task: ForecastTask, tmp_path: Path) -> None:
    Toy.fits = 4
    run(Trial(Toy(), spec_in(tmp_path, "t0000"), task, CPU), 2)
    later = Trial(Toy(), spec_in(tmp_path, "t0001", batch_size=12), task, CPU)
    assert later.training.micro_batch.size == 4
    smaller = Trial(Toy(), spec_in(tmp_path, "t0002", batch_size=2), task, CPU)
    assert smaller.training.micro_batch.size == 2
    other_model = Trial(Toy(), spec_in(tmp_path, "t0003", start=1), task, CPU)
    assert other_model.training.micro_batch.size == 16


@pytest.mark.parametrize("content", ["", "junk", "-3"])
def test_a_damaged_size_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "size").write_text(content)
    assert MicroBatch(8, tmp_path / "size").size == (1 if content == "-3" else 8)


def test_memory_of_the_host_that_runs_out_halves_it_too() -> None:
    """PyTorch's own error, for more than any machine has."""
    tried: list[int] = []

    def work(size: int) -> str:
        tried.append(size)
        if size == 4:
            torch.empty(10**16)
        if size == 2:
            raise MemoryError
        return "done"

    assert MicroBatch(4).attempt(work) == "done"
    assert tried == [4, 2, 1]


def test_one_window_that_does_not_fit_into_the_host_gets_a_remedy_for_it() -> None:
    with pytest.raises(HyperError, match=r"DefaultCPUAllocator: can't allocate memory.*--max-concurrent"):
        MicroBatch(1).attempt(lambda size: torch.empty(10**16))


def test_one_window_that_does_not_fit_is_reported_with_the_remedy(task: ForecastTask, tmp_path: Path) -> None:
    trial = Trial(Toy(), spec_in(tmp_path), task, CPU)
    trial.step()
    Toy.fits = 0
    with pytest.raises(HyperError, match="one window must fit into memory, and it does not") as caught:
        trial.step()
    assert "shorten --context-length" in str(caught.value)


def test_a_micro_batch_halves_until_the_work_fits() -> None:
    tried: list[int] = []

    def work(size: int) -> str:
        tried.append(size)
        if size > 2:
            raise torch.OutOfMemoryError("full")
        return "done"

    micro_batch = MicroBatch(10)
    assert micro_batch.attempt(work) == "done"
    assert tried == [10, 5, 2]
    assert micro_batch.size == 2
    assert micro_batch.attempt(work) == "done"
    assert tried == [10, 5, 2, 2]  # it stays small


def test_an_error_that_is_not_about_memory_is_not_tried_again() -> None:
    tried: list[int] = []

    def work(size: int) -> None:
        tried.append(size)
        raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        MicroBatch(8).attempt(work)
    assert tried == [8]


# --- what is done where not even one window fits


def test_where_one_window_does_not_fit_the_trial_saves_memory_and_its_row_has_it(
    task: ForecastTask, tmp_path: Path
) -> None:
    expected = run(Trial(Toy(), spec_in(tmp_path / "roomy"), task, CPU))
    Toy.saves = 1
    trial = Trial(Toy(), spec_in(tmp_path / "tight"), task, CPU)
    reports = [trial.step()]
    Toy.fits = 0
    reports += run(trial)
    assert [r.fall_backs for r in reports] == [None, *["gradient checkpointing"] * 3]
    assert [r.micro_batch_size for r in reports] == [16, 1, 1, 1]
    assert_close(reports, expected, rel=1e-4)


def test_what_was_needed_is_done_at_once_by_later_trials_and_on_resume(task: ForecastTask, tmp_path: Path) -> None:
    Toy.saves = 1
    trial = Trial(Toy(), spec_in(tmp_path, "t0000"), task, CPU)
    trial.step()
    Toy.fits = 0
    trial.step()
    Toy.fits = 0
    later = Trial(Toy(), spec_in(tmp_path, "t0001"), task, CPU)
    assert later.training.micro_batch.taken == ["gradient checkpointing"]
    assert Toy.fits == 1
    for file in (tmp_path / "shared").glob("micro_batch_*"):
        file.unlink()
    resumed = Trial(Toy(), spec_in(tmp_path, "t0000", reported_epoch=1), task, CPU)
    assert resumed.training.micro_batch.taken == ["gradient checkpointing"]


def test_fall_backs_are_done_in_their_order_and_those_that_cannot_be_had_are_left_out() -> None:
    needed = {"one", "three"}

    def work(size: int) -> str:
        if needed:
            raise torch.OutOfMemoryError("full")
        return "done"

    def fall_back(name: str, is_there: bool = True) -> FallBack:
        return FallBack(name, lambda: is_there and (needed.discard(name), True)[1])

    micro_batch = MicroBatch(2)
    micro_batch.offer([fall_back("one"), fall_back("two", False), fall_back("three"), fall_back("four")])
    assert micro_batch.attempt(work) == "done"
    assert micro_batch.taken == ["one", "three"]


def test_what_was_tried_is_in_the_message_where_all_is_in_vain(task: ForecastTask, tmp_path: Path) -> None:
    Toy.saves = 0
    trial = Trial(Toy(), spec_in(tmp_path), task, CPU)
    trial.step()
    Toy.fits = 0
    with pytest.raises(HyperError) as caught:
        trial.step()
    assert str(caught.value) == (
        "one window must fit into memory, and it does not with gradient checkpointing (the toy's memory is full); "
        "shorten --context-length, now 8, or take a smaller model, or raise --gpu-memory"
    )
