"""Whole-sequence windows: each series normalised by itself and cut into inputs and labels one step ahead."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from data.errors import TaskError
from data.panel import Panel
from data.task.windows import Batch, WindowGather, WindowIndex

Normalization = Literal["zero", "max", "none"]


class SequenceGather(WindowGather):
    """Windows for models that predict from every step; a batch's target is its context one step later.

    context, target: (batch, max_length), normalised; NaN past the end of a short sequence and where a value is missing.
    """

    def __init__(self, values: torch.Tensor, index: WindowIndex, *, max_length: int) -> None:
        """values: (rows,) float32, normalised; every window of max_length + 1 rows lies inside."""
        super().__init__(values, index, context_length=max_length, prediction_length=1)

    def batch(self, ids: torch.Tensor) -> Batch:
        """Return the windows with these numbers; ids: (batch,) int64, on any device."""
        plain = super().batch(ids)
        labels = torch.cat([plain.context[:, 1:], plain.target], dim=1)
        return Batch(plain.context, labels, plain.series, plain.ids)


def sequence_windows(
    panel: Panel,
    ends: NDArray[np.int64],
    *,
    max_length: int,
    stride: int,
    normalization: Normalization,
    device: torch.device | str = "cpu",
) -> SequenceGather:
    """Cut rows [0, end) of each series into windows of max_length + 1 points.

    ends: (n_series,) int64. Windows begin at row 0 and every `stride` rows after it while all their points are there;
    a series shorter than one window gives one, filled up with NaN; one of fewer than two points gives none.
    Raises TaskError if no series gives a window.
    Source: Time-MoE's training data set (Shi et al. 2024, arXiv:2409.16040). One thing differs: sequences of whole
    numbers are normalised as real numbers, where the published loader cuts the normalised values back to whole ones.
    """
    length = max_length + 1
    rows, starts, series, at = [], [], [], 0
    for number in range(len(panel)):
        whole = panel.series(number) if normalization == "none" else panel.in_units(number)
        values = whole[: ends[number]]
        if len(values) < 2 or np.isnan(values).all():
            continue
        values = np.pad(normalize(values, normalization), (0, max(0, length - len(values))), constant_values=np.nan)
        first = np.arange(0, len(values) - length + 1, stride)
        rows.append(values.astype(np.float32))
        starts.append(at + first)
        series.append(np.full(len(first), number))
        at += len(values)
    if not rows:
        raise TaskError(
            f"{panel.name}: no series has two training rows, so there is nothing to train on; bring longer series or "
            "give training more rows with --split"
        )
    index = WindowIndex(np.concatenate(starts).astype(np.int64), np.concatenate(series).astype(np.int64))
    return SequenceGather(torch.from_numpy(np.concatenate(rows)).to(device), index, max_length=max_length)


def normalize(values: NDArray[Any], how: Normalization) -> NDArray[np.float64]:
    """Normalise one sequence, (rows,), over its observed points.

    zero: less the mean, over the population deviation (a constant only loses its mean); max: over the largest size
    (zeros stay); none: as it is.
    """
    wide = values.astype(np.float64)
    if how == "none":
        return wide
    if how == "max":
        largest = np.nanmax(np.abs(wide))
        return wide / largest if largest > 0 else wide
    centred = wide - np.nanmean(wide)
    deviation = np.nanstd(wide)
    return centred / deviation if deviation > 0 else centred
