"""The specification of trainables/trial/evaluation.py: every observed point once, and each window's own errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from data.panel import Panel
from data.task.task import ForecastTask
from tests.trainables.trial.toy_trial import (
    CONTEXT,
    HYPER,
    ROWS,
    Toy,
    val_targets,
    weights,
)
from trainables.base import Forecast, check_hyper
from trainables.device.memory import MicroBatch
from trainables.trial.evaluation import evaluate


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
        scores = evaluate(built, task, "val", micro_batch=MicroBatch(size)).scores
        assert scores.val_loss == pytest.approx((errors**2).mean(), rel=1e-5)
        assert scores.val_mse == pytest.approx((errors**2).mean(), rel=1e-5)
        assert scores.val_mae == pytest.approx(np.abs(errors).mean(), rel=1e-5)


def test_errors_in_the_units_of_the_data_are_over_all_points_of_all_series(task: ForecastTask) -> None:
    """Two scaled series of sizes 10 and 1,000; a forecast of 0 is each one's mean of the 160 train rows."""
    noise = np.random.default_rng(1).normal(size=(2, ROWS))
    values = {"small": 10 * noise[0] + 50, "large": 1000 * noise[1] - 300}
    scaled = ForecastTask(Panel.from_series("two", values), task.spec.model_copy(update={"scale": "standard"}))
    model = Toy()
    model.build(check_hyper(Toy, HYPER), scaled)
    with torch.no_grad():
        for parameter in model.module.parameters():
            parameter.zero_()
    scores = evaluate(model, scaled, "val", micro_batch=MicroBatch(256)).scores
    errors = np.concatenate([series[160:180] - series[:160].mean() for series in values.values()])
    assert scores.val_data_mae == pytest.approx(np.abs(errors).mean(), rel=1e-4)
    assert scores.val_data_mse == pytest.approx((errors**2).mean(), rel=1e-4)
    assert scores.val_data_rmse == pytest.approx((errors**2).mean() ** 0.5, rel=1e-4)
    assert scores.val_mae is not None
    assert scores.val_mae < 2  # in deviations of each series


def test_evaluation_leaves_missing_targets_out(built: Toy, task: ForecastTask) -> None:
    values = np.zeros(ROWS)
    values[160:180] = np.nan
    values[160:163] = [1.0, 3.0, 2.0]  # windows begin at rows 160 and 162; the others hold no target at all
    panel = Panel.from_series("gaps", {"a": values})
    with torch.no_grad():
        for parameter in built.module.parameters():
            parameter.zero_()
    gaps = ForecastTask(panel, task.spec)
    scores = evaluate(built, gaps, "val", micro_batch=MicroBatch(256)).scores
    assert scores.val_mae == pytest.approx(2.0)  # 1, 3 and 2
    assert scores.val_mse == pytest.approx(14 / 3)  # 1, 9 and 4
    assert scores.val_loss == pytest.approx(4.5)  # windows: (1 + 9) / 2 and 4


@pytest.mark.parametrize("batch_size", [256, 3, 1])
def test_each_windows_own_errors_are_kept_in_the_order_of_the_part(
    built: Toy, task: ForecastTask, batch_size: int
) -> None:
    """The forecast is 0, so errors are targets: seven times (4, 4), (1, -3), (2, missing); the last window has none."""
    values = np.full(ROWS, 4.0)
    values[174:180] = [1.0, -3.0, 2.0, np.nan, np.nan, np.nan]
    panel = Panel.from_series("gaps", {"a": values})
    with torch.no_grad():
        for parameter in built.module.parameters():
            parameter.zero_()
    windows = ForecastTask(panel, task.spec)
    evaluation = evaluate(built, windows, "val", micro_batch=MicroBatch(batch_size))
    errors = evaluation.scaled.per_window()
    assert errors["mae"].tolist() == [*7 * [4.0], 2.0, 2.0]
    assert errors["mse"].tolist() == [*7 * [16.0], 5.0, 4.0]
    assert errors["rmse"] == pytest.approx([*7 * [4.0], 5**0.5, 2.0])
    shares = evaluation.windows.shares
    assert shares["val_loss"].tolist() == [*7 * [16.0], 5.0, 4.0]
    assert shares["val_mae"] == pytest.approx(np.array([*7 * [8.0], 4.0, 2.0]) * 9 / 17)  # of 17 points in 9 windows
    assert evaluation.windows.series.tolist() == 9 * [0]
    assert evaluation.scores.val_loss == pytest.approx(121 / 9)
    assert evaluation.scores.val_mse == pytest.approx((1 + 9 + 4 + 14 * 16) / 17)  # over points, not windows


def test_evaluation_draws_the_same_samples_every_time_and_disturbs_no_other_draw(task: ForecastTask) -> None:
    model = Sampler()
    model.build(check_hyper(Toy, HYPER), task)
    torch.manual_seed(1)
    untouched = torch.rand(3)
    torch.manual_seed(1)
    first = evaluate(model, task, "val", micro_batch=MicroBatch(256)).scores
    assert torch.equal(torch.rand(3), untouched)
    assert evaluate(model, task, "val", micro_batch=MicroBatch(256)).scores == first


@pytest.mark.parametrize("is_training", [True, False])
def test_evaluation_leaves_the_model_in_its_mode(is_training: bool, built: Toy, task: ForecastTask) -> None:
    built.module.train(is_training)
    scores = evaluate(built, task, "val", micro_batch=MicroBatch(256)).scores
    assert built.module.training is is_training
    assert evaluate(built, task, "val", micro_batch=MicroBatch(256)).scores == scores  # no dropout in it
