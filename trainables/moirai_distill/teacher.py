"""The teacher: a frozen Moirai, loaded only when a forecast of it is really computed."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import cached_property, lru_cache
from pathlib import Path

import torch
from torch import Tensor

from data.task.task import ForecastTask
from data.task.windows import Batch
from trainables.checkpoints.model_files import fetch_file
from trainables.checkpoints.pretrained import load_pretrained
from trainables.moirai.hyper import MoiraiHyper
from trainables.moirai.trainable import Moirai
from trainables.moirai_distill.hyper import TEACHER

WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")
SEED = 20240202  # of the first window's samples; the next window's is one more
BLOCK = 1 << 20  # bytes read at once


class Teacher:
    """Forecasts of a Moirai that nothing trains.

    windows_forecast: how many windows `quantiles` has computed so far; what was read from a file does not count.
    """

    def __init__(self, hyper: MoiraiHyper, task: ForecastTask) -> None:
        self.hyper, self.task = hyper, task
        self.windows_forecast = 0

    @property
    def name(self) -> str:
        """Name what its forecasts depend on, without loading it: weights, patch size, samples; CheckpointError."""
        return f"{self.weights_hash} patch_size={self.hyper.patch_size} num_samples={self.hyper.num_samples}"

    @cached_property
    def weights_hash(self) -> str:
        """The sha256 of its files; raises CheckpointError if they cannot be had."""
        return load_pretrained(self.hyper.pretrained, _hash_files, TEACHER)

    @cached_property
    def model(self) -> Moirai:
        """The Moirai, loaded at the first call; raises CheckpointError or HyperError."""
        model = Moirai()
        with torch.random.fork_rng(devices=[]):  # its weights are drawn before they are read
            model.build(self.hyper, self.task).requires_grad_(False).eval()
        return model

    def on(self, device: torch.device) -> Moirai:
        """Return the Moirai, moved to a device."""
        self.model.module.to(device)
        return self.model

    @property
    def parameters(self) -> int:
        """Number of weights of the whole checkpoint, those of other patch sizes included."""
        return self.model.module.checkpoint_parameters

    @torch.no_grad()
    def quantiles(self, batch: Batch) -> Tensor:
        """Forecast QUANTILE_LEVELS in the units of the batch, (batch, level, prediction_length) float32.

        Moirai draws samples. Each window's come from a seed of its own number, and the draws of all others are left
        alone: a forecast does not depend on how windows are batched, but for what rounding in the encoder, which
        takes the batch as a whole, makes of it. One by one costs no more on a CPU, where drawing is the work.
        """
        model = self.on(batch.context.device)
        states = model.prediction_states(batch)
        device = batch.context.device
        forecasts = []
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            for row, number in enumerate(batch.ids.tolist()):
                torch.manual_seed(SEED + number)
                forecast = model.forecast(_one(batch, row, states))
                assert forecast.quantiles is not None
                forecasts.append(forecast.quantiles)
        self.windows_forecast += len(batch.ids)
        return torch.cat(forecasts).float()


@lru_cache(maxsize=4)  # a sweep's configurations have one teacher, and loading it takes seconds
def check_teacher(hyper: MoiraiHyper, task: ForecastTask) -> None:
    """Check that a teacher's files can be had, load, and take the task; raises CheckpointError or HyperError."""
    teacher = Teacher(hyper, task)
    _ = teacher.weights_hash  # before the model, whose own messages know no teacher
    _ = teacher.model


def _one(batch: Batch, row: int, states: Tensor) -> Batch:
    """Return one window of a batch, with the encoder's states of it as its features."""
    here = slice(row, row + 1)
    return replace(
        batch,
        context=batch.context[here],
        target=batch.target[here],
        series=batch.series[here],
        ids=batch.ids[here],
        features=states[here],
    )


def _hash_files(source: str) -> str:
    paths = [fetch_file(source, names) for names in (("config.json",), WEIGHT_FILES)]
    return "".join(_hash_file(path, path.stat().st_mtime_ns, path.stat().st_size) for path in paths)


@lru_cache(maxsize=8)
def _hash_file(path: Path, changed: int, size: int) -> str:
    """Return the first half of a file's sha256; read again only where it was changed."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()[:32]
