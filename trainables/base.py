"""The narrow interface that a model implements to be fine-tuned; everything else stands once, in its siblings."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from data.errors import UserError
from data.naive import season_length, seasonal_naive
from data.task.task import ForecastTask, Part
from data.task.windows import Batch, WindowGather
from trainables.hyper import Hyper as SharedHyper

QUANTILE_LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


class CheckpointError(UserError):
    """A model folder or id that cannot be loaded."""


class HyperError(UserError):
    """Hyperparameters that the chosen model, data or machine cannot honour."""


@dataclass(frozen=True)
class Forecast:
    """A forecast for each window, in the units of the batch.

    point: (batch, prediction_length), the median where the model knows a distribution.
    quantiles: (batch, len(QUANTILE_LEVELS), prediction_length), or None for a point forecaster.
    """

    point: Tensor
    quantiles: Tensor | None = None


@dataclass(frozen=True)
class Workload:
    """What a trial costs, counted from the sizes of its model and task, not measured.

    parameters, trainable: numbers of weights. weight_bytes: all weights as they lie in memory.
    train_flops, eval_flops: of one window, forward and backward, and forward alone; step_flops: of what every
    optimiser step computes once, whatever its batch. activation_bytes: of one training window.
    """

    parameters: int
    trainable: int
    weight_bytes: int
    train_flops: float
    eval_flops: float
    step_flops: float
    activation_bytes: int


PointForecaster = Callable[[Batch], Tensor]  # gives (batch, prediction_length)


class ForecastTrainable(ABC):
    """A time-series model that can be fine-tuned: one instance a trial, `build` first.

    A new model is one file with a subclass of this, and one search space that names it.
    """

    Hyper: ClassVar[type[SharedHyper]] = SharedHyper
    betas: ClassVar[tuple[float, float]] = (0.9, 0.999)
    eps: ClassVar[float] = 1e-8
    start_name: ClassVar[str] = "zero-shot"  # what epoch 0 is; "untrained" where it has not learned to forecast yet
    features_name: ClassVar[str] = "what is frozen"  # what `features` computes, to tell a person who waits for it
    structure: ClassVar[tuple[str, ...]] = ()  # hyperparameters that are sizes of the model; a checkpoint sets them
    one_value: ClassVar[tuple[str, ...]] = ()  # hyperparameters that all trials of a sweep share
    corpus: ClassVar[bool] = False  # reads a folder as a corpus: values mended, files that are no series left out
    inference: ClassVar[Mapping[str, Any]] = {}  # hyperparameters without a default, for a model that only forecasts

    module: nn.Module

    @abstractmethod
    def build(self, hyper: Any, task: ForecastTask) -> nn.Module:
        """Load the weights and set requires_grad by the strategy; the module is trained where it is moved to.

        Raises CheckpointError or HyperError for what a person can mend.
        """

    @abstractmethod
    def loss(self, batch: Batch) -> Tensor:
        """Give the training loss of each window, (batch,); the mean over windows is minimised."""

    @abstractmethod
    def forecast(self, batch: Batch) -> Forecast:
        """Forecast each window from batch.context alone (and batch.features, made of it)."""

    @abstractmethod
    def save_pretrained(self, folder: Path) -> None:
        """Write the model in its own format, loadable by its own `from_pretrained`."""

    # What follows has a default that fits most models.

    def check(self, hyper: Any, task: ForecastTask) -> None:  # noqa: B027
        """Refuse, before any work, values that do not fit the task: raises HyperError."""

    @classmethod
    def recognises(cls, config: Mapping[str, Any]) -> bool:
        """Tell by its config.json whether a checkpoint is of this model."""
        return False

    @classmethod
    def untouched(cls, pretrained: str) -> SharedHyper:
        """Give hyperparameters that build a checkpoint to forecast with it, as it is."""
        return cls.Hyper(lr=1e-5, epochs=1, batch_size=1, **{"pretrained": pretrained, **cls.inference})

    def training_windows(self, hyper: Any, task: ForecastTask, device: torch.device) -> WindowGather:
        """Give the windows to train on; a model that trains on whole sequences makes its own of the train rows."""
        return task.gather("train", device)

    def preview(self, hyper: Any, task: ForecastTask) -> int:
        """Check before a sweep that the model loads and fits, and return its number of training windows."""
        self.build(hyper, task)
        return len(self.training_windows(hyper, task, torch.device("cpu")))

    def starting_point(self, hyper: Any) -> str:
        """Name the untouched model: trials with the same name share one evaluation of epoch 0."""
        return "start"

    def about(self) -> list[str]:
        """Tell in sentences of Markdown, for the model card, what one must know to use the checkpoint."""
        return []

    def rebuild(self, folder: Path, hyper: Any, task: ForecastTask) -> nn.Module:
        """Build the model from what `save_pretrained` wrote."""
        return self.build(hyper.model_copy(update={"pretrained": str(folder)}), task)

    def validate(self, batch: Batch) -> tuple[Tensor, Forecast]:
        """Give loss and forecast of a batch; overridden where both come from one forward pass."""
        return self.loss(batch), self.forecast(batch)

    def point_loss(self, point: Tensor, batch: Batch) -> Tensor | None:
        """Give val_loss of any point forecast of a batch, (batch,); None where the loss needs a distribution."""
        return None

    def extra_scores(self, point: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Give further scores of each window, (batch,), by names like val_distill; reported, and never decided by."""
        return {}

    def baselines(self, hyper: Any, task: ForecastTask) -> dict[str, PointForecaster]:
        """Name the forecasters that stand beside the trials on the leaderboard; the batch may have val features."""
        season = season_length(task.panel.freq)
        name = "seasonal-naive" if 1 < season <= task.context_length else "naive"
        return {name: lambda batch: seasonal_naive(batch.context, task.prediction_length, season)}

    def compare(
        self, hyper: Any, task: ForecastTask, *, scores: Mapping[str, float], baselines: Mapping[str, Mapping[str, Any]]
    ) -> dict[str, str]:
        """Say after a search, in a sentence by name, what else the best trial's model is worth; both on validation."""
        return {}

    @classmethod
    def workload(cls, hyper: Any, task: ForecastTask) -> Workload | None:
        """Count what a trial costs, from configuration files alone; None where it is not known."""
        return None

    def decays(self, name: str, parameter: nn.Parameter) -> bool:
        """Tell whether weight decay acts on a parameter; biases and one-dimensional weights are spared."""
        return parameter.ndim > 1 and not name.endswith("bias")

    def frozen_part(self, hyper: Any, part: Part) -> str | None:
        """Name what this trial's frozen part computes of the windows of train or val, alike in all trials of one name.

        None where something trainable stands before it, or where it is not needed.
        """
        return None

    def features(self, batch: Batch) -> Tensor:
        """Compute what the frozen part gives for a batch, (batch, ...); kept once a sweep as batch.features.

        Floating-point numbers, or whole ones, (batch, longest), with -1 after the end of shorter ones.
        """
        raise NotImplementedError

    # Shared by all models.

    eval_batch_size = 256  # windows measured at once; a model whose forecasts depend on their batch sets its own

    def trainable_tensors(self) -> dict[str, Tensor]:
        """The tensors that this trial trains, by name; all that a checkpoint of it must hold."""
        return {name: p for name, p in self.module.named_parameters() if p.requires_grad}

    def load_trainable_tensors(self, tensors: dict[str, Tensor]) -> None:
        """Put trained tensors back; raises CheckpointError if names differ."""
        own = self.trainable_tensors()
        if own.keys() != tensors.keys():
            raise CheckpointError(
                f"a checkpoint must hold the tensors that its trial trains; "
                f"{len(own.keys() ^ tensors.keys())} names differ; the trial's hyperparameters were changed"
            )
        with torch.no_grad():
            for name, parameter in own.items():
                parameter.copy_(tensors[name])

    def frozen_weights_hash(self) -> str:
        """Return the sha256 of the weights that this trial leaves alone."""
        digest = hashlib.sha256()
        for name, parameter in self.module.named_parameters():
            if not parameter.requires_grad:
                digest.update(name.encode())
                digest.update(parameter.detach().cpu().numpy().tobytes())
        return digest.hexdigest()

    def optimizer(self, hyper: SharedHyper) -> torch.optim.AdamW:
        """AdamW over the trainable parameters, with and without weight decay."""
        decayed: list[Tensor] = []
        spared: list[Tensor] = []
        for name, parameter in self.module.named_parameters():
            if parameter.requires_grad:
                (decayed if self.decays(name, parameter) else spared).append(parameter)
        groups = [
            {"params": decayed, "weight_decay": hyper.weight_decay},
            {"params": spared, "weight_decay": 0.0},
        ]
        groups = [g for g in groups if g["params"]]
        return torch.optim.AdamW(groups, lr=hyper.lr, betas=self.betas, eps=self.eps)


def freeze(module: nn.Module, *, trains: Any, strategy: str) -> None:
    """Set requires_grad to trains(name) for every parameter; some must train and, unless `full`, some must not.

    Raises HyperError if the strategy would train nothing or freeze nothing.
    """
    kept = 0
    total = 0
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(bool(trains(name)))
        kept += parameter.requires_grad
        total += 1
    if kept == 0 or (kept == total) != (strategy == "full"):
        raise HyperError(
            f"strategy {strategy} must train some parameters and freeze some unless it is full; "
            f"it trains {kept} of {total}; choose another strategy for this checkpoint"
        )
