"""Several checkpoints on the same windows, each as a leaderboard measures it, beside the naive forecast."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from data.errors import UserError
from data.readers.panel_reader import read_panel
from data.task.task import ForecastTask
from data.task.task_spec import TaskSpec
from tests.tune.forecasts.measured import SHORT, TOY, Export, Jsonl, measured, refusal
from trainables.base import check_hyper
from trainables.device.memory import MicroBatch
from trainables.trial.evaluation import evaluate as evaluate_trial
from tune.forecasts.request import ForecastRequest
from tune.forecasts.side_by_side import SideBySide, evaluate_side_by_side
from tune.registry import find_trainable

LENGTHS: dict[str, Any] = {"context_length": 48, "prediction_length": 8, "stride": 8}


def side_by_side(*names: object, **asked: Any) -> SideBySide:
    texts = [str(name) for name in names]
    return evaluate_side_by_side(ForecastRequest(texts[0], trust=TOY, gpus=0, **asked), texts)


@pytest.fixture
def folder(export: Export, two: Path) -> Path:
    return export(two, split="rows:0", **SHORT)


def test_the_naive_forecast_of_the_same_windows_is_beside_it(folder: Path) -> None:
    # the last value, twice: errors 4 8 4 8 of a, 0 0 2 4 of b; the model, 1 more: 3.25 and 16
    found = side_by_side(folder)
    assert found.baseline.name == "naive"
    assert (found.baseline.units.mae, found.baseline.units.mse) == (30 / 8, 180 / 8)
    assert (found.best.units.mae, found.best.units.mse) == (3.25, 16)
    assert found.gain(found.best.units) == pytest.approx(1 - 3.25 / 3.75)
    assert found.to_dict()["mae"] == 3.25  # one checkpoint's facts are at the top
    assert found.to_dict()["baseline"] == {
        **{"name": "naive", "mae": 3.75, "mse": 22.5, "rmse": 22.5**0.5, "scaled": None},
        **{"mase": 1.5, "wql": pytest.approx(30 / 82), "coverage": None, "width": None},  # a alone has a scale
        "smape": pytest.approx((8 / 12 + 16 / 16 + 8 / 28 + 16 / 32 + 0 + 0 + 4 / 12 + 8 / 14) / 8),
    }


def test_several_are_measured_on_the_windows_of_the_first_export(folder: Path, time_moe_tiny: Path) -> None:
    found = side_by_side(time_moe_tiny, folder)
    assert [e.assignment.checkpoint.name for e in found.evaluations] == [str(time_moe_tiny), str(folder)]
    assert [e.assignment.norm for e in found.evaluations] == ["context", "none"]
    assert {e.windows.tolist() == [2, 2] for e in found.evaluations} == {True}
    alone = measured(folder)
    assert found.evaluations[1].units == alone.units
    again = measured(
        time_moe_tiny, data=str(alone.assignment.data.path), context_length=2, prediction_length=2, stride=2
    )
    assert found.evaluations[0].units == again.units
    told = found.to_dict()
    assert [each["mae"] for each in told["checkpoints"]] == [e.units.mae for e in found.evaluations]  # type: ignore[attr-defined]


def test_the_csv_names_the_checkpoint_of_each_line(folder: Path, tmp_path: Path) -> None:
    other = shutil.copytree(folder, tmp_path / "other")
    side_by_side(folder, other).write_csv(tmp_path / "errors.csv")
    with (tmp_path / "errors.csv").open(newline="") as file:
        lines = [(line["checkpoint"], line["series"], float(line["mae"])) for line in csv.DictReader(file)]
    assert lines == [(str(f), s, mae) for f in (folder, other) for s, mae in (("a", 5.0), ("b", 1.5))]


def test_a_checkpoint_that_does_not_fit_the_windows_is_named(jsonl: Jsonl) -> None:
    data = jsonl(a=[float(i % 24) for i in range(4300)])
    asked = {"data": str(data), "context_length": 4090, "prediction_length": 8, "stride": 100}
    # time-moe-tiny has 4096 positions; moirai-tiny 512 tokens of 32 points
    with pytest.raises(UserError, match=r"^time-moe-tiny: context_length \+ prediction_length must be at most"):
        side_by_side("moirai-tiny", "time-moe-tiny", **asked)


def test_a_checkpoint_is_named_once(folder: Path) -> None:
    with pytest.raises(UserError, match="a checkpoint is measured once"):
        side_by_side(folder, folder)


@pytest.mark.parametrize("scale", ["none", "standard"])
@pytest.mark.parametrize(("name", "trainable"), [("moirai-tiny", "moirai"), ("time-moe-tiny", "time-moe")])
def test_a_checkpoint_as_it_is_has_the_leaderboards_error(jsonl: Jsonl, name: str, trainable: str, scale: str) -> None:
    # a small variation: what a model adds to a variance, such as 1e-5, shows where contexts are scaled once more
    rng, steps = np.random.default_rng(5), np.arange(400)
    data = jsonl(a=(1 + 3e-3 * np.sin(steps / 3) + 1e-3 * rng.normal(size=400)).tolist(), start="2024-01-01", freq="h")
    task = ForecastTask(
        read_panel(data), TaskSpec(context_length=48, prediction_length=8, eval_stride=8, split="ratio", scale=scale)
    )
    model_class = find_trainable(trainable)
    strategy = {"strategy": "full", "pretrained": name}
    hyper = check_hyper(model_class, {"lr": 1e-5, "epochs": 1, "batch_size": 4, **strategy})
    model = model_class()
    model.build(hyper, task)
    with torch.no_grad():
        trial = evaluate_trial(model, task, "val", micro_batch=MicroBatch(model.eval_batch_size))
    found = measured(Path(name), data=str(data), split="ratio", scale=scale, **LENGTHS)
    errors = found.units if found.scaled is None else found.scaled
    assert errors.mae == pytest.approx(trial.scores.val_mae, rel=1e-6)
    assert errors.mse == pytest.approx(trial.scores.val_mse, rel=1e-6)


def test_a_scale_without_train_rows_names_the_split_it_needs(two: Path) -> None:
    told = refusal(folder=Path("moirai-tiny"), data=str(two), context_length=2, prediction_length=2, scale="standard")
    assert "--scale standard goes by each series' train rows" in told
    assert "add --split ratio" in told


def test_a_model_with_quantiles_has_an_interval_and_a_quantile_loss_of_its_own(waves: Path) -> None:
    found = side_by_side("moirai-tiny", "time-moe-tiny", data=str(waves), **LENGTHS)
    moirai, time_moe = (evaluation.units for evaluation in found.evaluations)
    assert moirai.coverage is not None
    assert moirai.width is not None
    assert 0 < moirai.coverage < 1
    assert moirai.width > 0
    assert (time_moe.coverage, time_moe.width) == (None, None)
    assert found.baseline.name == "seasonal-naive"
    targets = time_moe.mae / (time_moe.wql or 0)  # of points alone: absolute errors over targets
    assert moirai.wql is not None
    assert moirai.wql < moirai.mae / targets  # a distribution loses less than its median alone
