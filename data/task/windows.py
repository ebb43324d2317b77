"""The windows: which ones a part of the split holds, and the gather that turns numbers into batches."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from data.panel import Panel


@dataclass(frozen=True, eq=False)
class WindowIndex:
    """The windows of one part, series after series, and in time order within each.

    starts: (n_windows,) int64, position in panel.values of the first context row.
    series: (n_windows,) int64, number of the series the window lies in.
    """

    starts: NDArray[np.int64]
    series: NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self.starts)

    def draw(self, count: int, rng: np.random.Generator) -> WindowIndex:
        """Return `count` of the windows, drawn without replacement and in the index's order; all, if they are fewer."""
        if count >= len(self):
            return self
        drawn = _drawn(len(self), count, rng)
        return WindowIndex(self.starts[drawn], self.series[drawn])


def _drawn(total: int, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw `count` of the numbers below `total`, without replacement, in order."""
    return np.sort(rng.choice(total, size=count, replace=False))


@dataclass(frozen=True)
class WindowShape:
    """Rows a window spans, its context then its prediction, and the rows from one window to the next."""

    context_length: int
    prediction_length: int
    stride: int = 1


@dataclass(frozen=True)
class Batch:
    """Some windows on one device.

    context: (batch, context_length) float32, scaled, NaN = missing.
    target: (batch, prediction_length) float32, scaled, NaN = missing.
    series: (batch,) int64, number of each window's series.
    ids: (batch,) int64, the windows' numbers in their part.
    features: (batch, ...) what a model's frozen part gives for these windows, where that was computed once; else None.
    """

    context: torch.Tensor
    target: torch.Tensor
    series: torch.Tensor
    ids: torch.Tensor
    features: torch.Tensor | None = None


def index_windows(
    panel: Panel, first_target: NDArray[np.int64], target_end: NDArray[np.int64], *, shape: WindowShape
) -> WindowIndex:
    """List the windows whose target lies in rows [first_target, target_end) of its series.

    first_target, target_end: (n_series,) int64, counted from the series' own first row. The first window's
    target begins at first_target, or at row context_length where there is less history than that.
    A window without one observed value in its context, or without one in its target, is left out.
    """
    first = np.maximum(first_target, shape.context_length)
    room = target_end - shape.prediction_length - first
    counts = np.where(room >= 0, room // shape.stride + 1, 0)
    series = np.repeat(np.arange(len(panel)), counts)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    starts = panel.offsets[series] + first[series] - shape.context_length + within * shape.stride
    kept = _observed(panel, starts, shape)
    return WindowIndex(starts[kept], series[kept])


def _observed(panel: Panel, starts: NDArray[np.int64], shape: WindowShape) -> NDArray[np.bool_]:
    """Return for each window whether both its context and its target hold an observed value."""
    seen = np.zeros(len(panel.values) + 1, dtype=np.int64)
    np.cumsum(~np.isnan(panel.values), out=seen[1:])
    targets = starts + shape.context_length
    observed: NDArray[np.bool_] = (seen[targets] > seen[starts]) & (
        seen[targets + shape.prediction_length] > seen[targets]
    )
    return observed


class WindowGather:
    """Turns window numbers into batches on the device where the scaled panel lies.

    A batch is one `index_select` over a strided view of the panel, which copies whole windows at the speed of
    memory; `unfold(...)[starts]` reads the same view element by element (tests/benchmarks/bench_windows.py).
    """

    def __init__(
        self, values: torch.Tensor, index: WindowIndex, *, context_length: int, prediction_length: int
    ) -> None:
        """values: (rows,) float32, the scaled panel; the gather and all its batches stay on its device."""
        self.context_length = context_length
        self.prediction_length = prediction_length
        self._windows = values.unfold(0, context_length + prediction_length, 1)  # (rows - window + 1, window)
        self._starts = torch.from_numpy(index.starts).to(values.device)
        self._series = torch.from_numpy(index.series).to(values.device)

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self._starts)

    def draw(self, count: int, rng: np.random.Generator) -> Self:
        """Return these windows, or `count` of them, as `WindowIndex.draw` does."""
        if count >= len(self):
            return self
        fewer = copy.copy(self)
        drawn = torch.from_numpy(_drawn(len(self), count, rng)).to(self.device)
        fewer._starts, fewer._series = self._starts[drawn], self._series[drawn]
        return fewer

    @property
    def device(self) -> torch.device:
        """Where the panel, and so every batch, is."""
        return self._starts.device

    def batch(self, ids: torch.Tensor) -> Batch:
        """Return the windows with these numbers; ids: (batch,) int64, on any device."""
        ids = ids.to(self._starts.device)
        starts = self._starts.index_select(0, ids)
        windows = self._windows.index_select(0, starts)  # (batch, context_length + prediction_length)
        context, target = torch.split(windows, [self.context_length, self.prediction_length], dim=1)  # views
        return Batch(context, target, self._series.index_select(0, ids), ids)

    def batches(self, batch_size: int, order: torch.Tensor | None = None) -> Iterator[Batch]:
        """Give all windows in batches, the last one as small as what is left.

        order: (n,) int64, the window numbers to visit; None visits every window in the index's order.
        """
        if order is None:
            order = torch.arange(len(self))
        order = order.to(self._starts.device)
        for first in range(0, len(order), batch_size):
            yield self.batch(order[first : first + batch_size])
