"""What sweeps, pages and the command line ask of a model beside training it; all of it has a default."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from data.naive import season_length, seasonal_naive
from data.task.task import ForecastTask
from data.task.windows import Batch
from trainables.base import Forecast, ForecastTrainable, HyperT, Trainable, windows_to_train_on
from trainables.hyper import ONLY_FORECASTS, Hyper
from trainables.trial.report import ZERO_SHOT, Scores
from trainables.workload import Workload

PointForecaster = Callable[[Batch], Tensor]  # gives (batch, prediction_length)


def naive_baseline(task: ForecastTask) -> tuple[str, PointForecaster]:
    """Return the forecast that repeats the last season, or the last value where there is none, and its name."""
    season = season_length(task.panel.freq)
    name = "seasonal-naive" if 1 < season <= task.context_length else "naive"
    return name, lambda batch: seasonal_naive(batch.context, task.prediction_length, season)


class SweepTrainable(ForecastTrainable[HyperT]):
    """A trainable that says more about itself. Optional: a model without it gets these defaults.

    initial_name: what the model is at epoch 0, untrained where it has not learned to forecast yet.
    corpus: whether a folder of files is read as a corpus, gaps filled, files that are no series left out.
    inference: values for the hyperparameters without a default, for a model that only forecasts.
    """

    initial_name: ClassVar[str] = ZERO_SHOT
    corpus: ClassVar[bool] = False
    inference: ClassVar[Mapping[str, object]] = {}

    # --- checkpoints

    @classmethod
    def recognises(cls, config: Mapping[str, object]) -> bool:
        """Return whether a checkpoint with this config.json is of this model."""
        return False

    @classmethod
    def hyper_for_checkpoint(cls, pretrained: str) -> Hyper:
        """Give hyperparameters that build a checkpoint to forecast with it, as it is."""
        values = {**ONLY_FORECASTS, "pretrained": pretrained, **cls.inference}
        return cls.hyper_type.model_validate(values)

    def rebuild(self, folder: Path, hyper: HyperT, task: ForecastTask) -> nn.Module:
        """Build the model from what `save_pretrained` wrote."""
        return self.build(hyper.model_copy(update={"pretrained": str(folder)}), task)

    def forecast_apart(self, batch: Batch, seed: int) -> Forecast:
        """Forecast each window as if it were alone, whatever is beside it; a model that draws samples seeds each.

        Equal to `forecast` of one window after `torch.manual_seed(seed)`, but for the rounding of batched products.
        """
        return self.forecast(batch)

    def about(self) -> list[str]:
        """Give sentences of Markdown for the model card: what one must know to use the checkpoint."""
        return []

    # --- before a sweep

    def preview(self, hyper: HyperT, task: ForecastTask) -> int:
        """Check that the model loads and fits, and return its number of training windows."""
        self.build(hyper, task)
        return len(windows_to_train_on(self, hyper, task, torch.device("cpu")))

    def fall_backs(self, hyper: HyperT) -> dict[str, str]:
        """Name what a configuration leaves open and this machine cannot do best: in a few words for a trial's record,
        and in a sentence, with the reason, for the plan."""
        return {}

    @classmethod
    def workload(cls, hyper: HyperT, task: ForecastTask) -> Workload | None:
        """Count what a trial costs, from configuration files alone; None where it is not known."""
        return None

    # --- beside the trials

    def baselines(self, hyper: HyperT, task: ForecastTask) -> dict[str, PointForecaster]:
        """Name the forecasters that the leaderboard lists beside the trials; the batch may have val features."""
        return dict([naive_baseline(task)])

    def point_loss(self, point: Tensor, batch: Batch) -> Tensor | None:
        """Give val_loss of any point forecast of a batch, (batch,); None where the loss needs a distribution."""
        return None

    def compare(
        self, hyper: HyperT, task: ForecastTask, *, scores: Scores, baselines: Mapping[str, Scores]
    ) -> dict[str, str]:
        """Say after a search, in a sentence by name, what else the best trial's model is worth; both on validation."""
        return {}


SweepModel = SweepTrainable[Hyper]


@lru_cache
def as_sweep_trainable(model: type[Trainable]) -> type[SweepModel]:
    """Return a model's class with the defaults of SweepTrainable, where it does without."""
    if issubclass(model, SweepTrainable):
        return model
    return type(model.__name__, (model, SweepTrainable), {"__module__": model.__module__, "__doc__": model.__doc__})
