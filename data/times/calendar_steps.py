"""Steps of the calendar: business days, half months, months, quarters and years are counted, not measured."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Positions = tuple[str | None, NDArray[np.int64]]
Times = NDArray[np.datetime64]

_DAY = np.timedelta64(1, "D")
_HALF_MONTHS = (np.timedelta64(13, "D"), np.timedelta64(17, "D"))
_SHORTEST_MONTH = np.timedelta64(28, "D")


def calendar_positions(time: Times, is_first: NDArray[np.bool_], step: np.timedelta64) -> Positions | None:
    """Return the frequency, and each row's number of steps from a fixed origin; None if the calendar has no such step.

    time: (rows,), sorted by series and time; is_first: whether a row is the first of its series; step: the most common
    one, a day at least.
    """
    if step == _DAY:
        return _business_days(time, is_first)
    if _HALF_MONTHS[0] <= step <= _HALF_MONTHS[1]:
        return _half_months(time)
    return _months(time, is_first) if step >= _SHORTEST_MONTH else None


def _business_days(time: Times, is_first: NDArray[np.bool_]) -> Positions | None:
    """Count weekdays, if no row lies on a weekend and the rows pass one; all at one time of the day."""
    days = time.astype("datetime64[D]")
    weekday = (days.astype(np.int64) + 3) % 7  # 1970-01-01 was a Thursday
    passes = (np.diff(days) == 3 * _DAY) & (weekday[1:] == 0) & ~is_first[1:]
    if (weekday > 4).any() or not passes.any() or not _one_clock(time - days):
        return None
    return "B", np.busday_count("1970-01-01", days).astype(np.int64)


def _half_months(time: Times) -> Positions | None:
    """Count half months: the 1st and the 15th, or the 15th and the last day."""
    month, day, last = _in_months(time)
    if not _one_clock(time - time.astype("datetime64[D]")):
        return None
    for alias, other in (("SMS-15", day == 1), ("SME-15", day == last)):
        if ((day == 15) | other).all():
            later = (day == 15) if alias.startswith("SMS") else (day == last)
            return alias, 2 * month + later
    return None


def _months(time: Times, is_first: NDArray[np.bool_]) -> Positions | None:
    """Count calendar months, if every row is at the same place of its month: its first or last day, its first or last
    weekday, or one day such as the 15th."""
    month, day, last = _in_months(time)
    days = time.astype("datetime64[D]")
    if not _one_clock(time - days):
        return None
    same = np.minimum(day.max(), last)  # of a month without a 31st, the last
    kinds: tuple[tuple[str, NDArray[np.bool_]], ...] = (
        ("MS", day == 1),
        ("ME", day == last),
        ("BMS", days == np.busday_offset(month.astype("datetime64[M]").astype("datetime64[D]"), 0, roll="forward")),
        ("BME", days == np.busday_offset(_last_days(month), 0, roll="backward")),
        ("MS", day == same),
    )
    alias = next((name for name, fits in kinds if fits.all()), None)
    if alias is None:
        return None
    every = int(_most_common(np.diff(month)[~is_first[1:]]))
    if ((month - month[0]) % every != 0).any():
        return None
    return _alias(alias, every, int(month[0] % 12)), month // every


def _alias(monthly: str, every: int, first: int) -> str:
    """Return the alias of so many months: 'QS-OCT' for three 'MS' from October on; first: 0 for January."""
    names = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
    kind = monthly[:-2] + "{}" + monthly[-1]  # 'B{}E' for BME
    if every == 12:
        return f"{kind.format('Y')}-{names[first]}"
    if every == 3:
        alias = f"{kind.format('Q')}-{names[first]}"
        return str(pd.tseries.frequencies.to_offset(alias).freqstr)
    return monthly if every == 1 else f"{every}{monthly}"


def _in_months(time: Times) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return months since 1970, the day of the month, and the number of its days; each (rows,)."""
    month = time.astype("datetime64[M]")
    day = (time.astype("datetime64[D]") - month.astype("datetime64[D]")).astype(np.int64) + 1
    number = month.astype(np.int64)
    return number, day, (_last_days(number) - month.astype("datetime64[D]")).astype(np.int64) + 1


def _last_days(month: NDArray[np.int64]) -> Any:
    return (month + 1).astype("datetime64[M]").astype("datetime64[D]") - _DAY


def _one_clock(of_day: NDArray[np.timedelta64]) -> bool:
    """Whether all rows are at one time of the day."""
    return bool((of_day == of_day[0]).all())


def _most_common(steps: NDArray[Any]) -> Any:
    values, counts = np.unique(steps, return_counts=True)
    return values[np.argmax(counts)]
