"""The names by which columns are known, and how some of them are written in a message."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

ID_NAMES = ("id", "item_id", "unique_id", "series", "series_id")
VALUE_NAMES = ("value", "target", "y")
EPOCH_NAMES = ("unix", "unixtime", "unix_time", "unix_timestamp", "epoch_time")
TIME_NAMES = (
    *("time", "timestamp", "ds", "date", "datetime", "date_time", "date time", "date-time"),
    *("utc_timestamp", "timestamp_utc", "datetime_utc", "utc_datetime", "时间", "日期", "时间戳", "日期时间"),
    *EPOCH_NAMES,
)
PERIOD_NAMES = (  # the time, where they hold dates
    *("year", "month", "quarter", "week", "day", "period", "hour", "年", "月", "年月"),
    *("yyyy", "yyyymm", "yyyymmdd", "yyyymmddhh", "yyyymmddhhmm", "year_month", "yearmonth", "date_id"),
)
PARTS = ("year", "month", "day", "hour", "minute")  # of a time, in columns of their own

SHOWN = 8


def named(names: Iterable[str], known: Sequence[str]) -> str | None:
    """Return the first name that is among the known ones, whatever its case."""
    return next((name for name in names if name.strip().lower() in known), None)


def listed(names: Sequence[str]) -> str:
    """Write some names for a message, the first eight at most."""
    return ", ".join(map(repr, names[:SHOWN])) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
