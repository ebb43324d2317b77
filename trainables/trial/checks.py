"""What a trial rejects before it trains: asked by it, and by the plan for all a space can propose."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch

from data.task.task import ForecastTask
from trainables.base import Trainable, check_hyper
from trainables.device.precision import check_precision, resolved
from trainables.errors import HyperError
from trainables.hyper import Hyper


def check_values(model: Trainable, values: Mapping[str, object], task: ForecastTask, device: torch.device) -> Hyper:
    """Return a trial's hyperparameters, which the model, the task and the device go with; raises HyperError."""
    hyper = resolved(check_hyper(type(model), values), device)
    model.check(hyper, task)
    check_precision(hyper.precision, device)
    return hyper


def check_evaluations(hyper: Hyper, n_windows: int) -> None:
    """Reject more evaluations an epoch than it has optimiser steps; HyperError."""
    steps = steps_an_epoch(hyper, n_windows)
    if hyper.evals_per_epoch > steps:
        raise HyperError(
            f"evals_per_epoch must be at most the {steps} optimiser steps of an epoch ({n_windows} windows, "
            f"batch_size {hyper.batch_size}), got {hyper.evals_per_epoch}; lower it, batch_size or --train-stride"
        )


def steps_an_epoch(hyper: Hyper, n_windows: int) -> int:
    """Return how many optimiser steps an epoch over so many training windows has."""
    return math.ceil(n_windows / hyper.batch_size)
