"""The interface that a model implements to be fine-tuned: four methods, and six more with defaults."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Generic, TypeVar, get_args, get_origin

import torch
from pydantic import ValidationError
from torch import Tensor, nn

from data.task.task import ForecastTask, Part
from data.task.windows import Batch, WindowGather
from trainables.errors import HyperError
from trainables.hyper import Hyper
from trainables.parameters import AdamW

QUANTILE_LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)

HyperT = TypeVar("HyperT", bound=Hyper)


@dataclass(frozen=True)
class Forecast:
    """A forecast for each window, in the units of the batch.

    point: (batch, prediction_length), the median where the model knows a distribution.
    quantiles: (batch, len(QUANTILE_LEVELS), prediction_length), or None for a point forecaster.
    """

    point: Tensor
    quantiles: Tensor | None = None


@dataclass(frozen=True)
class Validation:
    """What a model gives for a batch when it is measured.

    loss: (batch,), reported as val_loss. extra: further scores, each (batch,), by names like val_distill; they are
    reported, and decide nothing.
    """

    loss: Tensor
    forecast: Forecast
    extra: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class FrozenPart:
    """A part of a model that no training changes: its output is computed once a sweep and kept as batch.features.

    name: the same in all trials that may share the output. compute: from a batch to (batch, ...), floating-point
    numbers, or whole ones, (batch, longest), with -1 after the end of shorter rows. title: what it is, for who waits.
    """

    name: str
    compute: Callable[[Batch], Tensor] = field(compare=False)
    title: str = "frozen features"


class ForecastTrainable(ABC, Generic[HyperT]):
    """A time-series model that can be fine-tuned: one instance a trial, `build` first.

    A subclass names its hyperparameters, `class Moirai(ForecastTrainable[MoiraiHyper])`, and implements four methods.
    What sweeps, pages and the command line may ask beside that is in `trainables.sweep_trainable.SweepTrainable`.
    """

    hyper_type: ClassVar[type[Hyper]] = Hyper  # the HyperT of a subclass
    optimizer: ClassVar[AdamW] = AdamW()
    loss_parts: ClassVar[tuple[str, ...]] = ()  # names of the terms of the loss, see `loss_and_parts`
    eval_batch_size: int = 256  # windows measured at once; a model whose forecasts depend on their batch sets its own

    module: nn.Module

    def __init_subclass__(cls, **options: object) -> None:
        super().__init_subclass__(**options)
        for base in getattr(cls, "__orig_bases__", ()):
            origin = get_origin(base)
            if isinstance(origin, type) and issubclass(origin, ForecastTrainable):
                cls.hyper_type = next((a for a in get_args(base) if isinstance(a, type)), cls.hyper_type)
        if "loss" in vars(cls) and "loss_and_parts" not in vars(cls):  # its terms are not those of the class above
            cls.loss_parts, cls.loss_and_parts = (), ForecastTrainable.loss_and_parts  # type: ignore[method-assign]

    @abstractmethod
    def build(self, hyper: HyperT, task: ForecastTask) -> nn.Module:
        """Load the weights and set requires_grad by the strategy; the module is trained where it is moved to.

        Raises CheckpointError or HyperError for what the user can fix.
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

    # Six with defaults.

    def check(self, hyper: HyperT, task: ForecastTask) -> None:
        """Reject, before any work, values that do not fit the task: raises HyperError."""

    def training_windows(self, hyper: HyperT, task: ForecastTask, device: torch.device) -> WindowGather:
        """Give the windows to train on; a model that trains on whole sequences cuts its own from the train rows."""
        return task.gather("train", device)

    def validate(self, batch: Batch) -> Validation:
        """Give loss and forecast of a batch; overridden where both come from one forward pass."""
        return Validation(self.loss(batch), self.forecast(batch))

    def loss_and_parts(self, batch: Batch) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Give the training loss, (batch,), and the terms that it is made of by name, each (batch,).

        The mean of each term over an epoch's windows is reported beside the loss, as train_NAME; nothing is decided by
        it. All names are in `loss_parts`; a term that is left out of a batch is reported as unknown.
        """
        return self.loss(batch), {}

    def frozen_part(self, hyper: HyperT, part: Part) -> FrozenPart | None:
        """Give the part whose output for the windows of train or val may be kept.

        None where something trainable comes before it, or where its output is not needed.
        """
        return None

    def save_memory(self) -> bool:
        """Keep less of the forward pass and compute it again in the backward pass; False where the model cannot.

        Called on the built module, where not even one window fits into memory; the numbers stay the same.
        """
        return False


Trainable = ForecastTrainable[Hyper]


def windows_to_train_on(
    model: ForecastTrainable[HyperT], hyper: HyperT, task: ForecastTask, device: torch.device
) -> WindowGather:
    """Give a model's training windows, or as many of them as the task draws; a trial trains on these."""
    windows, most = model.training_windows(hyper, task, device), task.spec.most_windows("train")
    return windows if most is None else windows.draw(most, task.spec.window_generator("train"))


def check_hyper(model: type[Trainable], values: Mapping[str, object]) -> Hyper:
    """Make a trial's hyperparameters of plain values; HyperError names every wrong one."""
    try:
        return model.hyper_type.model_validate(dict(values))
    except ValidationError as error:
        wrong = [
            f"{'.'.join(map(str, e['loc'])) or 'hyperparameters'}: {e['msg']}, got {e['input']!r}"
            for e in error.errors()
        ]
        raise HyperError(f"{model.__name__}: " + "; ".join(wrong)) from error
