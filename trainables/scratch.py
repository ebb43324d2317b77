"""Models that start untrained: made from a seed that all trials share, or continued from a checkpoint."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import torch
from torch import nn

from data.task.task import ForecastTask
from trainables.errors import HyperError
from trainables.hyper import ScratchHyper
from trainables.sweep_trainable import SweepTrainable


class ForecastConfig(Protocol):
    """What the configuration of an untrained module has at least: the lengths it was made for, in rows."""

    @property
    def context_length(self) -> int: ...
    @property
    def prediction_length(self) -> int: ...


ScratchHyperT = TypeVar("ScratchHyperT", bound=ScratchHyper)
ConfigT = TypeVar("ConfigT", bound=ForecastConfig)


class ScratchTrainable(SweepTrainable[ScratchHyperT], Generic[ScratchHyperT, ConfigT]):
    """A trainable whose epoch 0 is untrained."""

    initial_name = "untrained"

    @abstractmethod
    def configure(self, hyper: ScratchHyperT, task: ForecastTask) -> ConfigT:
        """Give the configuration of an untrained module."""

    @abstractmethod
    def make(self, config: ConfigT) -> nn.Module:
        """Make an untrained module; its weights are drawn from torch's generator."""

    @abstractmethod
    def load(self, pretrained: str, hyper: ScratchHyperT) -> tuple[nn.Module, ConfigT]:
        """Load a checkpoint's module and configuration; raises CheckpointError."""

    def build(self, hyper: ScratchHyperT, task: ForecastTask) -> nn.Module:
        self.check(hyper, task)
        self.module = self._untrained(hyper, task) if hyper.pretrained is None else self._continued(hyper, task)
        self.prediction_length = task.prediction_length
        return self.module

    def rebuild(self, folder: Path, hyper: ScratchHyperT, task: ForecastTask) -> nn.Module:
        own = {name: value for name, value in hyper if name not in hyper.structure}
        return self.build(type(hyper).model_validate({**own, "pretrained": str(folder)}), task)

    def _untrained(self, hyper: ScratchHyperT, task: ForecastTask) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(hyper.init_seed)
            return self.make(self.configure(hyper, task))

    def _continued(self, hyper: ScratchHyperT, task: ForecastTask) -> nn.Module:
        """Load a checkpoint; the sizes that the user sets beside it, and the task's lengths, must agree with it."""
        module, config = self.load(str(hyper.pretrained), hyper)
        given = [name for name in hyper.structure if name in hyper.model_fields_set]
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
