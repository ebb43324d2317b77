"""Two noisy daily waves with gaps, and hyperparameters small enough for seconds."""

import numpy as np
import pytest

from data.panel import Panel
from data.task.task import ForecastTask, TaskSpec
from trainables.base import check_hyper
from trainables.moirai_distill import MoiraiDistill

VALUES = {
    "lr": 1e-3,
    "epochs": 2,
    "batch_size": 8,
    "teacher": "moirai-tiny",
    "num_samples": 10,
    "d_model": 16,
    "n_heads": 2,
    "n_layers": 1,
    "dropout": 0.0,
}


@pytest.fixture(scope="package")
def task():
    rng = np.random.default_rng(3)
    steps = np.arange(600)
    values = {f"s{i}": 5 + i + 2 * np.sin(2 * np.pi * steps / 24 + i) + rng.normal(0, 0.3, 600) for i in range(2)}
    values["s0"][50:60] = np.nan
    panel = Panel.from_series("waves", {k: v.astype(np.float32) for k, v in values.items()}, freq="h")
    spec = TaskSpec(context_length=64, prediction_length=12, train_stride=24, eval_stride=12, scale="standard")
    return ForecastTask(panel, spec)


@pytest.fixture
def build(task):
    """Builds a model of these hyperparameters, and returns it with them."""

    def built(**changes):
        model = MoiraiDistill()
        hyper = check_hyper(MoiraiDistill, {**VALUES, **changes})
        model.build(hyper, task)
        return model, hyper

    return built


@pytest.fixture
def values():
    return VALUES
