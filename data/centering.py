"""Single precision that keeps a series' variation: what float32 would round away is taken off in float64 before."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from data.errors import DataError

PRECISION = 1e-6  # of a series' standard deviation: the rounding that is allowed
LARGEST = float(np.nextafter(2.0**128 - 2.0**103, 0.0))  # of what a cast to float32 keeps finite
_ROUNDING = 2.0**-24  # of a number cast to float32, relative to it


def centered(
    values: NDArray[np.float64], offsets: NDArray[np.int64], ids: Sequence[str]
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return the values less their series' center, (rows,) float32, and the centers, (n_series,) float64.

    values: (rows,), NaN = missing; series i lies in values[offsets[i]:offsets[i + 1]], and is called ids[i].
    A center is 0 unless rounding the series to float32 would change it by more than PRECISION of its standard
    deviation, as with a meter that counts from 123456789; then it is about the mean.
    Raises DataError if a finite value is too large for float32.
    """
    with np.errstate(over="ignore"):
        stored = values.astype(np.float32)
    centers = np.zeros(len(ids))
    changed = np.r_[0, np.cumsum((stored != values) & ~np.isnan(values))]
    for i in np.flatnonzero(changed[offsets[1:]] > changed[offsets[:-1]]):
        rows = slice(offsets[i], offsets[i + 1])
        centers[i] = _center(values[rows])
        if centers[i]:
            stored[rows] = values[rows] - centers[i]
    _reject_huge(values, stored, offsets, ids)
    return stored, centers


def _center(values: NDArray[np.float64]) -> float:
    """Return what to take off a series: 0, or its mean rounded to a power of two near the deviation."""
    known = values[np.isfinite(values)]
    scale = np.abs(known).max(initial=0.0) or 1.0  # so that squares of large numbers stay finite
    mean, deviation = float((known / scale).mean()) * scale, float((known / scale).std()) * scale
    if deviation <= 0 or abs(mean) * _ROUNDING <= PRECISION * deviation:
        return 0.0
    unit = 2.0 ** np.floor(np.log2(deviation))
    return float(np.round(mean / unit) * unit)


def _reject_huge(
    values: NDArray[np.float64], stored: NDArray[np.float32], offsets: NDArray[np.int64], ids: Sequence[str]
) -> None:
    huge = np.flatnonzero(np.isinf(stored) & np.isfinite(values))
    if len(huge):
        series = int(np.searchsorted(offsets, huge[0], side="right")) - 1
        raise DataError(
            f"a value must be within ±{LARGEST:.3g}, got {values[huge[0]]:g} in row {huge[0] - offsets[series]} of "
            f"series {ids[series]!r}; divide the series by a power of ten, or name the value as missing with --na"
        )
