"""Time in files: parsing timestamps, finding the frequency, and placing rows on one regular grid."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data.errors import DataError

Times = NDArray[np.datetime64]  # datetime64[ns], without a zone
Steps = NDArray[np.timedelta64]

# The unit of a number since 1970: its name, and the least number that is taken for it, which is 3 March 1973.
_EPOCHS: dict[Literal["s", "ms", "us", "ns"], tuple[str, int]] = {
    "s": ("seconds", 10**8),
    "ms": ("milliseconds", 10**11),
    "us": ("microseconds", 10**14),
    "ns": ("nanoseconds", 10**17),
}
_SHORTEST_MONTH = np.timedelta64(28, "D")
_ZONE = r":\d\d(?:\.\d+)?\s?(?:Z|[+-]\d\d(?::?\d\d)?)$"
_OLD_ALIASES = {"H": "h", "T": "min", "S": "s", "L": "ms", "U": "us", "M": "ME", "Q": "QE", "Y": "YE", "A": "YE"}


@dataclass(frozen=True)
class Rows:
    """Where the rows of a table came from, for messages: the file, and each row's number in it."""

    file: str
    unit: str  # 'line' or 'row'
    numbers: NDArray[np.int64]

    def at(self, i: int) -> str:
        """Return 'file: line 7' for row i of the table."""
        return f"{self.file}: {self.unit} {self.numbers[i]}"


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


def parse_times(column: pd.Series, rows: Rows) -> tuple[Times, tuple[str, ...]]:
    """Return the column's timestamps, (rows,), and notes on how they were read.

    ISO 8601 is tried first, then the month first, then the day first. A time zone is converted to UTC and dropped.
    Numbers are seconds, or thousandths, millionths or billionths of one, since 1970, distinguished by their size.
    Raises DataError at the first timestamp that is missing or cannot be read.
    """
    notes: tuple[str, ...] = ()
    zoned = False
    if pd.api.types.is_numeric_dtype(column):
        times, notes = _parse_epoch(column, rows)
    elif pd.api.types.is_datetime64_any_dtype(column):
        zoned = isinstance(column.dtype, pd.DatetimeTZDtype)
        times = pd.to_datetime(column, utc=True)
    else:
        zoned = bool(column.astype(str).str.contains(_ZONE, regex=True).any())
        times, notes = _parse_text(column)
    if times.isna().any():
        i = int(np.argmax(times.isna()))
        raise DataError(
            f"{rows.at(i)}: a timestamp must be like 2016-07-01 00:00, got {column.iloc[i]!r} in column "
            f"{column.name!r}; correct or remove the {rows.unit}"
        )
    if zoned:
        notes += (f"timestamps in column {column.name!r} converted to UTC",)
    plain: Times = times.dt.tz_localize(None).to_numpy(dtype="datetime64[ns]")
    return plain, notes


def looks_like_time(column: pd.Series) -> bool:
    """Return whether a column of text or dates begins with a timestamp."""
    if pd.api.types.is_datetime64_any_dtype(column):
        return True
    if pd.api.types.is_numeric_dtype(column):
        return False
    known = column.dropna()
    return bool(len(known)) and not _parse_text(known.iloc[:1])[0].isna().any()


def canonical_freq(text: str) -> str:
    """Return a frequency as current pandas spells it ('H' is 'h', '60T' is '60min'); ValueError if unknown."""
    parts = re.fullmatch(r"(\d*)([A-Z])(-[A-Z]{3})?", text)
    if parts and parts[2] in _OLD_ALIASES:
        text = parts[1] + _OLD_ALIASES[parts[2]] + (parts[3] or "")
    return str(pd.tseries.frequencies.to_offset(text).freqstr)


def place_on_grid(times: Times, codes: NDArray[np.int64], rows: Rows) -> Grid:
    """Sort the rows of each series by time and give every row its place on a regular grid.

    times: (rows,); codes: (rows,) int64 in [0, n_series), the series of each row.
    Raises DataError for a duplicate timestamp, one off the grid, or a grid far longer than the rows read.
    """
    order = np.lexsort((times, codes))
    time, code = times[order], codes[order]
    is_first = np.r_[True, code[1:] != code[:-1]]
    steps = np.diff(time)[~is_first[1:]]  # rows - n_series; the step that led to each row but the first ones
    later = order[~is_first]
    _reject_duplicates(steps, later, times, rows)
    freq, position = _positions(time, is_first, steps, order, rows)
    position -= np.repeat(position[is_first], np.diff(np.r_[np.flatnonzero(is_first), len(code)]))
    lengths = position[np.r_[is_first[1:], True]] + 1
    _reject_sparse(lengths, steps, later, times, rows)
    place = np.empty(len(times), dtype=np.int64)
    place[order] = position + (np.cumsum(lengths) - lengths)[code]
    starts = tuple(pd.Timestamp(start).isoformat() for start in time[is_first])
    return Grid(place, lengths, starts, freq, _grid_notes(times, codes, int(lengths.sum()), freq))


def _parse_epoch(column: pd.Series, rows: Rows) -> tuple[pd.Series, tuple[str, ...]]:
    """Read numbers as time since 1970, NaT where there is none, if all are of the size of one unit."""
    known = column.dropna()
    for unit, (name, low) in _EPOCHS.items():
        if len(known) and known.between(low, 1000 * low, inclusive="left").all():
            times = pd.to_datetime(column, unit=unit, errors="coerce")
            return times, (f"column {column.name!r} read as {name} since 1970",)
    raise DataError(
        f"{rows.file}: column {column.name!r}: timestamps must be text such as 2016-07-01 00:00, or seconds since "
        f"1970, got the number {column.iloc[0]}; convert them, or rename the column if it is a series"
    )


def _parse_text(column: pd.Series) -> tuple[pd.Series, tuple[str, ...]]:
    """Parse text as ISO if any of it is ISO, else with the month or the day first; NaT where that fails."""
    text = column.where(column.isna(), column.astype(str))
    iso = pd.to_datetime(text, format="ISO8601", errors="coerce", utc=True)
    if iso.notna().any():
        return iso, ()
    month, day = _parse_in_one_format(text, dayfirst=False), _parse_in_one_format(text, dayfirst=True)
    best = min((month, day), key=lambda times: int(times.isna().sum()))
    if best.isna().any():
        return best, ()
    note = f"timestamps in column {column.name!r} are not ISO: {text.iloc[0]!r} read as {best.iloc[0]:%Y-%m-%d}"
    return best, (note,)


def _parse_in_one_format(text: pd.Series, *, dayfirst: bool) -> pd.Series:
    """Parse all of the text in the format of its first value; all NaT if that has none.

    Without one format pandas would guess anew for each value, and mix days with months.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # it warns where the first value contradicts dayfirst
        warnings.filterwarnings("error", message="Could not infer format")
        try:
            return pd.to_datetime(text, errors="coerce", utc=True, dayfirst=dayfirst)
        except UserWarning:
            return pd.to_datetime(pd.Series(pd.NaT, index=text.index), utc=True)


def _positions(
    time: Times, is_first: NDArray[np.bool_], steps: Steps, order: NDArray[np.intp], rows: Rows
) -> tuple[str | None, NDArray[np.int64]]:
    """Return the frequency and each sorted row's number of steps from any fixed origin of its series."""
    if not len(steps):
        return None, np.zeros(len(time), dtype=np.int64)
    step = _most_common(steps)
    if step >= _SHORTEST_MONTH and (months := _month_positions(time, is_first)) is not None:
        return months
    first = np.repeat(time[is_first], np.diff(np.r_[np.flatnonzero(is_first), len(time)]))
    freq = str(pd.tseries.frequencies.to_offset(pd.Timedelta(step)).freqstr)
    off = (time - first) % step != np.timedelta64(0)
    if off.any():
        i = order[off].min()
        raise DataError(
            f"{rows.at(int(i))}: timestamps must lie on one regular grid, but most rows are {pd.Timedelta(step)} "
            f"apart and {pd.Timestamp(time[order == i][0])} is off that grid; resample the series to one step"
        )
    return freq, ((time - first) // step).astype(np.int64)


def _month_positions(time: Times, is_first: NDArray[np.bool_]) -> tuple[str, NDArray[np.int64]] | None:
    """Count calendar months if every row is a month's first or every row a month's last day, else None."""
    for alias, shifted in (("MS", time), ("ME", time + np.timedelta64(1, "D"))):
        month = shifted.astype("datetime64[M]")
        if not (month == shifted).all():
            continue
        count = month.astype(np.int64)
        every = int(_most_common(np.diff(count)[~is_first[1:]]))
        if ((count - count[0]) % every == 0).all():
            return (alias if every == 1 else f"{every}{alias}"), count // every
    return None


def _most_common(steps: NDArray[Any]) -> Any:
    """Return the value seen most often, the smallest of those when several are."""
    values, counts = np.unique(steps, return_counts=True)
    return values[np.argmax(counts)]


def _reject_duplicates(steps: Steps, later: NDArray[np.intp], times: Times, rows: Rows) -> None:
    """Reject two rows of one series at one time."""
    doubled = later[steps == np.timedelta64(0)]
    if len(doubled):
        i = int(doubled.min())
        raise DataError(
            f"{rows.at(i)}: a series must have one row a timestamp, but {pd.Timestamp(times[i])} is there twice "
            f"({len(doubled)} such rows in all); remove or average them"
        )


def _reject_sparse(lengths: NDArray[np.int64], steps: Steps, later: NDArray[np.intp], times: Times, rows: Rows) -> None:
    """Reject a grid ten times longer than the rows read: one mistyped year would fill memory with NaN."""
    if lengths.sum() <= 10 * len(times) + 1000:
        return
    i = int(later[np.argmax(steps)])
    raise DataError(
        f"{rows.at(i)}: the time grid must not be mostly empty, but filling it would make {lengths.sum()} rows of "
        f"the {len(times)} read; the largest gap, {pd.Timedelta(steps.max())}, ends at {pd.Timestamp(times[i])}: "
        f"correct that timestamp, or resample the series to a longer step"
    )


def _grid_notes(times: Times, codes: NDArray[np.int64], grid_rows: int, freq: str | None) -> tuple[str, ...]:
    """Say what placing the rows changed."""
    by_series = np.argsort(codes, kind="stable")
    backward = (np.diff(times[by_series]) < np.timedelta64(0)) & (np.diff(codes[by_series]) == 0)
    notes = []
    if backward.any():
        notes.append(f"rows were not in order of time ({backward.sum()} steps back): sorted")
    if grid_rows > len(times):
        notes.append(f"{grid_rows - len(times)} missing rows of the time grid ({freq}) filled with missing values")
    if freq is None:
        notes.append("one row a series: frequency unknown")
    return tuple(notes)
