"""Time zones: times with an offset are brought to UTC, steps of a day or more to the local calendar."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data.errors import DataError
from data.times.formats import Reading
from data.times.grid import Times, common_step
from data.times.rows import Rows

_NEARLY_A_DAY = np.timedelta64(23, "h")  # the shortest day of a zone with summer time
_LAST_BY_NAME = 2036
Notes = tuple[str, ...]


def local_or_utc(
    reading: Reading, codes: NDArray[np.int64], rows: Rows, column: str, timezone: str | None
) -> tuple[Times, Notes]:
    """Return timestamps without a zone, (rows,), and a note where one was taken off.

    codes: (rows,), the series of each row. Hours and minutes are counted in UTC, where a clock that is set forward or
    back leaves no gap; days and months on the local calendar, where they begin at midnight.
    Raises DataError for a local time that the zone does not have.
    """
    if timezone is None and not reading.zoned:
        return _array(reading.wall), ()
    wall, utc = reading.wall, reading.utc
    if timezone is not None:
        if reading.zoned:
            wall = utc.dt.tz_convert(_zone(timezone, utc)).dt.tz_localize(None)
        else:
            utc = _to_utc(wall, codes, rows, timezone)
    step = common_step(_array(utc.dt.tz_localize(None)), codes)
    if step is not None and step >= _NEARLY_A_DAY:
        where = timezone or "their zone"
        return _array(wall), (f"timestamps in column {column!r} are days of the calendar of {where}",)
    of = f" from {timezone}" if timezone and not reading.zoned else ""
    return _array(utc.dt.tz_localize(None)), (f"timestamps in column {column!r} converted{of} to UTC",)


def _to_utc(wall: pd.Series, codes: NDArray[np.int64], rows: Rows, timezone: str) -> pd.Series:
    """Bring local times to UTC; of an hour that a series has twice, the first is the one before clocks are set back."""
    second = pd.DataFrame({"series": codes, "wall": wall.to_numpy()}).duplicated().to_numpy()
    zoned = wall.dt.tz_localize(_zone(timezone, wall), ambiguous=~second, nonexistent="NaT")
    skipped = zoned.isna().to_numpy()
    if skipped.any():
        i = int(np.argmax(skipped))
        raise DataError(
            f"{rows.at(i)}: {timezone} has no {wall.iloc[i]}, because clocks are set forward over it; correct the "
            f"time, or give another --timezone (UTC if clocks are never set)"
        )
    utc: pd.Series = zoned.dt.tz_convert("UTC")
    return utc


def _zone(name: str, times: pd.Series) -> str | ZoneInfo:
    """Return a zone by its name, which is fast, or whole: what pandas finds by a name has no summer after 2037."""
    try:
        pd.Timestamp(0, tz=name)
    except KeyError:  # such as 'Factory'
        return ZoneInfo(name)
    return name if times.max().year <= _LAST_BY_NAME else ZoneInfo(name)


def _array(times: pd.Series) -> Times:
    plain: Times = times.to_numpy(dtype="datetime64[ns]")
    return plain
