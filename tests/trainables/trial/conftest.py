"""Two noisy waves, and a toy that has seen nothing."""

from __future__ import annotations

import numpy as np
import pytest

from data.panel import Panel
from data.task.task import ForecastTask, TaskSpec
from tests.trainables.trial.toy_trial import (
    CONTEXT,
    PREDICTION,
    ROWS,
    Toy,
)


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start each test with a toy that has seen nothing and lacks nothing."""
    fresh = {"fits": None, "saves": None, "nan_from": None, "dies_at": None, "evaluations": 0, "feature_calls": 0}
    for name, value in {**fresh, "loss_sizes": [], "seen": []}.items():
        monkeypatch.setattr(Toy, name, value)


@pytest.fixture(scope="module")
def task() -> ForecastTask:
    """Two noisy waves."""
    noise = np.random.default_rng(0).normal(0, 0.1, (2, ROWS))
    waves = {name: np.sin(np.arange(ROWS) / 3 + i) + noise[i] for i, name in enumerate("ab")}
    spec = TaskSpec(context_length=CONTEXT, prediction_length=PREDICTION, train_stride=4, eval_stride=2)
    return ForecastTask(Panel.from_series("waves", waves), spec)
