"""The life of a trial, with a model small enough to be worked out by hand."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from data.panel import Panel
from data.task import ForecastTask, Part, TaskSpec
from trainables.base import CheckpointError, Forecast, ForecastTrainable, HyperError, freeze
from trainables.checkpoint import BEST, CheckpointSlot
from trainables.evaluation import evaluate
from trainables.hyper import Hyper
from trainables.memory import MicroBatch
from trainables.training import Training
from trainables.trial import Trial, TrialSpec, check_hyper, load_best

CPU = torch.device("cpu")
CONTEXT, PREDICTION, ROWS = 8, 2, 200
UNREPEATABLE = ("seconds", "peak_memory_bytes")
TRAIN_WINDOWS = 76  # 160 train rows, two series: (160 - 8 - 2) // 4 + 1 = 38 each; 20 validation rows: 10 each
HYPER = {"lr": 0.01, "epochs": 3, "batch_size": 16, "warmup_steps": 0, "patience": 10}
STEPS = 5  # an epoch: ceil(76 / 16)


class ToyHyper(Hyper):
    start: int = 0  # the seed of the untouched weights
    dropout: float = 0.0
    freeze_body: bool = False
    keep_features: bool = False


class Toy(ForecastTrainable):
    """A body, tanh, and a head; the loss is the mean squared error over what is observed of a window."""

    Hyper = ToyHyper
    fits: ClassVar[int | None] = None  # windows that memory holds at once
    nan_from: ClassVar[int | None] = None  # the training step, counted from 0, whose loss is NaN
    dies_at: ClassVar[int | None] = None  # the training step that raises
    loss_sizes: ClassVar[list[int]] = []  # windows of each training forward pass
    evaluations: ClassVar[int] = 0
    feature_calls: ClassVar[int] = 0
    seen: ClassVar[list[int]] = []  # ids of the windows trained on

    def build(self, hyper: ToyHyper, task: ForecastTask) -> nn.Module:
        torch.manual_seed(hyper.start)
        self.module = nn.ModuleDict(
            {
                "body": nn.Linear(task.context_length, 6),
                "drop": nn.Dropout(hyper.dropout),
                "head": nn.Linear(6, task.prediction_length),
            }
        )
        if hyper.freeze_body:
            freeze(self.module, trains=lambda name: name.startswith("head"), strategy="head_only")
        self.steps = 0
        return self.module

    def starting_point(self, hyper: ToyHyper) -> str:
        return f"toy {hyper.start}"

    def frozen_part(self, hyper: ToyHyper, part: Part) -> str | None:
        return f"body {hyper.start}" if hyper.keep_features else None

    def features(self, batch: Any) -> Tensor:
        type(self).feature_calls += 1
        self._need_memory_for(batch)
        return torch.tanh(self.module["body"](batch.context))

    def point(self, batch: Any) -> Tensor:
        features = self.features(batch) if batch.features is None else batch.features
        return self.module["head"](self.module["drop"](features))

    def loss(self, batch: Any) -> Tensor:
        self._need_memory_for(batch)
        if self.module.training:
            self.loss_sizes.append(len(batch.ids))
            self.seen.extend(batch.ids.tolist())
            self.steps += 1
            if self.dies_at is not None and self.steps > self.dies_at:
                raise KeyboardInterrupt
        errors = (self.point(batch) - batch.target).square()
        broken = self.module.training and self.nan_from is not None and self.steps > self.nan_from
        return errors.nanmean(dim=1) * (math.nan if broken else 1.0)

    def forecast(self, batch: Any) -> Forecast:
        return Forecast(self.point(batch))

    def validate(self, batch: Any) -> tuple[Tensor, Forecast]:
        type(self).evaluations += 1  # all validation windows fit into one batch
        return super().validate(batch)

    def _need_memory_for(self, batch: Any) -> None:
        if self.fits is not None and len(batch.ids) > self.fits:
            raise torch.OutOfMemoryError("the toy's memory is full")

    def save_pretrained(self, folder: Path) -> None:
        save_file(self.module.state_dict(), folder / "model.safetensors")


class Scripted(Toy):
    """Trains as the toy does; its validation is written beforehand: pairs of val_loss and val_mae."""

    script: ClassVar[Iterator[tuple[float, float]]]

    def validate(self, batch: Any) -> tuple[Tensor, Forecast]:
        loss, mae = next(self.script)
        return torch.full((len(batch.ids),), loss), Forecast(batch.target + mae)


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start each test with a toy that has seen nothing and lacks nothing."""
    fresh = {"fits": None, "nan_from": None, "dies_at": None, "evaluations": 0, "feature_calls": 0}
    for name, value in {**fresh, "loss_sizes": [], "seen": []}.items():
        monkeypatch.setattr(Toy, name, value)


@pytest.fixture(scope="module")
def task() -> ForecastTask:
    """Two noisy waves."""
    noise = np.random.default_rng(0).normal(0, 0.1, (2, ROWS))
    waves = {name: np.sin(np.arange(ROWS) / 3 + i) + noise[i] for i, name in enumerate("ab")}
    spec = TaskSpec(context_length=CONTEXT, prediction_length=PREDICTION, train_stride=4, eval_stride=2)
    return ForecastTask(Panel.from_series("waves", waves), spec)


def spec_in(folder: Path, name: str = "t0000", **changed: Any) -> TrialSpec:
    """A trial's spec; keyword arguments that are no field of it are hyperparameters."""
    own = {key: changed.pop(key) for key in ("metric", "seed", "reported_epoch") if key in changed}
    return TrialSpec(
        **{"folder": folder / name, "shared": folder / "shared", "metric": "val_loss", "seed": 0, **own},
        hyper={**HYPER, **changed},
    )


def run(trial: Trial, reports: int | None = None) -> list[dict[str, Any]]:
    """Step a trial to its end, or for so many reports."""
    done: list[dict[str, Any]] = []
    while len(done) != reports and not (done and done[-1]["done"]):
        done.append(trial.step())
    return done


def repeatable(reports: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in report.items() if key not in UNREPEATABLE} for report in reports]


def assert_close(reports: list[dict[str, Any]], others: list[dict[str, Any]], *, rel: float) -> None:
    """Hold two trials' reports against each other; epoch 0 has no training loss."""
    assert [r["stopped_by"] for r in reports] == [r["stopped_by"] for r in others]
    for key in ("val_loss", "val_mae", "val_mse"):
        assert [r[key] for r in reports] == pytest.approx([r[key] for r in others], rel=rel)
    assert [r["train_loss"] for r in reports[1:]] == pytest.approx([r["train_loss"] for r in others[1:]], rel=rel)


def weights(model: ForecastTrainable) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in model.module.state_dict().items()}


def are_equal(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def script(*losses: float) -> Iterator[tuple[float, float]]:
    return iter([(loss, loss) for loss in losses])


def val_targets(task: ForecastTask) -> np.ndarray:
    """The validation targets, (20, 2), cut by hand: rows 160 and 161, 162 and 163, ..., 178 and 179 of each series."""
    return np.concatenate([task.panel.series(i)[160:180].reshape(10, 2) for i in range(2)]).astype(np.float64)


# Epoch 0


def test_epoch_0_is_the_untouched_model(task: ForecastTask, tmp_path: Path) -> None:
    trial = Trial(Toy(), spec_in(tmp_path), task, CPU)
    with torch.no_grad():
        for parameter in trial.model.module.parameters():
            parameter.zero_()  # a model that forecasts 0: its errors are the targets
    report = trial.step()
    targets = val_targets(task)
    assert report["epoch"] == 0
    assert report["val_loss"] == pytest.approx((targets**2).mean(), rel=1e-6)
    assert report["val_mse"] == pytest.approx((targets**2).mean(), rel=1e-6)
    assert report["val_mae"] == pytest.approx(np.abs(targets).mean(), rel=1e-6)
    assert (report["train_loss"], report["lr"], report["best_epoch"]) == (None, None, None)
    assert (report["stopped_by"], report["done"]) == (None, False)
    assert Toy.loss_sizes == []


def test_epoch_0_is_evaluated_once_for_all_trials_that_share_a_start(task: ForecastTask, tmp_path: Path) -> None:
    first = Trial(Toy(), spec_in(tmp_path, "t0000"), task, CPU)
    zero_shot = first.step()
    assert Toy.evaluations == 1
    first.step()  # trains; what the others share stays untouched
    assert Toy.evaluations == 2
    second = Trial(Toy(), spec_in(tmp_path, "t0001", lr=0.5, seed=9), task, CPU).step()
    assert Toy.evaluations == 2
    assert [second[m] for m in ("val_loss", "val_mae", "val_mse")] == [
        zero_shot[m] for m in ("val_loss", "val_mae", "val_mse")
    ]
    other = Trial(Toy(), spec_in(tmp_path, "t0002", start=1), task, CPU).step()
    assert Toy.evaluations == 3
    assert other["val_loss"] != zero_shot["val_loss"]


def test_epoch_0_of_another_task_is_evaluated_anew(task: ForecastTask, tmp_path: Path) -> None:
    Trial(Toy(), spec_in(tmp_path), task, CPU).step()
    scaled = ForecastTask(task.panel, task.spec.model_copy(update={"scale": "standard"}))
    Trial(Toy(), spec_in(tmp_path, "t0001"), scaled, CPU).step()
    assert Toy.evaluations == 2


# Reports


def test_a_trial_reports_every_epoch_and_ends_with_its_last(task: ForecastTask, tmp_path: Path) -> None:
    reports = run(Trial(Toy(), spec_in(tmp_path, epochs=3), task, CPU))
    assert [r["epoch"] for r in reports] == [0, 1, 2, 3]
    assert [r["stopped_by"] for r in reports] == [None, None, None, "epochs"]
    assert [r["done"] for r in reports] == [False, False, False, True]
    assert all(r["seconds"] > 0 and r["peak_memory_bytes"] > 0 for r in reports)
    assert json.loads(json.dumps(reports)) == reports


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
    while not reports[-1]["done"]:
        before = len(Toy.loss_sizes)
        reports.append(trial.step())
        steps.append(len(Toy.loss_sizes) - before)
    assert [r["epoch"] for r in reports] == epochs
    assert all(isinstance(r["epoch"], int) for r in reports if r["epoch"] % 1 == 0)
    assert steps == steps_between


def test_more_evaluations_than_steps_an_epoch_are_refused(task: ForecastTask, tmp_path: Path) -> None:
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
    assert report["train_loss"] == pytest.approx((targets.astype(np.float64) ** 2).mean(), rel=1e-5)


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
    assert [r["lr"] for r in reports[1:]] == pytest.approx(rates)


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
    assert [r["best_epoch"] for r in reports] == [None, 1, 2, 2, 4]
    assert [r["objective"] for r in reports] == pytest.approx([0.1, 0.9, 0.7, 0.7, 0.6])


def test_the_metric_of_the_sweep_decides_which_epoch_is_best(task: ForecastTask, tmp_path: Path) -> None:
    Scripted.script = iter([(1.0, 1.0), (0.5, 0.75), (0.75, 0.5), (0.75, 0.625)])
    reports = run(Trial(Scripted(), spec_in(tmp_path, metric="val_mae"), task, CPU))
    assert [r["best_epoch"] for r in reports] == [None, 1, 2, 2]
    assert reports[-1]["objective"] == pytest.approx(0.5)


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
    assert (reports[-1]["epoch"], reports[-1]["stopped_by"]) == (last, reason)


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
    with pytest.raises(CheckpointError, match="2 names differ"):
        load_best(Trial(Toy(), spec_in(tmp_path, "t0001"), task, CPU).model, trial.best)


# Divergence


def test_a_loss_that_is_nan_ends_the_trial_and_keeps_its_best_epoch(task: ForecastTask, tmp_path: Path) -> None:
    Toy.nan_from = 2 * STEPS + 1  # in the third epoch
    trial = Trial(Toy(), spec_in(tmp_path, epochs=9), task, CPU)
    reports = run(trial, 3)
    kept = weights(trial.model)
    reports += run(trial)
    last = reports[-1]
    assert (last["epoch"], last["stopped_by"], last["done"]) == (3, "diverged", True)
    assert math.isnan(last["val_loss"])
    assert math.isnan(last["train_loss"])
    assert last["best_epoch"] == 2
    assert last["objective"] == reports[2]["val_loss"] < reports[1]["val_loss"]
    trial.load_best()
    assert are_equal(weights(trial.model), kept)


def test_a_trial_that_diverges_in_its_first_epoch_has_no_best(task: ForecastTask, tmp_path: Path) -> None:
    Toy.nan_from = 0
    trial = Trial(Toy(), spec_in(tmp_path), task, CPU)
    last = run(trial)[-1]
    assert (last["epoch"], last["stopped_by"], last["best_epoch"]) == (1, "diverged", None)
    assert math.isnan(last["objective"])
    with pytest.raises(HyperError):
        trial.load_best()


def test_a_validation_that_is_nan_ends_the_trial_too(task: ForecastTask, tmp_path: Path) -> None:
    Scripted.script = script(1.0, 0.5, math.nan)
    last = run(Trial(Scripted(), spec_in(tmp_path), task, CPU))[-1]
    assert (last["epoch"], last["stopped_by"], last["best_epoch"], last["objective"]) == (2, "diverged", 1, 0.5)


def test_an_end_by_divergence_that_is_not_on_record_is_told_again(task: ForecastTask, tmp_path: Path) -> None:
    Toy.nan_from = STEPS
    run(Trial(Toy(), spec_in(tmp_path), task, CPU))
    again = Trial(Toy(), spec_in(tmp_path, reported_epoch=1), task, CPU).step()
    assert (again["epoch"], again["stopped_by"], again["done"]) == (2, "diverged", True)


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
    resumed = Trial(Toy(), spec_in(tmp_path / "cut", reported_epoch=reports[-1]["epoch"], **options), task, CPU)
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
    assert resumed.step()["epoch"] == 3
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
    assert (last["epoch"], last["stopped_by"], last["best_epoch"]) == (3, "patience", 1)


# Memory


def gradients(task: ForecastTask, size: int, **hyper: Any) -> tuple[Training, dict[str, Tensor]]:
    """Do one optimiser step with micro-batches of a size; a clip that clips nothing leaves the gradient as it was."""
    model = Toy()
    checked = check_hyper(Toy, {**HYPER, "gradient_clip": 1e9, **hyper})
    model.build(checked, task)
    training = Training(model, checked, task.gather("train"), seed=0, micro_batch=MicroBatch(size))
    training.run(0, 1)
    return training, {name: p.grad.clone() for name, p in model.module.named_parameters() if p.grad is not None}


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


def test_one_window_that_does_not_fit_is_told_with_the_remedy(task: ForecastTask, tmp_path: Path) -> None:
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


# Frozen features


def test_frozen_features_are_computed_once_for_all_trials_that_share_them(task: ForecastTask, tmp_path: Path) -> None:
    options = {"freeze_body": True, "keep_features": True}
    run(Trial(Toy(), spec_in(tmp_path, "t0000", **options), task, CPU))
    assert Toy.feature_calls == 2  # all windows at once, of the training part and of validation
    run(Trial(Toy(), spec_in(tmp_path, "t0001", lr=0.02, **options), task, CPU))
    assert Toy.feature_calls == 2
    run(Trial(Toy(), spec_in(tmp_path, "t0002", start=1, **options), task, CPU))
    assert Toy.feature_calls == 4


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_frozen_features_give_the_same_result_as_computing_each_time(
    dropout: float, task: ForecastTask, tmp_path: Path
) -> None:
    options = {"freeze_body": True, "dropout": dropout}
    each_time = Trial(Toy(), spec_in(tmp_path / "a", **options), task, CPU)
    kept = Trial(Toy(), spec_in(tmp_path / "b", keep_features=True, **options), task, CPU)
    assert_close(run(kept), run(each_time), rel=1e-5)
    assert each_time.evaluate("test").val_loss == pytest.approx(kept.evaluate("test").val_loss, rel=1e-5)


def test_frozen_features_without_room_on_the_disk_are_computed_each_time(
    task: ForecastTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"freeze_body": True, "keep_features": True}
    expected = run(Trial(Toy(), spec_in(tmp_path / "roomy", **options), task, CPU))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=900))  # 20 * 6 * 4 bytes are over half
    found = run(Trial(Toy(), spec_in(tmp_path / "full", **options), task, CPU))
    assert_close(found, expected, rel=1e-5)
    assert not list((tmp_path / "full" / "shared").rglob("*.npy"))


def test_frozen_features_are_computed_in_pieces_that_fit_into_memory(task: ForecastTask, tmp_path: Path) -> None:
    options = {"freeze_body": True, "keep_features": True}
    expected = run(Trial(Toy(), spec_in(tmp_path / "roomy", **options), task, CPU))
    Toy.fits = 10
    found = Trial(Toy(), spec_in(tmp_path / "tight", **options), task, CPU)
    assert found.eval_batch.size == 8  # 256, 128, ..., 8
    assert_close(run(found), expected, rel=1e-4)


def test_frozen_features_of_one_window_that_do_not_fit_are_told_with_the_remedy(
    task: ForecastTask, tmp_path: Path
) -> None:
    Toy.fits = 0
    with pytest.raises(HyperError, match="one window must fit into memory"):
        Trial(Toy(), spec_in(tmp_path, freeze_body=True, keep_features=True), task, CPU)
    assert not list((tmp_path / "shared").rglob("*.npy"))


# Evaluation


class Sampler(Toy):
    """Its forecasts are drawn: a reminder that evaluation must not depend on what was drawn before."""

    def forecast(self, batch: Any) -> Forecast:
        return Forecast(torch.randn_like(batch.target))


@pytest.fixture
def built(task: ForecastTask) -> Toy:
    model = Toy()
    model.build(check_hyper(Toy, {**HYPER, "dropout": 0.5}), task)
    return model


def test_evaluation_counts_every_observed_point_once_whatever_the_batches(built: Toy, task: ForecastTask) -> None:
    """Worked out by hand in numpy from the weights: tanh(x A + a) B + b."""
    state = {name: value.double().numpy() for name, value in weights(built).items()}
    contexts = np.concatenate(
        [np.stack([task.panel.series(i)[s : s + CONTEXT] for s in range(152, 172, 2)]) for i in range(2)]
    ).astype(np.float64)
    hidden = np.tanh(contexts @ state["body.weight"].T + state["body.bias"])
    errors = hidden @ state["head.weight"].T + state["head.bias"] - val_targets(task)
    for size in (256, 20, 7, 1):
        scores = evaluate(built, task, "val", micro_batch=MicroBatch(size))
        assert scores.val_loss == pytest.approx((errors**2).mean(), rel=1e-5)
        assert scores.val_mse == pytest.approx((errors**2).mean(), rel=1e-5)
        assert scores.val_mae == pytest.approx(np.abs(errors).mean(), rel=1e-5)


def test_evaluation_leaves_missing_targets_out(built: Toy, task: ForecastTask) -> None:
    values = np.zeros(ROWS)
    values[160:180] = np.nan
    values[160:163] = [1.0, 3.0, 2.0]  # windows begin at rows 160 and 162; the others hold no target at all
    panel = Panel.from_series("gaps", {"a": values})
    with torch.no_grad():
        for parameter in built.module.parameters():
            parameter.zero_()
    gaps = ForecastTask(panel, task.spec)
    scores = evaluate(built, gaps, "val", micro_batch=MicroBatch(256))
    assert scores.val_mae == pytest.approx(2.0)  # 1, 3 and 2
    assert scores.val_mse == pytest.approx(14 / 3)  # 1, 9 and 4
    assert scores.val_loss == pytest.approx(4.5)  # windows: (1 + 9) / 2 and 4


def test_evaluation_draws_the_same_samples_every_time_and_disturbs_no_other_draw(task: ForecastTask) -> None:
    model = Sampler()
    model.build(check_hyper(Toy, HYPER), task)
    torch.manual_seed(1)
    untouched = torch.rand(3)
    torch.manual_seed(1)
    first = evaluate(model, task, "val", micro_batch=MicroBatch(256))
    assert torch.equal(torch.rand(3), untouched)
    assert evaluate(model, task, "val", micro_batch=MicroBatch(256)) == first


@pytest.mark.parametrize("is_training", [True, False])
def test_evaluation_leaves_the_model_in_its_mode(is_training: bool, built: Toy, task: ForecastTask) -> None:
    built.module.train(is_training)
    scores = evaluate(built, task, "val", micro_batch=MicroBatch(256))
    assert built.module.training is is_training
    assert evaluate(built, task, "val", micro_batch=MicroBatch(256)) == scores  # no dropout in it


# Hyperparameters


def test_bf16_on_a_cpu_is_refused(task: ForecastTask, tmp_path: Path) -> None:
    with pytest.raises(HyperError, match="precision bf16 needs a GPU that has it, and this trial runs on cpu"):
        Trial(Toy(), spec_in(tmp_path, precision="bf16"), task, CPU)


def test_every_wrong_hyperparameter_is_named_at_once() -> None:
    with pytest.raises(HyperError) as caught:
        check_hyper(Toy, {**HYPER, "lr": 2.0, "epochs": 0, "dropot": 0.1})
    message = str(caught.value)
    assert message.startswith("Toy: ")
    for part in ("lr: ", "got 2.0", "epochs: ", "got 0", "dropot: ", "got 0.1"):
        assert part in message


def test_weight_decay_acts_on_matrices_alone() -> None:
    """AdamW shrinks what it decays by 1 - lr * decay in a step without gradient: 1 - 0.1 * 0.5 = 0.95."""
    model = Toy()
    model.module = nn.ModuleDict({"linear": nn.Linear(3, 2), "norm": nn.LayerNorm(2), "frozen": nn.Linear(2, 2)})
    model.module["frozen"].requires_grad_(False)
    for parameter in model.module.parameters():
        nn.init.ones_(parameter)
        parameter.grad = torch.zeros_like(parameter)
    model.optimizer(check_hyper(Toy, {**HYPER, "lr": 0.1, "weight_decay": 0.5})).step()
    after = {name: float(p.detach().unique()) for name, p in model.module.named_parameters()}
    assert after == {
        "linear.weight": pytest.approx(0.95),
        "linear.bias": 1.0,
        "norm.weight": 1.0,
        "norm.bias": 1.0,
        "frozen.weight": 1.0,
        "frozen.bias": 1.0,
    }


def test_a_gradient_is_clipped_to_its_norm(task: ForecastTask) -> None:
    _, free = gradients(task, 16)
    _, clipped = gradients(task, 16, gradient_clip=0.01)

    def norm(of: dict[str, Tensor]) -> float:
        return math.sqrt(sum(float(g.square().sum()) for g in of.values()))

    assert norm(free) > 0.01
    assert norm(clipped) == pytest.approx(0.01, rel=1e-3)


@pytest.mark.parametrize(
    ("strategy", "kept"), [("head_only", ["head.weight", "head.bias"]), ("full", None), ("nothing", [])]
)
def test_a_strategy_trains_some_and_freezes_some_unless_it_is_full(strategy: str, kept: list[str] | None) -> None:
    module = nn.ModuleDict({"body": nn.Linear(2, 2), "head": nn.Linear(2, 1)})
    names = [name for name, _ in module.named_parameters()] if kept is None else kept
    if strategy == "nothing":
        with pytest.raises(HyperError, match="it trains 0 of 4"):
            freeze(module, trains=names.__contains__, strategy=strategy)
        return
    freeze(module, trains=names.__contains__, strategy=strategy)
    assert [name for name, p in module.named_parameters() if p.requires_grad] == names
    with pytest.raises(HyperError):  # what it says and what it does must agree
        freeze(module, trains=names.__contains__, strategy="head_only" if strategy == "full" else "full")
