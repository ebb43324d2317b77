"""Mean and deviation that values are normalised by: of each window's context, of each series' first rows."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from data.panel import Panel


def context_normalization(context: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and population deviation of each window's observed points, each (batch, 1); a deviation of 0 becomes 1.

    context: (batch, context_length), NaN = missing; added up in float64.
    """
    observed = ~context.isnan()
    count = observed.sum(1, keepdim=True).clamp_min(1)
    wide = context.double()
    mean = torch.where(observed, wide, 0.0).sum(1, keepdim=True) / count
    deviation = (torch.where(observed, wide - mean, 0.0).square().sum(1, keepdim=True) / count).sqrt()
    return mean.to(context.dtype), torch.where(deviation > 0, deviation, 1.0).to(context.dtype)


def series_normalization(panel: Panel, ends: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and population deviation of the observed rows [0, end) of each series less its center, each (n_series,).

    A deviation of 0 becomes 1; a series with nothing observed there gets NaN and NaN.
    """
    mean, std = np.full(len(panel), np.nan), np.full(len(panel), np.nan)
    for i in range(len(panel)):
        rows = panel.series(i)[: ends[i]].astype(np.float64)
        rows = rows[~np.isnan(rows)]
        if len(rows):
            mean[i], std[i] = rows.mean(), rows.std()
    return mean, np.where(std == 0, 1.0, std)
