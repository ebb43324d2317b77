"""Models that start untrained: made from a seed that all trials share, or gone on with from a checkpoint."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from torch import nn

from data.task.task import ForecastTask
from trainables.base import ForecastTrainable, HyperError
from trainables.hyper import Hyper


class ScratchHyper(Hyper):
    """init_seed: of the untrained weights, the same for all trials of one size, so that they start from one model.

    pretrained: a checkpoint of the model to go on from, which then sets all sizes.
    """

    init_seed: int = Field(default=0, ge=0)
    pretrained: str | None = None


class ScratchTrainable(ForecastTrainable):
    """A trainable whose epoch 0 is untrained; its module has a `config` with the lengths that it was made for."""

    start_name = "untrained"

    @abstractmethod
    def configure(self, hyper: Any, task: ForecastTask) -> Any:
        """Give the configuration of an untrained module."""

    @abstractmethod
    def make(self, config: Any) -> nn.Module:
        """Make an untrained module, of the random numbers that come."""

    @abstractmethod
    def load(self, pretrained: str, hyper: Any) -> nn.Module:
        """Load a checkpoint's module; raises CheckpointError."""

    def build(self, hyper: Any, task: ForecastTask) -> nn.Module:
        self.check(hyper, task)
        self.module = self._untrained(hyper, task) if hyper.pretrained is None else self._continued(hyper, task)
        self.prediction_length = task.prediction_length
        return self.module

    def rebuild(self, folder: Path, hyper: Any, task: ForecastTask) -> nn.Module:
        own = {name: value for name, value in hyper if name not in self.structure}
        return self.build(type(hyper)(**{**own, "pretrained": str(folder)}), task)

    def origin(self, hyper: Any) -> str:
        """Name the weights that training starts from."""
        sizes = " ".join(f"{name}={getattr(hyper, name)}" for name in self.structure)
        return hyper.pretrained or f"untrained {hyper.init_seed} {sizes}"

    def _untrained(self, hyper: Any, task: ForecastTask) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(hyper.init_seed)
            return self.make(self.configure(hyper, task))

    def _continued(self, hyper: Any, task: ForecastTask) -> nn.Module:
        """What a person sets beside a checkpoint must agree with it, and so must the task's lengths."""
        module = self.load(hyper.pretrained, hyper)
        config: Any = module.config
        given = [name for name in self.structure if name in hyper.model_fields_set]
        wrong = [name for name in given if getattr(hyper, name) not in (None, getattr(config, name))]
        if wrong:
            got = ", ".join(f"{name} {getattr(hyper, name)!r}" for name in wrong)
            remedy = " ".join(f"--set {name}={getattr(config, name)}" for name in wrong)
            raise HyperError(f"sizes must be those of {hyper.pretrained}, got {got}; take {remedy}")
        if task.context_length != config.context_length or task.prediction_length > config.prediction_length:
            raise HyperError(
                f"{hyper.pretrained} forecasts {config.prediction_length} steps from {config.context_length}, got "
                f"--context-length {task.context_length} and --prediction-length {task.prediction_length}"
            )
        return module
