"""Windows put together by the time that their forecast begins at: hours, days, weeks, months or years."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data.frequencies import stamps, step_of
from data.panel import Panel

MOST = 24  # spans
# Of pandas' periods, the least days of a step that they are not shorter than; weeks begin on Monday.
CALENDAR = {"h": 0, "D": 1, "W-SUN": 7, "M": 28, "Q": 89, "Y": 365}
LONGEST = "Y"


@dataclass(frozen=True, eq=False)
class Spans:
    """Spans of time, or of rows where some series has no time.

    labels: of each span's beginning, such as 2024-01-31 or row 96. group: (n_windows,), the span of each window.
    """

    labels: tuple[str, ...]
    group: NDArray[np.int64]
    unit: str

    @classmethod
    def of(cls, panel: Panel, series: NDArray[np.int64], rows: NDArray[np.int64]) -> Spans:
        """Take the shortest of the calendar's spans, none below the series' own step, of which there are no more than
        24; years, however many they are.

        series, rows: (n_windows,), each window's series, and the row that its forecast begins at.
        """
        starts = [panel.starts[i] for i in np.unique(series)]
        if panel.freq is None or None in starts:
            return cls._of_rows(rows)
        periods = pd.DatetimeIndex(_origins(panel, series, rows))
        step = np.diff(stamps(starts[0], panel.freq, 0, 2).to_numpy())[0] / np.timedelta64(1, "D")
        own = max(days for days in CALENDAR.values() if days <= step)
        for unit in (unit for unit, days in CALENDAR.items() if days >= own):
            numbers = periods.to_period(unit)
            first, last = numbers.min(), numbers.max()
            if (last - first).n < MOST or unit == LONGEST:
                break
        known, group = np.unique(numbers.asi8, return_inverse=True)
        begins = pd.PeriodIndex([pd.Period(ordinal=number, freq=unit) for number in known.tolist()]).to_timestamp()
        form = "%Y-%m-%d %H:%M" if unit == "h" else "%Y-%m-%d"
        names = {"h": "hour", "D": "day", "W-SUN": "week", "M": "month", "Q": "quarter", "Y": "year"}
        return cls(tuple(begins.strftime(form)), group.astype(np.int64), names[unit])

    @classmethod
    def _of_rows(cls, rows: NDArray[np.int64]) -> Spans:
        """Make 12 equal spans of the rows, or fewer."""
        first, last = int(rows.min()), int(rows.max())
        length = -(-(last - first + 1) // 12)
        known, group = np.unique((rows - first) // length, return_inverse=True)
        return cls(tuple(f"row {first + number * length}" for number in known.tolist()), group.astype(np.int64), "rows")


def _origins(panel: Panel, series: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.datetime64]:
    """Return the time of each window's first target, (n_windows,)."""
    assert panel.freq is not None
    names, number = np.unique([str(panel.starts[i]) for i in range(len(panel))], return_inverse=True)
    if (step := step_of(panel.freq)) is not None:
        begins = pd.to_datetime(pd.Series(names), format="ISO8601").to_numpy("datetime64[ns]")
        times: NDArray[np.datetime64] = begins[number[series]] + rows * step
        return times
    found = np.empty(len(rows), dtype="datetime64[ns]")
    for i, start in enumerate(names.tolist()):
        own = number[series] == i
        if own.any():
            found[own] = stamps(start, panel.freq, 0, int(rows[own].max()) + 1).to_numpy()[rows[own]]
    return found
