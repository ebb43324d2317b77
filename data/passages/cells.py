"""The sums of passages: counts per bucket and traces per hour, day by day, as large as the days and no larger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.passages.times import SECONDS_A_DAY

Ints = NDArray[Any]

_DENSE_CELLS = 1 << 22  # a block's cells that may be summed in one array; more of them are sorted
# Each second of an hour has a random number; sums of a block's numbers stay exact as floats: 2**34 * 2**18 < 2**53.
_TRACES = np.random.default_rng(20231201).integers(1, 1 << 34, size=3600).astype(np.float64)
_MOST_ROWS = 1 << 18


class DayCells:
    """What passed on each day: counts (series, buckets of a day), rows and traces (series, 24).

    An hour's trace is a sum over its rows that two different sets of seconds hardly share, whatever their order.
    """

    def __init__(self, bucket_seconds: int) -> None:
        self.bucket_seconds = bucket_seconds
        self.counts: dict[int, Ints] = {}
        self.hours: dict[int, Ints] = {}
        self.traces: dict[int, Ints] = {}

    def add(self, series: Ints, day: Ints, second: Ints, *, n_series: int) -> None:
        """Count rows; series: (rows,) in [0, n_series), day and second: (rows,) int32."""
        for at in range(0, len(series), _MOST_ROWS):
            part = slice(at, at + _MOST_ROWS)
            self._add(series[part], day[part], second[part], n_series)

    def _add(self, series: Ints, day: Ints, second: Ints, n_series: int) -> None:
        first = int(day.min())
        seen = np.bincount(day - first) > 0
        days = [first + int(i) for i in np.flatnonzero(seen)]
        row = ((np.cumsum(seen) - 1)[day - first]) * n_series + series  # (rows,), of a table (day, series)
        shape = len(days), n_series
        buckets = SECONDS_A_DAY // self.bucket_seconds
        _spread(self.counts, days, *_sums(row * buckets + second // self.bucket_seconds, (*shape, buckets)), np.int32)
        hour = row * 24 + second // 3600
        _spread(self.hours, days, *_sums(hour, (*shape, 24)), np.int32)
        traces = _TRACES.take(second % 3600)
        _spread(self.traces, days, *_sums(hour, (*shape, 24), traces), np.uint64)

    def clear(self) -> None:
        """Let go of all tables."""
        for tables in (self.counts, self.hours, self.traces):
            tables.clear()

    def hour_cells(self) -> HourCells:
        """List the hours of each series in which something passed."""
        parts = []
        for day, hours in sorted(self.hours.items()):
            series, hour = np.nonzero(hours)
            parts.append((series, day * 24 + hour, hours[series, hour], self.traces[day][series, hour]))
        if not parts:
            none = np.zeros(0, dtype=np.int64)
            return HourCells(none, none, none, none.astype(np.uint64))
        series, hour, rows, trace = (np.concatenate(column) for column in zip(*parts, strict=True))
        return HourCells(series.astype(np.int64), hour.astype(np.int64), rows.astype(np.int64), trace)


@dataclass(frozen=True)
class HourCells:
    """Hours in which something passed, (cells,) each: the series, hours since 1970, rows, and their trace."""

    series: Ints
    hour: Ints
    rows: Ints
    trace: Ints


def same_rows(files: list[HourCells], *, least: int = 5) -> dict[tuple[int, int], int]:
    """Find what two files both hold: {(first file, later file): rows} over whole hours of a series.

    Hours with fewer than `least` rows are left out: a few equal seconds may be chance.
    """
    owner = np.repeat(np.arange(len(files)), [len(cells.series) for cells in files])
    series, hour, rows, trace = (
        np.concatenate([getattr(cells, name) for cells in files]) for name in ("series", "hour", "rows", "trace")
    )
    busy = np.flatnonzero(rows >= least)
    order = busy[np.lexsort((owner[busy], trace[busy], rows[busy], hour[busy], series[busy]))]
    equal = np.ones(max(0, len(order) - 1), dtype=np.bool_)
    for column in (series, hour, rows, trace):
        equal &= column[order[1:]] == column[order[:-1]]
    head = np.maximum.accumulate(np.where(np.r_[False, equal], 0, np.arange(len(order))))  # each run's first place
    later = np.flatnonzero(head < np.arange(len(order)))
    found: dict[tuple[int, int], int] = {}
    pairs = owner[order[head[later]]] * len(files) + owner[order[later]]
    for pair in np.unique(pairs).tolist():
        found[divmod(pair, len(files))] = int(rows[order[later[pairs == pair]]].sum())
    return found


def _sums(cell: Ints, shape: tuple[int, int, int], weights: Ints | None = None) -> tuple[Ints, Ints, Any]:
    """Sum per cell of a table (day, series, time); returns the cells that are not empty, their sums, the shape."""
    size = shape[0] * shape[1] * shape[2]
    if size <= _DENSE_CELLS:
        dense = np.bincount(cell, weights, minlength=size)
        cells = np.flatnonzero(dense)
        return cells, dense[cells], shape
    cells, inverse = np.unique(cell, return_inverse=True)
    return cells, np.bincount(inverse, weights), shape


def _spread(into: dict[int, Ints], days: list[int], cells: Ints, sums: Ints, shape: Any, dtype: Any) -> None:
    """Add cells of a table (day, series, time) to each day's own table, which grows where series are new."""
    _, n_series, width = shape
    bounds = np.searchsorted(cells, np.arange(len(days) + 1) * (n_series * width))
    for i, day in enumerate(days):
        table = into.get(day)
        if table is None or len(table) < n_series:
            grown = np.zeros((n_series, width), dtype=dtype)
            grown[: 0 if table is None else len(table)] = 0 if table is None else table
            into[day] = table = grown
        part = slice(bounds[i], bounds[i + 1])
        table.reshape(-1)[cells[part] - i * n_series * width] += sums[part].astype(dtype)
