"""A model from outside the packages: the next values are a linear map of the last ones."""

import time
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from trainables.base import Forecast, ForecastTrainable
from trainables.hyper import Hyper


class ToyHyper(Hyper):
    pretrained: str = ""
    delay: float = 0.0  # seconds a training step sleeps, so that a test can come in between


class Toy(ForecastTrainable[ToyHyper]):
    def build(self, hyper, task):
        torch.manual_seed(0)
        self.delay = hyper.delay
        self.module = nn.Linear(task.context_length, task.prediction_length)
        if hyper.pretrained:
            self.module.load_state_dict(load_file(Path(hyper.pretrained) / "model.safetensors"))
        return self.module

    def loss(self, batch):
        if self.module.training:
            time.sleep(self.delay)
        return (self.module(batch.context) - batch.target).square().mean(dim=1)

    def forecast(self, batch):
        return Forecast(self.module(batch.context))

    def save_pretrained(self, folder):
        save_file({k: v.contiguous() for k, v in self.module.state_dict().items()}, folder / "model.safetensors")
