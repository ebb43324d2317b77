"""The specification of tune/forecasts/forecaster.py: real models, measured from their exports as in their trials."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from data.readers.panel_reader import read_panel
from data.task.task import ForecastTask, TaskSpec
from tests.tune.forecasts.measured import Export, measured
from trainables.base import check_hyper
from trainables.device.memory import MicroBatch
from trainables.time_moe.modeling import TimeMoeForPrediction
from trainables.trial import evaluation as trial_evaluation
from tune.forecasts.evaluation import evaluate
from tune.forecasts.request import ForecastRequest
from tune.registry import find_trainable

SPEC = {"context_length": 64, "prediction_length": 12, "eval_stride": 5, "split": "ratio", "scale": "standard"}


def trial_scores(trainable: str, hyper: dict[str, Any], data: Path) -> tuple[Callable[..., None], dict[str, float]]:
    """What a sweep's validation measures of a model, and how its export is written."""
    task = ForecastTask(read_panel(data), TaskSpec(**SPEC))
    model = find_trainable(trainable)()
    model.build(check_hyper(type(model), {"lr": 1e-4, "epochs": 2, "batch_size": 4, **hyper}), task)
    scores = trial_evaluation.evaluate(model, task, "val", micro_batch=MicroBatch(256)).scores
    return lambda folder, _: model.save_pretrained(folder), scores.to_row()


@pytest.mark.parametrize("norm", ["context", "series", "none"])
def test_an_exported_time_moe_gives_its_trials_figures_again(
    export: Export, waves: Path, time_moe_tiny: Path, norm: str
) -> None:
    hyper = {"pretrained": str(time_moe_tiny), "strategy": "heads_only", "norm": norm, "max_length": 64}
    save, scores = trial_scores("time-moe", hyper, waves)
    found = measured(export(waves, trainable="time-moe", save=save, hyperparameters=hyper, **SPEC))
    assert found.assignment.norm == norm
    assert found.scaled is not None
    assert found.scaled.mae == pytest.approx(scores["val_mae"], rel=1e-5)
    assert found.scaled.mse == pytest.approx(scores["val_mse"], rel=1e-5)


def test_an_exported_moirai_gives_its_trials_figures_again_and_again(export: Export, waves: Path) -> None:
    """Its forecasts are medians of samples: the same ones every time."""
    hyper = {"pretrained": "moirai-tiny", "strategy": "head_only", "num_samples": 20}
    save, scores = trial_scores("moirai", hyper, waves)
    folder = export(waves, trainable="moirai", save=save, hyperparameters=hyper, **SPEC)
    found = measured(folder)
    assert found.assignment.norm == "none"
    assert found.scaled is not None
    assert found.scaled.mae == pytest.approx(scores["val_mae"], rel=1e-9)
    again = measured(folder)
    assert (again.units, again.mae_by_step.tolist()) == (found.units, found.mae_by_step.tolist())


@pytest.mark.parametrize("name", ["moirai-tiny", "time-moe"])
def test_a_model_that_is_no_export_is_measured_zero_shot(waves: Path, time_moe_tiny: Path, name: str) -> None:
    """Another unit of the data is another unit of the errors, for every model alike."""
    checkpoint = str(time_moe_tiny) if name == "time-moe" else name
    request = ForecastRequest(checkpoint, data=str(waves), context_length=64, prediction_length=12, gpus=0)
    small = evaluate(request, batch_size=16)
    lines = [json.loads(line) for line in waves.read_text().splitlines()]
    for line in lines:
        line["sequence"] = [None if value is None else 1000 * value for value in line["sequence"]]
    waves.write_text("".join(json.dumps(line) + "\n" for line in lines))
    large = evaluate(request, batch_size=16)
    assert small.assignment.norm == ("none" if name == "moirai-tiny" else "context")  # as in a trial
    assert small.assignment.spec.eval_stride == 12  # the prediction length
    assert small.windows.tolist() == [(300 - 64 - 12) // 12 + 1] * 3
    assert large.units.mae == pytest.approx(1000 * small.units.mae, rel=1e-3)


def test_time_moe_errs_as_a_plain_loop_over_the_file_finds(waves: Path, time_moe_tiny: Path) -> None:
    """Window by window from the file's own lines, normalised and put back in numpy, forecast by transformers."""
    model = TimeMoeForPrediction.from_pretrained(time_moe_tiny).eval()
    errors = []
    for line in waves.read_text().splitlines()[::2]:  # s1 has gaps
        values = np.array(json.loads(line)["sequence"])
        for first in range(64, 300 - 12 + 1, 50):
            context = values[first - 64 : first]
            mean, std = context.mean(), context.std()
            scaled = torch.tensor((context - mean) / std, dtype=torch.float32)[None]
            forecast = model.generate(scaled, max_new_tokens=12)[0, 64:].numpy() * std + mean
            errors.append(np.abs(forecast - values[first : first + 12]))
    request = ForecastRequest(
        str(time_moe_tiny), data=str(waves), reading={"columns": ("s0", "s2")}, context_length=64, gpus=0
    )
    found = evaluate(replace(request, prediction_length=12, stride=50, norm="context"), batch_size=4)
    assert found.windows.sum() == len(errors) == 10
    assert found.mae_by_step.tolist() == pytest.approx(np.mean(errors, axis=0).tolist(), rel=1e-4)


def test_batches_of_time_moe_change_nothing_that_matters(waves: Path, time_moe_tiny: Path) -> None:
    request = ForecastRequest(str(time_moe_tiny), data=str(waves), context_length=64, prediction_length=12, gpus=0)
    one, many = evaluate(request, batch_size=7), evaluate(request, batch_size=64)
    assert one.mae_by_step.tolist() == pytest.approx(many.mae_by_step.tolist(), rel=1e-4)
