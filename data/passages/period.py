"""The buckets of passages and the period that they fill: a month, or what was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import numpy as np
import pandas as pd

from data.errors import UserError
from data.passages.counts import MINUTES_A_DAY
from data.passages.times import SECONDS_A_DAY

MAX_DAYS = 1_000
EPOCH = datetime(1970, 1, 1)

Period = tuple[int, int]  # [first, last), seconds since 1970


def bucket_minutes(bucket: str) -> int:
    """Read a bucket's length, such as 5min; raises UserError unless a day is whole buckets of whole minutes."""
    try:
        minutes = pd.Timedelta(bucket) / pd.Timedelta(minutes=1)
    except ValueError:
        minutes = 0
    if not minutes > 0 or minutes % 1 or MINUTES_A_DAY % minutes:
        raise UserError(f"--bucket must be whole minutes that divide a day, got {bucket!r}; like 5min, 15min or 1h")
    return int(minutes)


def given_period(start: str | None, end: str | None, minutes: int) -> Period | None:
    """Read the period, None if none was given; raises UserError unless it is whole buckets, counted from midnight."""
    if start is None and end is None:
        return None
    if start is None or end is None:
        raise UserError("--start and --end must come together, got one of them; give both or none")
    first, last = read_moment(start, "--start", minutes), read_moment(end, "--end", minutes)
    if first >= last:
        raise UserError(f"--start must be before --end, which is not included, got {start} and {end}; change them")
    if last - first > MAX_DAYS * SECONDS_A_DAY:
        raise UserError(f"--start and --end must be at most {MAX_DAYS} days apart, got {start} and {end}; change them")
    return first, last


def busiest_month(passages: Mapping[int, int]) -> Period:
    """Return the calendar month with most passages, the earlier of two; passages: of each day since 1970."""
    months: dict[np.datetime64, int] = {}
    for day in sorted(passages):
        month = np.datetime64(day, "D").astype("datetime64[M]")
        months[month] = months.get(month, 0) + passages[day]
    busiest = max(months, key=lambda month: months[month])
    first, last = busiest.astype("datetime64[s]"), (busiest + 1).astype("datetime64[s]")
    return int(first.astype(np.int64)), int(last.astype(np.int64))


def read_moment(text: str, option: str, minutes: int) -> int:
    """Read a date or time as seconds since 1970; raises UserError unless it begins a bucket of the day."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise UserError(
            f"{option} must be a date or time, got {text!r}; write it like 2023-12-01 or 2023-12-01T06:00"
        ) from error
    if moment.tzinfo is not None:
        raise UserError(f"{option} must have no zone, as the files' times have none, got {text!r}; leave it out")
    seconds = (moment - EPOCH).total_seconds()
    if seconds % SECONDS_A_DAY % (minutes * 60):
        raise UserError(
            f"{option} must begin a bucket of {minutes} minutes, counted from midnight, got {text!r}; change it"
        )
    return int(seconds)
