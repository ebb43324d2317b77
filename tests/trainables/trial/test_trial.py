"""The life of a trial, with a model small enough to be worked out by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from data.task.task import ForecastTask
from tests.trainables.trial.toy_trial import (
    CONTEXT,
    CPU,
    HYPER,
    STEPS,
    TRAIN_WINDOWS,
    Scripted,
    Toy,
    are_equal,
    repeatable,
    run,
    script,
    spec_in,
    val_targets,
    weights,
)
from trainables.base import check_hyper
from trainables.errors import CheckpointError, HyperError
from trainables.trial.checkpoint import CheckpointSlot
from trainables.trial.folders import BEST
from trainables.trial.report import Report
from trainables.trial.training import DivergenceError
from trainables.trial.trial import Trial, load_best

# Epoch 0


def test_epoch_0_is_the_untouched_model(task: ForecastTask, tmp_path: Path) -> None:
    trial = Trial(Toy(), spec_in(tmp_path), task, CPU)
    with torch.no_grad():
        for parameter in trial.model.module.parameters():
            parameter.zero_()  # a model that forecasts 0: its errors are the targets
    report = trial.step()
    targets = val_targets(task)
    assert report.epoch == 0
    assert report.scores.val_loss == pytest.approx((targets**2).mean(), rel=1e-6)
    assert report.scores.val_mse == pytest.approx((targets**2).mean(), rel=1e-6)
    assert report.scores.val_mae == pytest.approx(np.abs(targets).mean(), rel=1e-6)
    assert (report.train_loss, report.lr, report.best_epoch) == (None, None, None)
    assert (report.stopped_by, (report.stopped_by is not None)) == (None, False)
    assert Toy.loss_sizes == []


def test_epoch_0_is_evaluated_once_for_all_trials_that_share_a_start(task: ForecastTask, tmp_path: Path) -> None:
    first = Trial(Toy(), spec_in(tmp_path, "t0000"), task, CPU)
    zero_shot = first.step()
    assert Toy.evaluations == 1
    first.step()  # trains; what the others share stays as it was
    assert Toy.evaluations == 2
    second = Trial(Toy(), spec_in(tmp_path, "t0001", lr=0.5, seed=9), task, CPU).step()
    assert Toy.evaluations == 2
    assert second.scores == zero_shot.scores
    other = Trial(Toy(), spec_in(tmp_path, "t0002", start=1), task, CPU).step()
    assert Toy.evaluations == 3
    assert other.scores.val_loss != zero_shot.scores.val_loss


def test_epoch_0_of_another_task_is_evaluated_anew(task: ForecastTask, tmp_path: Path) -> None:
    Trial(Toy(), spec_in(tmp_path), task, CPU).step()
    scaled = ForecastTask(task.panel, task.spec.model_copy(update={"scale": "standard"}))
    Trial(Toy(), spec_in(tmp_path, "t0001"), scaled, CPU).step()
    assert Toy.evaluations == 2


# Reports


def test_a_trial_reports_every_epoch_and_ends_with_its_last(task: ForecastTask, tmp_path: Path) -> None:
    reports = run(Trial(Toy(), spec_in(tmp_path, epochs=3), task, CPU))
    assert [r.epoch for r in reports] == [0, 1, 2, 3]
    assert [r.stopped_by for r in reports] == [None, None, None, "epochs"]
    assert [r.stopped_by is not None for r in reports] == [False, False, False, True]
    assert all(r.seconds > 0 and r.peak_memory_bytes > 0 for r in reports)
    assert [Report.from_row(json.loads(json.dumps(r.to_row()))) for r in reports] == reports


def test_each_epoch_trains_on_every_window_once_in_another_order(task: ForecastTask, tmp_path: Path) -> None:
    run(Trial(Toy(), spec_in(tmp_path, epochs=2), task, CPU))
    assert Toy.loss_sizes == [16, 16, 16, 16, 12] * 2
    first, second = Toy.seen[:TRAIN_WINDOWS], Toy.seen[TRAIN_WINDOWS:]
    assert sorted(first) == sorted(second) == list(range(TRAIN_WINDOWS))
    assert first != second


@pytest.mark.parametrize(
    ("evals", "epochs", "steps_between"),
    [(2, [0, 0.5, 1, 1.5, 2], [2, 3, 3, 2]), (5, [0, 0.2, 0.4, 0.6, 0.8, 1, 1.2, 1.4, 1.6, 1.8, 2], [1] * 10)],
)
def test_several_evaluations_an_epoch_carry_fractions_and_train_no_step_twice(
    evals: int, epochs: list[float], steps_between: list[int], task: ForecastTask, tmp_path: Path
) -> None:
    """Five steps an epoch: at 2.5 and 7.5 steps Python rounds to the even one, 2 and 8."""
    trial = Trial(Toy(), spec_in(tmp_path, epochs=2, evals_per_epoch=evals), task, CPU)
    reports, steps = [trial.step()], []
    while reports[-1].stopped_by is None:
        before = len(Toy.loss_sizes)
        reports.append(trial.step())
        steps.append(len(Toy.loss_sizes) - before)
    assert [r.epoch for r in reports] == epochs
    assert all(isinstance(r.epoch, int) for r in reports if r.epoch % 1 == 0)
    assert steps == steps_between


def test_more_evaluations_than_steps_an_epoch_are_rejected(task: ForecastTask, tmp_path: Path) -> None:
    with pytest.raises(HyperError, match="evals_per_epoch must be at most the 5 optimiser steps of an epoch"):
        Trial(Toy(), spec_in(tmp_path, evals_per_epoch=6), task, CPU)


def test_train_loss_is_the_mean_over_windows_not_over_batches(task: ForecastTask, tmp_path: Path) -> None:
    """At a vanishing learning rate the model stays, so that every window can be measured on the start."""
    trial = Trial(Toy(), spec_in(tmp_path, lr=1e-30, weight_decay=0.0), task, CPU)
    with torch.no_grad():
        for parameter in trial.model.module.parameters():
            parameter.zero_()
    report = run(trial, 2)[-1]
    starts = range(0, 149, 4)  # of 38 windows a series
    targets = np.array([task.panel.series(i)[s + CONTEXT : s + CONTEXT + 2] for i in range(2) for s in starts])
    assert len(targets) == TRAIN_WINDOWS
    assert report.train_loss == pytest.approx((targets.astype(np.float64) ** 2).mean(), rel=1e-5)


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        ({}, [0.01, 0.01]),
        ({"warmup_steps": 10}, [0.005, 0.01]),  # steps 5 and 10 of 10
        ({"warmup_fraction": 0.8}, [0.00625, 0.01]),  # 5 of 8
        ({"schedule": "linear"}, [0.006, 0.001]),  # updates number 4 and 9 of 10, counted from 0
        ({"schedule": "linear", "min_lr_ratio": 0.5}, [0.008, 0.0055]),  # half of it is floor
        ({"schedule": "cosine", "warmup_steps": 4, "epochs": 2}, [0.01, 0.01 * 0.5 * (1 + math.cos(math.pi * 5 / 6))]),
    ],
)
def test_the_learning_rate_reported_is_the_one_of_the_last_step(
    schedule: dict[str, Any], rates: list[float], task: ForecastTask, tmp_path: Path
) -> None:
    reports = run(Trial(Toy(), spec_in(tmp_path, **{"epochs": 2, **schedule}), task, CPU))
    assert [r.lr for r in reports[1:]] == pytest.approx(rates)


def test_the_same_seed_gives_the_same_reports_and_another_seed_others(task: ForecastTask, tmp_path: Path) -> None:
    runs = [
        repeatable(run(Trial(Toy(), spec_in(tmp_path / name, dropout=0.5, seed=seed), task, CPU)))
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    ]
    assert runs[0] == runs[1]
    assert runs[0][1:] != runs[2][1:]
    assert runs[0][0] == runs[2][0]


# Best, patience


def test_the_best_epoch_is_the_best_after_epoch_0_and_the_objective_its_value(
    task: ForecastTask, tmp_path: Path
) -> None:
    Scripted.script = script(0.1, 0.9, 0.7, 0.8, 0.6)
    reports = run(Trial(Scripted(), spec_in(tmp_path, epochs=4), task, CPU))
    assert [r.best_epoch for r in reports] == [None, 1, 2, 2, 4]
    assert [r.best_so_far for r in reports] == pytest.approx([0.1, 0.9, 0.7, 0.7, 0.6])


def test_the_metric_of_the_sweep_decides_which_epoch_is_best(task: ForecastTask, tmp_path: Path) -> None:
    Scripted.script = iter([(1.0, 1.0), (0.5, 0.75), (0.75, 0.5), (0.75, 0.625)])
    reports = run(Trial(Scripted(), spec_in(tmp_path, metric="val_mae"), task, CPU))
    assert [r.best_epoch for r in reports] == [None, 1, 2, 2]
    assert reports[-1].best_so_far == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("losses", "options", "last", "reason"),
    [
        # epoch 2 is best, and 3 and 4 are no better
        ([1.0, 0.9, 0.8, 0.85, 0.85, 0.1], {"patience": 2}, 4, "patience"),
        # equal is no better
        ([1.0, 0.8, 0.8, 0.8, 0.1], {"patience": 2}, 3, "patience"),
        ([1.0, 0.8, 0.9, 0.1], {"patience": 1}, 2, "patience"),
        # something better starts the count anew
        ([1.0, 0.9, 0.95, 0.8, 0.85, 0.7, 0.75, 0.75, 0.1], {"patience": 2}, 7, "patience"),
        # that zero-shot is better than all is no reason to stop
        ([0.1, 0.9, 0.8, 0.7], {"patience": 1, "epochs": 3}, 3, "epochs"),
        # patience and epochs end together: it has run its epochs
        ([1.0, 0.8, 0.9, 0.9], {"patience": 2, "epochs": 3}, 3, "epochs"),
        # patience counts epochs: at two evaluations an epoch, one epoch is two of them
        ([1.0, 0.8, 0.9, 0.9, 0.1], {"patience": 1, "evals_per_epoch": 2}, 1.5, "patience"),
        ([1.0, 0.8, 0.9, 0.7, 0.9, 0.9, 0.1], {"patience": 1, "evals_per_epoch": 2}, 2.5, "patience"),
    ],
)
def test_patience_stops_after_exactly_so_many_epochs_without_better(
    losses: list[float], options: dict[str, Any], last: float, reason: str, task: ForecastTask, tmp_path: Path
) -> None:
    Scripted.script = script(*losses)
    reports = run(Trial(Scripted(), spec_in(tmp_path, **{"epochs": 20, **options}), task, CPU))
    assert (reports[-1].epoch, reports[-1].stopped_by) == (last, reason)


def test_the_best_epochs_weights_come_back_and_not_the_last_ones(task: ForecastTask, tmp_path: Path) -> None:
    Scripted.script = script(1.0, 0.9, 0.5, 0.6, 0.7)
    trial = Trial(Scripted(), spec_in(tmp_path, epochs=4), task, CPU)
    after = [(trial.step(), weights(trial.model))[1] for _ in range(5)]
    assert not are_equal(after[2], after[4])
    trial.load_best()
    assert are_equal(weights(trial.model), after[2])
    # and in another process: a fresh model, the folder on the disk
    fresh = Toy()
    fresh.build(check_hyper(Toy, HYPER), task)
    load_best(fresh, CheckpointSlot(tmp_path / "t0000", BEST))
    assert are_equal(weights(fresh), after[2])


def test_the_best_epoch_on_record_stays_while_the_worker_is_a_report_ahead(task: ForecastTask, tmp_path: Path) -> None:
    """The time is up while epoch 3 is on its way: the record knows epoch 1 as the best, and 1 can be exported."""
    Scripted.script = script(1.0, 0.9, 0.95, 0.5)
    trial = Trial(Scripted(), spec_in(tmp_path, epochs=4), task, CPU)
    after = [(trial.step(), weights(trial.model))[1] for _ in range(4)]
    load_best(trial.model, trial.best, 1)
    assert are_equal(weights(trial.model), after[1])
    load_best(trial.model, trial.best, 3)
    assert are_equal(weights(trial.model), after[3])
    with pytest.raises(HyperError, match="kept no weights"):
        load_best(trial.model, trial.best, 2)


def test_a_trial_that_has_not_trained_has_no_best_weights(task: ForecastTask, tmp_path: Path) -> None:
    trial = Trial(Toy(), spec_in(tmp_path), task, CPU)
    trial.step()
    with pytest.raises(HyperError, match="trial t0000 must have trained for an epoch"):
        trial.load_best()


def test_a_checkpoint_holds_what_was_trained_and_nothing_else(task: ForecastTask, tmp_path: Path) -> None:
    trial = Trial(Toy(), spec_in(tmp_path, freeze_body=True), task, CPU)
    run(trial, 2)
    folder = trial.best.newest()
    assert folder is not None
    assert set(load_file(folder / "trained.safetensors")) == {"head.weight", "head.bias"}
    with pytest.raises(CheckpointError, match=r"2 missing \(body\.bias, body\.weight\)"):
        load_best(Trial(Toy(), spec_in(tmp_path, "t0001"), task, CPU).model, trial.best)


# Divergence


def test_a_loss_that_is_nan_ends_the_trial_and_keeps_its_best_epoch(task: ForecastTask, tmp_path: Path) -> None:
    Toy.nan_from = 2 * STEPS + 1  # in the third epoch
    trial = Trial(Toy(), spec_in(tmp_path, epochs=9), task, CPU)
    reports = run(trial, 3)
    kept = weights(trial.model)
    reports += run(trial)
    last = reports[-1]
    assert (last.epoch, last.stopped_by) == (3, "diverged")
    assert last.scores.val_loss is None
    assert last.train_loss is None
    assert last.best_epoch == 2
    assert last.best_so_far == reports[2].scores.val_loss < reports[1].scores.val_loss
    trial.load_best()
    assert are_equal(weights(trial.model), kept)


@pytest.mark.parametrize("look_every", [1, 3, 1000])
def test_nothing_is_applied_after_a_loss_that_is_nan_however_seldom_one_looks(
    task: ForecastTask, tmp_path: Path, look_every: int
) -> None:
    """On a GPU the host looks now and then, and the steps until then are left out on the device."""
    bad = 2
    Toy.nan_from = bad
    trial = Trial(Toy(), spec_in(tmp_path), task, CPU)
    trial.training.look_every = look_every
    with pytest.raises(DivergenceError, match=f"the training loss became nan at step {bad}"):
        trial.training.run(0, STEPS)
    Toy.nan_from = None
    sound = Trial(Toy(), spec_in(tmp_path, "sound"), task, CPU)
    sound.training.run(0, bad)
    assert are_equal(weights(trial.model), weights(sound.model))


def test_a_trial_that_diverges_in_its_first_epoch_has_no_best(task: ForecastTask, tmp_path: Path) -> None:
    Toy.nan_from = 0
    trial = Trial(Toy(), spec_in(tmp_path), task, CPU)
    last = run(trial)[-1]
    assert (last.epoch, last.stopped_by, last.best_epoch) == (1, "diverged", None)
    assert last.best_so_far is None
    with pytest.raises(HyperError):
        trial.load_best()


def test_a_validation_that_is_nan_ends_the_trial_too(task: ForecastTask, tmp_path: Path) -> None:
    Scripted.script = script(1.0, 0.5, math.nan)
    last = run(Trial(Scripted(), spec_in(tmp_path), task, CPU))[-1]
    assert (last.epoch, last.stopped_by, last.best_epoch, last.best_so_far) == (2, "diverged", 1, 0.5)


def test_an_end_by_divergence_that_is_not_on_record_is_reported_again(task: ForecastTask, tmp_path: Path) -> None:
    Toy.nan_from = STEPS
    run(Trial(Toy(), spec_in(tmp_path), task, CPU))
    again = Trial(Toy(), spec_in(tmp_path, reported_epoch=1), task, CPU).step()
    assert (again.epoch, again.stopped_by, (again.stopped_by is not None)) == (2, "diverged", True)


# Going on after an interruption


@pytest.mark.parametrize("dropout", [0.0, 0.5])
@pytest.mark.parametrize("evals", [1, 2])
@pytest.mark.parametrize("cut", [1, 2, 4])
def test_a_trial_built_again_from_its_folder_reports_the_rest_exactly(
    dropout: float, evals: int, cut: int, task: ForecastTask, tmp_path: Path
) -> None:
    options = {"epochs": 4, "dropout": dropout, "evals_per_epoch": evals, "schedule": "cosine", "warmup_steps": 3}
    whole = Trial(Toy(), spec_in(tmp_path / "whole", **options), task, CPU)
    expected = repeatable(run(whole))

    reports = run(Trial(Toy(), spec_in(tmp_path / "cut", **options), task, CPU), cut)
    torch.manual_seed(12345)  # another process has another past
    torch.rand(7)
    resumed = Trial(Toy(), spec_in(tmp_path / "cut", reported_epoch=reports[-1].epoch, **options), task, CPU)
    assert repeatable(reports + run(resumed)) == expected
    assert are_equal(weights(resumed.model), weights(whole.model))
    resumed.load_best()
    whole.load_best()
    assert are_equal(weights(resumed.model), weights(whole.model))


def test_a_kill_in_the_middle_of_an_epoch_leaves_no_trace(task: ForecastTask, tmp_path: Path) -> None:
    expected = repeatable(run(Trial(Toy(), spec_in(tmp_path / "whole", dropout=0.5), task, CPU)))
    Toy.dies_at = 2 * STEPS + 3
    trial = Trial(Toy(), spec_in(tmp_path / "cut", dropout=0.5), task, CPU)
    reports = run(trial, 3)
    with pytest.raises(KeyboardInterrupt):
        trial.step()
    Toy.dies_at = None
    resumed = Trial(Toy(), spec_in(tmp_path / "cut", dropout=0.5, reported_epoch=2), task, CPU)
    assert repeatable(reports + run(resumed)) == expected


@pytest.mark.parametrize("reported", [-1, 0, 1, 2])
def test_reports_that_are_not_yet_on_record_come_again_before_any_training(
    reported: int, task: ForecastTask, tmp_path: Path
) -> None:
    options = {"epochs": 4}
    made = run(Trial(Toy(), spec_in(tmp_path, **options), task, CPU), 3)
    trained, evaluated = len(Toy.loss_sizes), Toy.evaluations
    resumed = Trial(Toy(), spec_in(tmp_path, reported_epoch=reported, **options), task, CPU)
    missing = made[reported + 1 :]
    assert run(resumed, len(missing)) == missing  # seconds and memory, too, are those of the first time
    assert (len(Toy.loss_sizes), Toy.evaluations) == (trained, evaluated)
    assert resumed.step().epoch == 3
    assert len(Toy.loss_sizes) == trained + STEPS


def test_epoch_0_that_is_on_record_is_not_reported_again(task: ForecastTask, tmp_path: Path) -> None:
    """Interrupted in its first epoch, a trial has no checkpoint yet."""
    expected = repeatable(run(Trial(Toy(), spec_in(tmp_path / "whole"), task, CPU)))
    run(Trial(Toy(), spec_in(tmp_path / "cut"), task, CPU), 1)
    resumed = run(Trial(Toy(), spec_in(tmp_path / "cut", reported_epoch=0), task, CPU))
    assert repeatable(resumed) == expected[1:]


def test_patience_goes_on_counting_after_an_interruption(task: ForecastTask, tmp_path: Path) -> None:
    Scripted.script = script(1.0, 0.5, 0.6, 0.6, 0.1)
    run(Trial(Scripted(), spec_in(tmp_path, epochs=9, patience=2), task, CPU), 3)
    last = run(Trial(Scripted(), spec_in(tmp_path, epochs=9, patience=2, reported_epoch=2), task, CPU))[-1]
    assert (last.epoch, last.stopped_by, last.best_epoch) == (3, "patience", 1)
