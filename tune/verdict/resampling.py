"""Bootstrap samples of validation windows, in blocks of neighbours within a series."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil
from typing import Self

import numpy as np
from arch.bootstrap import StationaryBootstrap, optimal_block_length
from numpy.typing import ArrayLike, NDArray

REPETITIONS = 1_000  # bootstrap samples
LEAST_UNITS = 8  # to look for memory in
FEW_BLOCKS = 30  # fewer independent blocks than these tell little
MOST_UNITS = 2_000  # more windows than these are averaged with their neighbours first: resampling costs by the unit


class SeriesBootstrap(StationaryBootstrap):
    """The stationary bootstrap of several series, one after the other: a block never goes on into another series.

    A block that comes to its series' end goes on at its beginning, as the stationary bootstrap of one series does.
    Source: Politis & Romano 1994, The stationary bootstrap, doi:10.1080/01621459.1994.10476870.
    """

    def __init__(
        self,
        block_size: int,
        *args: ArrayLike,
        series: NDArray[np.int64],
        seed: int | np.random.Generator | None = None,
    ) -> None:
        """series: (n,) the series of each row of the arrays; equal numbers lie together. block_size: mean length."""
        super().__init__(block_size, *args, seed=seed)
        _, first, counts = np.unique(series, return_index=True, return_counts=True)
        order = np.argsort(first)
        self._first, self._counts = (np.repeat(a[order], counts[order]) for a in (first, counts))

    def update_indices(self) -> NDArray[np.int64]:
        n = self._num_items
        starts = self._generator.integers(n, size=n)
        is_start = self._generator.random(n) < self._p
        is_start[0] = True
        begun = np.maximum.accumulate(np.where(is_start, np.arange(n), 0))  # where each position's block began
        start, steps = starts[begun], np.arange(n) - begun
        first, count = self._first[start], self._counts[start]
        indices: NDArray[np.int64] = first + (start - first + steps) % count
        return indices


@dataclass(frozen=True, eq=False)
class Units:
    """What is resampled: windows, or groups of neighbouring windows of a series where there are very many.

    series: (n_units,). group: (n_windows,), the unit of each window. block_size: mean block, in units.
    """

    series: NDArray[np.int64]
    group: NDArray[np.int64]
    block_size: int = 1

    @classmethod
    def of(cls, series: NDArray[np.integer], overlap: int) -> Self:
        """series: (n_windows,), equal numbers together. overlap: windows from one to the next that shares no target.

        Blocks are twice as long as windows overlap: half of a block's windows then share nothing with its neighbours.
        """
        windows = len(series)
        size = max(1, -(-windows // MOST_UNITS))
        is_first = np.r_[True, series[1:] != series[:-1]] if windows else np.zeros(0, dtype=bool)
        begun = np.maximum.accumulate(np.where(is_first, np.arange(windows), 0))
        starts = (np.arange(windows) - begun) % size == 0
        of_units = series[starts].astype(np.int64)
        block = 1 if overlap <= 1 else -(-2 * overlap // size)
        return cls(of_units, np.cumsum(starts) - 1, block)

    @property
    def blocks(self) -> int:
        """How many blocks the units make: about as many independent observations there are."""
        counts = np.unique(self.series, return_counts=True)[1]
        return int(np.maximum(counts // self.block_size, 1).sum())

    def with_memory_of(self, gains: NDArray[np.float64]) -> Self:
        """Return these units in blocks as long as neighbouring differences stay alike, but of a third of them at most.

        gains: (n_windows, n_models). Source: Patton, Politis & White 2009, doi:10.1080/07474930802459016, by arch.
        """
        if len(self.series) < LEAST_UNITS:
            return self
        with np.errstate(divide="ignore", invalid="ignore"):  # constant differences have no length
            lengths = optimal_block_length(self.means(gains))["stationary"].to_numpy()
        counts = np.unique(self.series, return_counts=True)[1]
        longest = max(1.0, min(len(self.series) / 3, float(counts.max())))
        memory = min(float(np.nan_to_num(lengths, nan=1.0).mean()), longest)
        return replace(self, block_size=max(self.block_size, ceil(memory)))

    @property
    def are_few(self) -> bool:
        """Whether there are too few blocks to trust their spread as it is."""
        return self.blocks < FEW_BLOCKS

    def means(self, shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """Add up (n_windows, ...) by unit, so that the mean over units is that over windows; (n_units, ...)."""
        sums = np.zeros((len(self.series), *shares.shape[1:]))
        np.add.at(sums, self.group, shares)
        return sums * (len(self.series) / len(self.group))

    def resampled_means(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the means of bootstrap samples of (n_units, ...): (REPETITIONS, ...), of the same samples always."""
        means: NDArray[np.float64] = self._shares_of_samples @ values
        return means

    @cached_property
    def _shares_of_samples(self) -> NDArray[np.float64]:
        """How much of each sample each unit makes, (REPETITIONS, n_units)."""
        n = len(self.series)
        samples = self.bootstrap(np.arange(n)).apply(lambda sample: np.bincount(sample, minlength=n), reps=REPETITIONS)
        shares: NDArray[np.float64] = samples / n
        return shares

    def bootstrap(self, *arrays: NDArray[np.number], seed: int = 0) -> SeriesBootstrap:
        return SeriesBootstrap(self.block_size, *arrays, series=self.series, seed=np.random.default_rng(seed))
