"""Resampling: the rows of each series within a step become one."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data.frequencies import midnights, step_of, within_years
from data.read_options import Resampling
from data.times.grid import Times


def resample(
    times: Times, codes: NDArray[np.int64], values: NDArray[np.float64], freq: str, how: Resampling
) -> tuple[Times, NDArray[np.int64], NDArray[np.float64], str]:
    """Return times, codes and values of one row a series and step that holds any row, and a note.

    times, codes: (rows,); values: (n_columns, rows), NaN = missing. A step is named by its stamp on the grid of freq,
    such as a month's first day for MS and its last for ME. A missing value does not count; a step without another is
    missing.
    """
    frame = pd.DataFrame(values.T)
    with within_years(f"a step ({freq}) at {times.min()} or {times.max()} does not", "or take a shorter step"):
        named = _stamps(times, freq)
    keys = [pd.Series(codes, name="series"), pd.Series(named, name="time")]
    grouped = frame.groupby(keys, sort=True)
    merged = grouped.sum(min_count=1) if how == "sum" else getattr(grouped, how)()
    series = merged.index.get_level_values("series").to_numpy(dtype=np.int64)
    stamps: Times = merged.index.get_level_values("time").to_numpy(dtype="datetime64[ns]")
    note = f"{len(times)} rows became {len(merged)} of one {freq} each, by their {how}"
    return stamps, series, merged.to_numpy(dtype=np.float64).T, note


def _stamps(times: Times, freq: str) -> pd.DatetimeIndex:
    """Return the stamp of the step that holds each time: the last one of the grid at or before it, or for steps that
    are named by their end the first one at or after its day."""
    offset = pd.tseries.frequencies.to_offset(freq)
    index = pd.DatetimeIndex(times)
    if (step := step_of(freq)) is not None:
        origin = midnights(index).min()
        return origin + ((index - origin) // pd.Timedelta(step)) * pd.Timedelta(step)
    days = midnights(index)
    first, last = days.min() - offset, days.max() + offset
    grid = pd.date_range(offset.rollback(first), offset.rollforward(last), freq=offset)
    side: Literal["left", "right"] = "right" if _begins(freq) else "left"
    back = 1 if _begins(freq) else 0
    return grid[grid.searchsorted(days, side=side) - back]


def _begins(freq: str) -> bool:
    """Whether a calendar step is named by its first day; weeks and ends of months are named by their last."""
    name = freq.split("-")[0]
    return name.endswith(("S", "B", "C"))
