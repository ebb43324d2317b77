"""The regular grid: finding the frequency of timestamps, and giving every row its place."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data.errors import DataError
from data.frequencies import stamps, step_of
from data.times.calendar_steps import Positions, calendar_positions
from data.times.rows import Rows

Times = NDArray[np.datetime64]  # datetime64[ns], without a zone
Steps = NDArray[np.timedelta64]

_SHORTEST_CALENDAR_STEP = np.timedelta64(1, "D")
_SHORTEST_MONTH = np.timedelta64(28, "D")
_FEWEST_STEPS = 3  # that a series needs for a frequency of its own
_REGULAR = 0.8  # of its steps, that must be alike
RESAMPLE = "bring them to one with --freq h --resample mean (or sum, last, max)"


@dataclass(frozen=True)
class Grid:
    """Where each row of a table lies on the regular time grids of its series.

    place: (rows,) int64, position among all grid rows, series after series.
    lengths: (n_series,) int64, grid rows of each series. starts: their first timestamps, ISO.
    freq: pandas offset alias; None if no series has two rows.
    """

    place: NDArray[np.int64]
    lengths: NDArray[np.int64]
    starts: tuple[str, ...]
    freq: str | None
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Sorted:
    """The rows by series and time: time and code, (rows,); order: which row each was; is_first: of its series."""

    time: Times
    code: NDArray[np.int64]
    order: NDArray[np.intp]

    @classmethod
    def of(cls, times: Times, codes: NDArray[np.int64]) -> _Sorted:
        order = np.lexsort((times, codes))
        return cls(times[order], codes[order], order)

    @property
    def is_first(self) -> NDArray[np.bool_]:
        first: NDArray[np.bool_] = np.r_[True, self.code[1:] != self.code[:-1]]
        return first

    @property
    def steps(self) -> Steps:
        """The step that led to each row but the first of a series, (rows - n_series,)."""
        steps: Steps = np.diff(self.time)[~self.is_first[1:]]
        return steps

    @property
    def first_of_series(self) -> Times:
        """The first time of each row's series, (rows,)."""
        is_first = self.is_first
        return np.repeat(self.time[is_first], np.diff(np.r_[np.flatnonzero(is_first), len(self.time)]))


def place_on_grid(
    times: Times,
    codes: NDArray[np.int64],
    rows: Rows,
    *,
    freq: str | None = None,
    ids: NDArray[Any] | None = None,
    filling: str | None = None,
) -> Grid:
    """Sort the rows of each series by time and give every row its place on a regular grid.

    times: (rows,); codes: (rows,) int64 in [0, n_series), the series of each row. freq: of the grid, if it is known.
    ids: (n_series,), for messages; filling: what steps without a row are filled with, for a note.
    Raises DataError for a duplicate timestamp, one off the grid, a series of another frequency, or a grid far longer
    than the rows read.
    """
    rows_by_time = _Sorted.of(times, codes)
    is_first, steps = rows_by_time.is_first, rows_by_time.steps
    later = rows_by_time.order[~is_first]
    _reject_duplicates(steps, later, times, rows)
    if freq is None:
        _reject_several(rows_by_time, rows, ids)
        freq, position = _positions(rows_by_time, rows)
    else:
        position = _positions_at(freq, rows_by_time, rows)
    position = position - np.repeat(position[is_first], np.diff(np.r_[np.flatnonzero(is_first), len(position)]))
    lengths = position[np.r_[is_first[1:], True]] + 1
    _reject_sparse(lengths, steps, later, times, rows)
    place = np.empty(len(times), dtype=np.int64)
    place[rows_by_time.order] = position + (np.cumsum(lengths) - lengths)[rows_by_time.code]
    starts = tuple(pd.Timestamp(start).isoformat() for start in rows_by_time.time[is_first])
    notes = [] if freq is not None else ["one row a series: frequency unknown"]
    if (added := int(lengths.sum()) - len(times)) > 0:
        notes.insert(0, f"{added} missing rows of the time grid ({freq}) filled with {filling or 'missing values'}")
    return Grid(place, lengths, starts, freq, (*_order_notes(times, codes), *notes))


def common_step(times: Times, codes: NDArray[np.int64]) -> np.timedelta64 | None:
    """Return the step from row to row that is most common in the series, the shortest of those; None without any."""
    steps = _Sorted.of(times, codes).steps
    steps = steps[steps > np.timedelta64(0)]
    return _most_common(steps) if len(steps) else None


def uneven_steps(times: Times, codes: NDArray[np.int64]) -> int:
    """Count the steps from row to row, in the order of the rows, that are not the most common one.

    Steps of a month or more are counted in months where every one is a whole number of them.
    """
    order = np.argsort(codes, kind="stable")
    time, code = times[order], codes[order]
    later = code[1:] == code[:-1]
    steps: NDArray[Any] = np.diff(time)[later]
    if not len(steps):
        return 0
    counts = []
    months = time.astype("datetime64[M]")
    rest = time - months.astype("datetime64[ns]")
    if (rest == rest[0]).all():
        counts.append(np.diff(months.astype(np.int64))[later])
    counts.append(steps)
    return min(int((kind != _most_common(kind)).sum()) for kind in counts)


def _positions(rows_by_time: _Sorted, rows: Rows) -> Positions:
    """Return the frequency and each sorted row's number of steps from any fixed origin."""
    time, is_first, steps = rows_by_time.time, rows_by_time.is_first, rows_by_time.steps
    if not len(steps):
        return None, np.zeros(len(time), dtype=np.int64)
    step = _most_common(steps)
    if step >= _SHORTEST_CALENDAR_STEP and (found := calendar_positions(time, is_first, step)) is not None:
        return found
    freq = str(pd.tseries.frequencies.to_offset(pd.Timedelta(step)).freqstr)
    return freq, _tick_positions(rows_by_time, step, rows)


def _tick_positions(rows_by_time: _Sorted, step: np.timedelta64, rows: Rows) -> NDArray[np.int64]:
    time, first = rows_by_time.time, rows_by_time.first_of_series
    off = (time - first) % step != np.timedelta64(0)
    if off.any():
        at = int(np.flatnonzero(off)[np.argmin(rows_by_time.order[off])])
        raise DataError(
            f"{rows.at(int(rows_by_time.order[at]))}: timestamps must lie on one regular grid, but most rows are "
            f"{pd.Timedelta(step)} apart and {pd.Timestamp(time[at])} is off that grid; {RESAMPLE}, or name the zone "
            f"of local times with --timezone"
        )
    return ((time - first) // step).astype(np.int64)


def _positions_at(freq: str, rows_by_time: _Sorted, rows: Rows) -> NDArray[np.int64]:
    """Return each sorted row's number of steps of a known frequency from its series' first row."""
    if (step := step_of(freq)) is not None:
        return _tick_positions(rows_by_time, step, rows)
    position = np.zeros(len(rows_by_time.time), dtype=np.int64)
    bounds = np.r_[np.flatnonzero(rows_by_time.is_first), len(position)]
    for first, end in itertools.pairwise(bounds.tolist()):
        time = rows_by_time.time[first:end]
        count = int((time[-1] - time[0]) / np.timedelta64(1, "D")) + 2  # steps are a day at least
        grid = stamps(pd.Timestamp(time[0]).isoformat(), freq, 0, max(2, count)).to_numpy()
        position[first:end] = np.searchsorted(grid, time)
        off = grid[position[first:end].clip(max=len(grid) - 1)] != time
        if off.any():
            i = int(rows_by_time.order[first + int(np.argmax(off))])
            raise DataError(
                f"{rows.at(i)}: --freq {freq} has no {pd.Timestamp(time[int(np.argmax(off))])} in the grid from "
                f"{pd.Timestamp(time[0])} on; {RESAMPLE.replace('--freq h', f'--freq {freq}')}"
            )
    return position


def _most_common(steps: NDArray[Any]) -> Any:
    """Return the value seen most often, the smallest of those when several are."""
    values, counts = np.unique(steps, return_counts=True)
    return values[np.argmax(counts)]


def _reject_several(rows_by_time: _Sorted, rows: Rows, ids: NDArray[Any] | None) -> None:
    """Reject series whose own most common step is another one than that of all."""
    steps, code = rows_by_time.steps, rows_by_time.code[~rows_by_time.is_first]
    if not len(steps) or code[0] == code[-1]:
        return
    in_months = steps >= _SHORTEST_MONTH
    kinds = np.where(in_months, np.round(steps / np.timedelta64(1, "D") / 30.4368), steps.astype(np.int64)) + (
        in_months * -1e18  # so that a count of months is no length of time
    )
    frame = pd.DataFrame({"code": code, "kind": kinds, "step": steps.astype("timedelta64[ns]")})
    counts = frame.groupby(["code", "kind"], sort=True).agg(n=("step", "size"), step=("step", "first")).reset_index()
    best = counts.sort_values(["code", "n", "kind"], ascending=[True, False, True]).drop_duplicates("code")
    total = best["code"].map(frame["code"].value_counts())
    own = best[(best["n"] >= _FEWEST_STEPS) & (best["n"] >= _REGULAR * total)]  # one with many gaps may be of any
    if own["kind"].nunique() < 2:
        return
    first = own.iloc[0]
    other = own[own["kind"] != first["kind"]].iloc[0]
    named = [str(int(row["code"]) if ids is None else ids[int(row["code"])]) for row in (first, other)]
    raise DataError(
        f"{rows.file}: all series must have one frequency, but most rows of {named[0]!r} are {first['step']} apart and "
        f"those of {named[1]!r} {other['step']}; read them apart, with --columns or from files of their own, or "
        f"{RESAMPLE}"
    )


def _reject_duplicates(steps: Steps, later: NDArray[np.intp], times: Times, rows: Rows) -> None:
    """Reject two rows of one series at one time."""
    doubled = later[steps == np.timedelta64(0)]
    if len(doubled):
        i = int(doubled.min())
        hint = _repeated_hour_hint(times[doubled]) or "remove or average them, like --freq h --resample mean"
        raise DataError(
            f"{rows.at(i)}: a series must have one row a timestamp, but {pd.Timestamp(times[i])} is there twice "
            f"({len(doubled)} such rows in all); {hint}"
        )


def _repeated_hour_hint(times: Times) -> str:
    """Return a remedy if all these doubled times lie in one hour of nights in which clocks are set back, else ''."""
    doubled = pd.DatetimeIndex(times)
    nights = bool((doubled.hour <= 3).all() and doubled.month.isin([3, 4, 9, 10, 11]).all())
    if nights and doubled.normalize().nunique() == doubled.floor("h").nunique():
        return "if that is the hour which clocks repeat in autumn, name their zone, like --timezone Europe/Berlin"
    return ""


def _reject_sparse(lengths: NDArray[np.int64], steps: Steps, later: NDArray[np.intp], times: Times, rows: Rows) -> None:
    """Reject a grid ten times longer than the rows read: one mistyped year would fill memory with NaN."""
    if lengths.sum() <= 10 * len(times) + 1000:
        return
    i = int(later[np.argmax(steps)])
    raise DataError(
        f"{rows.at(i)}: the time grid must not be mostly empty, but filling it would make {lengths.sum()} rows of "
        f"the {len(times)} read; the largest gap, {pd.Timedelta(steps.max())}, ends at {pd.Timestamp(times[i])}: "
        f"correct that timestamp, or bring the series to a longer step with --freq D --resample mean"
    )


def _order_notes(times: Times, codes: NDArray[np.int64]) -> tuple[str, ...]:
    """Say if the rows of a series were not in the order of their times."""
    by_series = np.argsort(codes, kind="stable")
    backward = (np.diff(times[by_series]) < np.timedelta64(0)) & (np.diff(codes[by_series]) == 0)
    return (f"rows were not in order of time ({backward.sum()} steps back): sorted",) if backward.any() else ()
