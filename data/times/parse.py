"""A column of time: text, numbers or dates become timestamps without a zone, with notes on how they were read."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data.errors import DataError
from data.frequencies import FIRST, LAST
from data.read_options import ReadOptions
from data.times.formats import Reading, digit_name, digit_reading, read_format, readings
from data.times.grid import Times, uneven_steps
from data.times.rows import Rows
from data.times.zones import local_or_utc

# The unit of a number since 1970: its name, and the least number that is taken for it, which is 3 March 1973.
_EPOCHS: dict[Literal["s", "ms", "us", "ns"], tuple[str, int]] = {
    "s": ("seconds", 10**8),
    "ms": ("milliseconds", 10**11),
    "us": ("microseconds", 10**14),
    "ns": ("nanoseconds", 10**17),
}
Notes = tuple[str, ...]


def parse_times(
    column: pd.Series, codes: NDArray[np.int64], rows: Rows, options: ReadOptions | None = None
) -> tuple[Times, Notes]:
    """Return the column's timestamps, (rows,), and notes on how they were read.

    codes: (rows,), the series of each row: where several formats fit, the one that gives regular steps is taken.
    Text is read in one format: that of options.date_format, ISO 8601, or one with the month or the day first. Digits
    are dates where they can be (2024013123), else time since 1970, in the unit of their size. Times with a zone
    are brought to UTC, or to the local calendar where a step is a day or more.
    Raises DataError at the first timestamp that is missing or cannot be read, and if two formats fit equally.
    """
    options = options or ReadOptions()
    notes: Notes = ()
    _reject_missing(column, rows)
    if isinstance(column.dtype, pd.PeriodDtype):
        return column.dt.start_time.to_numpy(dtype="datetime64[ns]"), ()
    if pd.api.types.is_datetime64_any_dtype(column):
        reading = _from_dates(column)
    else:
        reading, notes = _from_text(column, codes, rows, options)
    if not reading.fits:
        i = int(np.argmax(reading.utc.isna()))
        raise DataError(_unread(column, i, rows, options))
    times, more = local_or_utc(reading, codes, rows, str(column.name), options.timezone)
    return times, (*notes, *more)


def looks_like_time(column: pd.Series) -> bool:
    """Return whether a column of text or dates begins with a timestamp."""
    if pd.api.types.is_datetime64_any_dtype(column) or isinstance(column.dtype, pd.PeriodDtype):
        return True
    if pd.api.types.is_numeric_dtype(column):
        return False
    known = column.dropna().iloc[:1].astype(str)
    if not len(known) or known.str.fullmatch(r"[-+]?\d*[.,]?\d*|\D*").all():
        return False  # a number, or without a digit; 'now' is a word to us
    return readings(known)[0].fits


def are_dates_in_digits(column: pd.Series) -> bool:
    """Return whether a column of whole numbers, as text or not, holds dates such as 2024, 202401 or 20240131."""
    known = column.dropna()
    digits = _digits(known)
    return digits is not None and bool(len(digits)) and digit_reading(digits) is not None


def parse_epoch_number(number: float) -> pd.Timestamp | None:
    """Read one number as time since 1970 in the unit of its size; None if it is of no unit's size."""
    for unit, (_, low) in _EPOCHS.items():
        if low <= number < 1000 * low:
            return pd.Timestamp(number, unit=unit)
    return None


def _reject_missing(column: pd.Series, rows: Rows) -> None:
    missing = column.isna().to_numpy()
    if missing.any():
        i = int(np.argmax(missing))
        raise DataError(
            f"{rows.at(i)}: a timestamp must be like 2016-07-01 00:00, and column {column.name!r} is empty; fill it "
            f"in, or remove the {rows.unit}"
        )


def _from_dates(column: pd.Series) -> Reading:
    zoned = isinstance(column.dtype, pd.DatetimeTZDtype)
    utc = pd.to_datetime(column, utc=True)
    return Reading(utc, column.dt.tz_localize(None) if zoned else utc.dt.tz_localize(None), "ISO", zoned)


def _from_text(column: pd.Series, codes: NDArray[np.int64], rows: Rows, options: ReadOptions) -> tuple[Reading, Notes]:
    """Read text and numbers: as the format asked for, as digits, as any format that fits."""
    name, text = column.name, _as_text(column)
    if options.date_format is not None:
        digits = _digits(column)
        try:
            return read_format(text if digits is None else digits, options.date_format), ()
        except (ValueError, re.error) as error:  # the latter of a directive that is there twice
            raise DataError(
                f"--date-format is written as for strptime, got {options.date_format!r} ({error}); like %d/%m/%Y %H:%M"
            ) from error
    digits = _digits(column)
    if digits is not None:
        return _from_digits(column, digits, codes, rows)
    if pd.api.types.is_numeric_dtype(column) or _are_numbers(text):
        return _epoch(column, pd.to_numeric(text), rows), _epoch_note(column, pd.to_numeric(text))
    fitting = _readings_of_each(text)
    reading = fitting[0] if len(fitting) == 1 else _regular(fitting, column, codes, rows)
    if reading.is_iso or not reading.fits:
        return reading, ()
    example = f"{text.iloc[0]!r} read as {reading.wall.iloc[0]:%Y-%m-%d}"
    return reading, (f"timestamps in column {name!r} are not ISO: {example}",)


def _as_text(column: pd.Series) -> pd.Series:
    is_text = column.dtype == object and pd.api.types.infer_dtype(column, skipna=False) == "string"
    return column if is_text else column.astype(str)


def _are_numbers(text: pd.Series) -> bool:
    return all(pd.to_numeric(part, errors="coerce").notna().all() for part in (text.iloc[:1], text))


def _readings_of_each(text: pd.Series) -> list[Reading]:
    """Return every way to read a column; one that has the same times over and over is read once, and repeated."""
    places, different = pd.factorize(text)
    if 2 * len(different) > len(text):
        return readings(text)

    def repeated(times: pd.Series) -> pd.Series:
        return times.take(places).set_axis(text.index)

    found = readings(pd.Series(different, dtype=object))
    return [replace(each, utc=repeated(each.utc), wall=repeated(each.wall)) for each in found]


def _digits(column: pd.Series) -> pd.Series | None:
    """Return a column of whole numbers as text, '2024' for 2024.0; None if it is something else."""
    if len(column) > 1 and _digits(column.iloc[:1]) is None:
        return None
    if pd.api.types.is_float_dtype(column) and (column % 1 == 0).all():
        column = column.astype("int64")
    text = _as_text(column).str.strip().str.replace(r"\.0+$", "", regex=True)
    return text if text.str.fullmatch(r"\d+").all() else None


def _from_digits(column: pd.Series, digits: pd.Series, codes: NDArray[np.int64], rows: Rows) -> tuple[Reading, Notes]:
    """Read digits as dates where these have regular steps or cannot be time since 1970, else as that."""
    dates, numbers = digit_reading(digits), digits.astype(np.float64)
    if dates is None or (_epoch_unit(numbers) and uneven_steps(_plain(dates), codes)):
        return _epoch(column, numbers, rows), _epoch_note(column, numbers)
    first = f"{digits.iloc[0]} is {dates.wall.iloc[0]:%Y-%m-%d %H:%M}"
    return dates, (f"column {column.name!r} read as {digit_name(dates.format)}: {first}",)


def _epoch_unit(numbers: pd.Series) -> Literal["s", "ms", "us", "ns"] | None:
    return next(
        (u for u, (_, low) in _EPOCHS.items() if numbers.between(low, 1000 * low, inclusive="left").all()), None
    )


def _epoch(column: pd.Series, numbers: pd.Series, rows: Rows) -> Reading:
    """Read numbers as time since 1970, if all are of the size of one unit."""
    unit = _epoch_unit(numbers)
    if unit is None:
        raise DataError(
            f"{rows.file}: column {column.name!r}: timestamps must be text such as 2016-07-01 00:00, digits such as "
            f"20160701, or seconds since 1970, got the number {column.iloc[0]}; convert them, or rename the column if "
            f"it is a series"
        )
    exact = numbers.astype("int64") if (numbers % 1 == 0).all() else numbers
    utc = pd.to_datetime(exact, unit=unit, errors="coerce", utc=True)
    return Reading(utc, utc.dt.tz_localize(None), "epoch")


def _epoch_note(column: pd.Series, numbers: pd.Series) -> Notes:
    unit = _epoch_unit(numbers)
    return () if unit is None else (f"column {column.name!r} read as {_EPOCHS[unit][0]} since 1970",)


def _regular(fitting: list[Reading], column: pd.Series, codes: NDArray[np.int64], rows: Rows) -> Reading:
    """Return the reading with the most regular steps; DataError if two are equally regular."""
    uneven = sorted(((uneven_steps(_plain(reading), codes), i) for i, reading in enumerate(fitting)))
    (best, i), (second, j) = uneven[:2]
    if 2 * best < second or len(column) == 1:
        return fitting[i]
    last = len(column) - 1
    ways = " and ".join(
        f"{fitting[k].format} ({fitting[k].wall.iloc[0]:%Y-%m-%d} to {fitting[k].wall.iloc[last]:%Y-%m-%d})"
        for k in (i, j)
    )
    raise DataError(
        f"{rows.file}: timestamps must be readable in one way, but column {column.name!r}, from {column.iloc[0]!r} to "
        f"{column.iloc[last]!r}, fits both {ways}; say which with --date-format, like "
        f"--date-format '{fitting[j].format}'"
    )


def _plain(reading: Reading) -> Times:
    plain: Times = reading.utc.dt.tz_localize(None).to_numpy(dtype="datetime64[ns]")
    return plain


def _unread(column: pd.Series, i: int, rows: Rows, options: ReadOptions) -> str:
    what = "be like 2016-07-01 00:00" if options.date_format is None else f"be of the form {options.date_format!r}"
    example = column.iloc[0]
    remedy = f"correct or remove the {rows.unit}" if options.date_format is None else "correct it, or --date-format"
    first = "" if i == 0 or options.date_format else f", in the same form as the first, {example!r}"
    return (
        f"{rows.at(i)}: a timestamp must {what}{first}, between {FIRST.year} and {LAST.year}, got "
        f"{column.iloc[i]!r} in column {column.name!r}; {remedy}"
    )
