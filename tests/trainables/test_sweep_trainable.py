"""The specification of trainables/sweep_trainable.py: a model that says nothing about itself gets the defaults."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from data.panel import Panel
from data.task.task import ForecastTask, TaskSpec
from trainables.base import Forecast, ForecastTrainable, check_hyper
from trainables.hyper import Hyper
from trainables.sweep_trainable import SweepTrainable, as_sweep_trainable
from trainables.trial.report import Scores


class Narrow(ForecastTrainable[Hyper]):
    """A linear layer, with no more than a trial needs."""

    def build(self, hyper: Hyper, task: ForecastTask) -> nn.Module:
        self.module = nn.Linear(task.context_length, task.prediction_length)
        return self.module

    def loss(self, batch) -> Tensor:
        return (self.module(batch.context) - batch.target).square().mean(1)

    def forecast(self, batch) -> Forecast:
        return Forecast(self.module(batch.context))

    def save_pretrained(self, folder: Path) -> None:
        torch.save(self.module.state_dict(), folder / "model.pt")


@pytest.fixture
def hours() -> ForecastTask:
    panel = Panel.from_series("hours", {"a": np.arange(400) % 24}, freq="h")
    return ForecastTask(panel, TaskSpec(context_length=48, prediction_length=6, eval_stride=6))


@pytest.fixture
def hyper() -> Hyper:
    return check_hyper(Narrow, {"lr": 1e-3, "epochs": 1, "batch_size": 8})


def test_a_model_with_the_four_methods_serves_a_sweep(hours: ForecastTask, hyper: Hyper) -> None:
    model = as_sweep_trainable(Narrow)()
    assert isinstance(model, Narrow)
    assert model.preview(hyper, hours) == len(hours.train)
    assert model.workload(hyper, hours) is None
    assert model.about() == []
    assert model.compare(hyper, hours, scores=Scores(), baselines={}) == {}
    assert (model.initial_name, model.corpus, type(model).recognises({"model_type": "x"})) == (
        "zero-shot",
        False,
        False,
    )


def test_its_name_and_its_words_stay(hours: ForecastTask) -> None:
    model = as_sweep_trainable(Narrow)
    assert (model.__name__, model.__module__, model.__doc__) == (Narrow.__name__, Narrow.__module__, Narrow.__doc__)


def test_a_model_is_made_one_for_sweeps_once_and_one_that_is_stays_itself() -> None:
    assert as_sweep_trainable(Narrow) is as_sweep_trainable(Narrow)

    class Own(SweepTrainable[Hyper]):
        pass

    assert as_sweep_trainable(Own) is Own


def test_the_baseline_repeats_the_season_where_the_context_holds_one(hours: ForecastTask, hyper: Hyper) -> None:
    baselines = as_sweep_trainable(Narrow)().baselines(hyper, hours)
    assert list(baselines) == ["seasonal-naive"]
    batch = next(hours.gather("val").batches(4))
    assert torch.equal(baselines["seasonal-naive"](batch), batch.target)  # hours of a day, again and again


def test_the_baseline_repeats_the_last_value_where_it_does_not(hours: ForecastTask, hyper: Hyper) -> None:
    short = ForecastTask(hours.panel, TaskSpec(context_length=12, prediction_length=6, eval_stride=6))
    baselines = as_sweep_trainable(Narrow)().baselines(hyper, short)
    assert list(baselines) == ["naive"]
    batch = next(short.gather("val").batches(4))
    assert torch.equal(baselines["naive"](batch), batch.context[:, -1:].expand(-1, 6))
