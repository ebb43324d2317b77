"""What a space can propose: all that a trial would reject is rejected before, and what does little is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.errors import UserError
from tests.paths import TOYS
from tune.planning.plan import plan_sweep
from tune.planning.request import SweepRequest, check_request

# quickstart on its sample: 1000 training windows, epochs 2 to 8, batch sizes 16 to 64, 16 steps an epoch at 64
NO_WARMUP = {"warmup_steps": "0"}


def notes_of(space: str = "quickstart", **request: object) -> str:
    return "\n".join(plan_sweep(check_request(SweepRequest(space=space, **request))).notes)  # type: ignore[arg-type]


@pytest.mark.parametrize("space", ["quickstart", "time-moe-quickstart"])
def test_a_shipped_quickstart_needs_no_warning(space: str) -> None:
    assert notes_of(space) == ""


@pytest.mark.parametrize(("evaluations", "rejected"), [(16, False), (17, True), (1000, True)])
def test_evaluations_are_checked_against_the_largest_batch(evaluations: int, rejected: bool) -> None:
    request = SweepRequest(evals_per_epoch=evaluations, set=NO_WARMUP)
    if not rejected:
        plan_sweep(check_request(request))
        return
    with pytest.raises(UserError, match="must be at most the 16 optimiser steps"):
        plan_sweep(check_request(request))


def test_two_domains_are_checked_together_wherever_their_ends_are_listed() -> None:
    # 200 windows are 4 steps of 64 and 25 of 8: five evaluations go with one of the two alone
    small = {"max_windows": 200}
    domains = {**NO_WARMUP, "batch_size": "choice:64,8", "evals_per_epoch": "choice:1,5"}
    with pytest.raises(UserError, match=r"at most the 4 optimiser steps of an epoch \(200 windows, batch_size 64\)"):
        plan_sweep(check_request(SweepRequest(task=small, set=domains)))
    plan_sweep(check_request(SweepRequest(task=small, set={**domains, "evals_per_epoch": "choice:1,4"})))


def test_a_rule_between_two_values_is_checked_over_the_whole_space() -> None:
    # a floor of 1e-5 is above some rates of log:5e-6:1e-4 alone
    with pytest.raises(UserError, match="min_learning_rate must be at most lr, got 1e-05 and lr 5e-06"):
        plan_sweep(check_request(SweepRequest(set={"min_learning_rate": "log:1e-6:1e-5"})))


def test_sequences_of_a_model_are_checked_against_its_positions() -> None:
    with pytest.raises(UserError, match="max_length must be at most"):
        plan_sweep(check_request(SweepRequest(space="time-moe-quickstart", set={"max_length": "choice:128,100000"})))


@pytest.mark.parametrize(("steps", "warned"), [("32", False), ("33", True), ("int:0:5000", True)])
def test_a_warm_up_that_outlasts_the_shortest_training_is_named(steps: str, warned: bool) -> None:
    notes = notes_of(set={"warmup_steps": steps})  # 2 epochs of 16 steps at batch 64
    assert ("longer than the whole training with epochs 2 and batch_size 64, 32 steps" in notes) == warned
    assert ("--set warmup_steps=int:0:32" in notes) == warned


@pytest.mark.parametrize(
    ("space", "remedy"), [("quickstart", "a smaller --train-stride"), ("time-moe-quickstart", "a smaller --set stride")]
)
def test_a_batch_above_all_windows_is_named_with_what_it_is(space: str, remedy: str) -> None:
    notes = notes_of(space, task={"max_windows": 10}, set=NO_WARMUP)
    assert "is more than the 10 training windows, and acts as 10" in notes
    assert remedy in notes


@pytest.mark.parametrize(
    ("grace_period", "scheduler", "warned"),
    [(7, "asha", False), (8, "asha", True), (8, "median", True), (9, "none", False)],
)
def test_a_grace_period_that_no_trial_outlives_is_named(grace_period: int, scheduler: str, warned: bool) -> None:
    notes = notes_of(sweep={"grace_period": grace_period, "scheduler": scheduler}, set=NO_WARMUP)
    assert (f"--grace-period {grace_period} is no shorter than the longest trial, 8 epochs" in notes) == warned


@pytest.mark.parametrize(
    ("limit", "text"), [(1, "only 1 validation window decides"), (9, "only 9 validation windows decide"), (10, "")]
)
def test_few_validation_windows_are_named(limit: int, text: str) -> None:
    notes = notes_of(task={"max_eval_windows": limit})
    assert text in notes
    assert ("a larger --max-eval-windows" in notes) == bool(text)
    assert notes != "" or not text


def test_few_validation_windows_of_the_data_are_not_blamed_on_a_limit() -> None:
    notes = notes_of(task={"eval_stride": 1000})
    assert "validation windows decide" in notes
    assert "--max-eval-windows" not in notes


@pytest.mark.parametrize("space", ["quickstart", "time-moe-quickstart", str(TOYS / "toy.yaml")])
def test_a_limit_of_training_windows_holds_in_every_model_and_leaves_validation_whole(space: str) -> None:
    settings = NO_WARMUP if "toy" not in Path(space).name else {}
    whole = plan_sweep(check_request(SweepRequest(space=space, set=settings)))
    few = plan_sweep(check_request(SweepRequest(space=space, task={"max_windows": 7}, set=settings)))
    assert few.proposals.train_windows == (7, 7)
    assert whole.proposals.train_windows[0] > 7
    assert len(few.task.val) == len(whole.task.val)
