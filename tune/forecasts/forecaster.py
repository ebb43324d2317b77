"""A checkpoint ready to forecast: found, built, on a device, its contexts normalised outside of it and put back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError
from torch import Tensor, nn

from data.errors import UserError
from data.files import expand, parse_json
from data.normalization import context_normalization
from data.samples.bundled import PRETRAINED
from data.task.task import ForecastTask
from data.task.task_spec import TaskSpec
from data.task.windows import Batch
from trainables.base import Forecast, check_hyper
from trainables.checkpoints.pretrained import read_config
from trainables.device.precision import autocast, resolved
from trainables.errors import CheckpointError
from trainables.hyper import Hyper
from trainables.sweep_trainable import SweepModel
from trainables.trial.evaluation import SAMPLING_SEED, same_draws
from tune.records.spec import DataSource
from tune.registry import find_checkpoints_trainable, find_trainable, recognise_trainable
from tune.validation_messages import validation_messages

RECORD_FILE = "foretune.json"
# How a trial was computed, not what its model is: a machine without a GPU takes the defaults instead.
GPU_FIELDS = ("precision", "attention")

Norm = Literal["context", "series", "none"]
NORMS: tuple[Norm, ...] = ("context", "series", "none")


class RecordedTask(TaskSpec):
    """A task's spec among its other facts. freq: the step of its series, None if it is unknown."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    freq: str | None = None


class ExportRecord(BaseModel):
    """What an exported folder's foretune.json says of its checkpoint; its other facts are for people."""

    sweep: str = ""
    trial_id: str = ""
    trainable: str
    hyperparameters: dict[str, object]
    task: RecordedTask
    data: DataSource

    @classmethod
    def read(cls, path: Path) -> ExportRecord:
        """Read it; CheckpointError if it is no export's."""
        try:
            return cls.model_validate(parse_json(path.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:  # json's and pydantic's are ValueErrors
            reason = str(error)
            if isinstance(error, ValidationError):
                reason = ", ".join(
                    f"{field} {message}".strip() for field, message in validation_messages(error).items()
                )
            raise CheckpointError(
                f"{path}: cannot be read as the record of an export ({reason}); export the trial again"
            ) from error


@dataclass(frozen=True, eq=False)
class Loaded:
    """A model with its weights, on a device, and the precision it computes in."""

    model: SweepModel
    precision: str
    device: torch.device


@dataclass(frozen=True)
class Checkpoint:
    """A model that can be built.

    name: as it was typed; trainable: the name of its class; export: what its folder records, None if it is no export.
    """

    name: str
    trainable: str
    model_class: type[SweepModel]
    export: ExportRecord | None = None

    @property
    def folder(self) -> Path:
        return expand(self.name).absolute()

    @property
    def title(self) -> str:
        """What messages call it."""
        trainable = Path(self.trainable).stem if self.trainable.endswith(".py") else self.trainable
        origin = "as it is" if self.export is None else f"{self.export.sweep} {self.export.trial_id}".strip()
        return f"{self.name} ({', '.join(part for part in (trainable, origin) if part)})"

    def load(self, task: ForecastTask, device: torch.device) -> Loaded:
        """Build the model on a device; CheckpointError or HyperError for what the user can fix."""
        model = self.model_class()
        if self.export is None:
            hyper = resolved(self.model_class.hyper_for_checkpoint(self.name), device)
            module = model.build(hyper, task)
        else:
            values = {**self.export.hyperparameters, **self.model_class.inference}
            if device.type == "cpu":
                values = {key: value for key, value in values.items() if key not in GPU_FIELDS}
            hyper = resolved(check_hyper(self.model_class, values), device)
            module = self._rebuild(model, hyper, task)
        module.to(device).eval()
        return Loaded(model, hyper.precision, device)

    def _rebuild(self, model: SweepModel, hyper: Hyper, task: ForecastTask) -> nn.Module:
        """Build an export's model; whatever its code and its files fail of is the checkpoint's fault."""
        try:
            return model.rebuild(self.folder, hyper, task)
        except (UserError, torch.OutOfMemoryError):
            raise
        except Exception as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise CheckpointError(
                f"{self.name}: the checkpoint cannot be loaded ({reason}); export the trial again"
            ) from error


def open_checkpoint(name: str, trusted: str | None = None) -> Checkpoint:
    """Find an exported folder, a folder with a config.json, a bundled model, or a Hub id, in this order.

    trusted: the user's file or module, where the export is of a model of their own. Raises CheckpointError if there
    is none, TrainableError if it is of no known model or of one that is not trusted.
    """
    folder = expand(name)
    if name not in PRETRAINED and (folder / RECORD_FILE).is_file():
        export = ExportRecord.read(folder / RECORD_FILE)
        return Checkpoint(name, export.trainable, find_checkpoints_trainable(export.trainable, trusted, name), export)
    if name not in PRETRAINED and (folder / "best" / RECORD_FILE).is_file():
        raise CheckpointError(f"{name} is a sweep's folder; give the checkpoint in it: {folder / 'best'}")
    trainable = recognise_trainable(read_config(name), name)
    return Checkpoint(name, trainable, find_trainable(trainable))


class Forecaster:
    """A loaded model that forecasts windows, each normalised before the model sees it and its forecast put back.

    norm: 'context' normalises a window by its context's own mean and population deviation (0 becomes 1), 'series' by
    those of its series, 'none' not at all.
    normalization: mean and deviation of each series, each (n_series,), in the units of the batches; NaN is taken as
    0 and 1.
    """

    def __init__(
        self, loaded: Loaded, norm: Norm, normalization: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
    ) -> None:
        assert norm != "series" or normalization is not None
        self.loaded = loaded
        self.norm = norm
        self._normalization = None
        if normalization is not None:
            mean, deviation = (torch.from_numpy(m).to(loaded.device) for m in normalization)
            self._normalization = mean.nan_to_num(), deviation.nan_to_num(1.0)

    @property
    def device(self) -> torch.device:
        return self.loaded.device

    def forecast(self, batch: Batch) -> Forecast:
        """Forecast each window in the units of the batch and the type of its context."""
        return self._forecast(batch, self.loaded.model.forecast)

    def forecast_apart(self, batch: Batch) -> Forecast:
        """Do the same, each window as if it were alone: its draws do not depend on what is beside it."""
        with same_draws(self.device):
            return self._forecast(batch, lambda batch: self.loaded.model.forecast_apart(batch, SAMPLING_SEED))

    @torch.no_grad()
    def _forecast(self, batch: Batch, model: Callable[[Batch], Forecast]) -> Forecast:
        mean, deviation = self.normalization(batch)
        context = ((batch.context - mean) / deviation).float()
        unknown = torch.full_like(batch.target, torch.nan, dtype=torch.float32)  # no forecast can look at it
        with autocast(self.device, self.loaded.precision):
            found = model(Batch(context, unknown, batch.series, batch.ids))
        kind = batch.context.dtype
        point = found.point.float().to(kind) * deviation + mean
        if found.quantiles is None:
            return Forecast(point)
        return Forecast(point, found.quantiles.float().to(kind) * deviation[:, None] + mean[:, None])

    def normalization(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the mean and the deviation that each context is normalised by, each (batch, 1)."""
        if self.norm == "context":
            return context_normalization(batch.context)
        if self.norm == "none":
            zeros = batch.context.new_zeros(len(batch.context), 1)
            return zeros, zeros + 1
        assert self._normalization is not None
        mean, deviation = (m[batch.series, None].to(batch.context.dtype) for m in self._normalization)
        return mean, deviation
