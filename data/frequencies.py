"""Frequencies: how pandas spells them today, which are absurd, the stamps of a grid, and periods that begin it."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import numpy as np
import pandas as pd

from data.errors import DataError

_OLD_ALIASES = {"H": "h", "T": "min", "S": "s", "L": "ms", "U": "us", "M": "ME", "Q": "QE", "Y": "YE", "A": "YE"}
_LONGEST_STEP = pd.Timedelta(days=36525)  # a century
_MOST_CALENDAR_STEPS = 1200  # of one frequency: 100 years of months
_MONTHS = {"M": 1, "BM": 1, "Q": 3, "BQ": 3, "Y": 12, "BY": 12}  # by the letters before the S or E of an alias
FIRST, LAST = pd.Timestamp.min, pd.Timestamp.max


def canonical_freq(text: str) -> str:
    """Return a frequency as current pandas spells it ('H' is 'h', '60T' is '60min').

    Raises ValueError if it is unknown, of no length, or longer than a century.
    """
    parts = re.fullmatch(r"(\d*)([A-Z])(-[A-Z]{3})?", text)
    if parts and parts[2] in _OLD_ALIASES:
        text = parts[1] + _OLD_ALIASES[parts[2]] + (parts[3] or "")
    try:
        with warnings.catch_warnings(action="ignore"):  # of words that are no frequencies, and of old spellings
            offset = pd.tseries.frequencies.to_offset(text)
    except OverflowError as error:
        raise ValueError(f"a step must be at most a century, got {text!r}") from error
    if offset is None or offset.n < 1:
        raise ValueError(f"a step must have a length, got {text!r}")
    fixed = isinstance(offset, pd.offsets.Tick)
    if pd.Timedelta(cast(pd.offsets.Tick, offset)) > _LONGEST_STEP if fixed else offset.n > _MOST_CALENDAR_STEPS:
        raise ValueError(f"a step must be at most a century, got {text!r}")
    return str(offset.freqstr)


def step_of(freq: str) -> np.timedelta64 | None:
    """Return the length of a fixed step, such as an hour or a day; None for steps of the calendar."""
    offset = pd.tseries.frequencies.to_offset(freq)
    if isinstance(offset, (pd.offsets.Tick, pd.offsets.Day)):
        length = pd.Timedelta(offset.n, unit="D") if isinstance(offset, pd.offsets.Day) else pd.Timedelta(offset)
        return length.to_timedelta64()
    return None


def months_of(freq: str) -> int | None:
    """Return how many calendar months a step of a frequency is; None for other frequencies."""
    parts = re.fullmatch(r"(\d*)([A-Z]+)[SE](-[A-Z]{3})?", freq)
    if parts is None or parts[2] not in _MONTHS:
        return None
    return int(parts[1] or 1) * _MONTHS[parts[2]]


def stamps(start: str, freq: str, first: int, count: int) -> pd.DatetimeIndex:
    """Return the timestamps of rows [first, first + count) of the grid that begins at `start`.

    Months that are counted from their first day, yet start on another, keep that day, or take the month's last.
    A start off the grid of any other frequency is moved to the grid's next stamp, as pandas' date_range does.
    Raises DataError if they leave the years 1677 to 2262, which nanoseconds can count.
    """
    begin, offset = pd.Timestamp(start), pd.tseries.frequencies.to_offset(freq)
    months = months_of(freq) if _names_a_first_day(freq) else None
    with within_years(f"row {first + count} of a grid ({freq}) from {begin} does not", "or take fewer rows"):
        if months is not None and not offset.is_on_offset(begin):
            return _same_day(begin, months * np.arange(first, first + count))
        return pd.date_range(begin, periods=first + count, freq=offset)[first:]


def first_stamp(start: pd.Timestamp, freq: str) -> pd.Timestamp:
    """Return the stamp of the period that holds `start`: of monthly data the month's first or last day.

    A fixed step, such as an hour or a day, has its grid wherever it starts. GluonTS places a start the same way.
    """
    offset = pd.tseries.frequencies.to_offset(freq)
    if isinstance(offset, (pd.offsets.Tick, pd.offsets.Day)) or offset.is_on_offset(start):
        return start
    with within_years(f"the period ({freq}) of {start} does not", "or take a shorter step"):
        day = midnights(pd.DatetimeIndex([start]))[0]
        return (offset.rollback if _names_a_first_day(freq) else offset.rollforward)(day).as_unit("ns")


def midnights(times: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """Return the midnight before each time; OverflowError for the first day of all, whose midnight pandas makes the
    last of all."""
    days = times.normalize()
    if (days > times).any():
        raise OverflowError(f"midnight before {times.min()}")
    return days


@contextmanager
def within_years(what: str, remedy: str) -> Iterator[None]:
    """Say of calculations with times that leave what nanoseconds can count; raises DataError."""
    try:
        yield
    except (OverflowError, ValueError) as error:  # pandas' OutOfBoundsDatetime is a ValueError
        raise DataError(
            f"times must lie between {FIRST.year} and {LAST.year}, but {what}; correct the start, {remedy}"
        ) from error


def _names_a_first_day(freq: str) -> bool:
    return re.search(r"S(-[A-Z]{3})?$", freq) is not None


def _same_day(begin: pd.Timestamp, months: np.ndarray) -> pd.DatetimeIndex:
    """Return the same day and time, so many months later, or the last day of a month that has no such day."""
    month = np.datetime64(begin, "M") + months
    length = ((month + 1).astype("datetime64[D]") - month.astype("datetime64[D]")).astype(int)
    day = month.astype("datetime64[D]") + np.minimum(begin.day, length) - 1
    return pd.DatetimeIndex(day.astype("datetime64[s]").astype("datetime64[ns]")) + (
        begin - midnights(pd.DatetimeIndex([begin]))[0]
    )
