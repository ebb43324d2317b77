"""Errors of a forecast against the observed steps of a target, a number a window."""

from __future__ import annotations

import torch
from torch import Tensor

from trainables.base import QUANTILE_LEVELS


def mean_square(point: Tensor, target: Tensor) -> Tensor:
    """Mean squared error of the observed steps, (batch,); point, target: (batch, steps), NaN = missing."""
    observed = ~target.isnan()
    return _observed_mean((point - _filled(target)).square(), observed)


def mean_pinball(quantiles: Tensor, target: Tensor) -> Tensor:
    """Mean pinball loss over QUANTILE_LEVELS and observed steps, (batch,).

    quantiles: (batch, level, steps); target: (batch, steps), NaN = missing.
    Source: Koenker & Bassett 1978, Regression Quantiles, Econometrica 46(1).
    """
    levels = torch.tensor(QUANTILE_LEVELS, device=quantiles.device)[:, None]
    above = _filled(target)[:, None] - quantiles
    return _observed_mean(torch.maximum(levels * above, (levels - 1) * above).mean(1), ~target.isnan())


def _filled(target: Tensor) -> Tensor:
    """A number for every step: the gradient of a masked NaN would be NaN."""
    return torch.where(target.isnan(), 0.0, target)


def _observed_mean(errors: Tensor, observed: Tensor) -> Tensor:
    """Mean of (batch, steps) over the observed steps; 0 where there is none."""
    return torch.where(observed, errors, 0.0).sum(1) / observed.sum(1).clamp_min(1)
