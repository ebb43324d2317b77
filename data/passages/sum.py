"""The sum of all passages files: days to a period, raw sites to sorted series, and the account of every row."""

from __future__ import annotations

import re
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from data.errors import DataError
from data.passages.cells import HourCells, same_rows
from data.passages.counts import MINUTES_A_DAY, Counts, FileTally, PassageFormat, Tally
from data.passages.file import MAX_SITES, FileCount
from data.passages.notes import dropped_notes, empty_notes, file_warnings, period_notes
from data.passages.period import EPOCH, MAX_DAYS, Period, busiest_month
from data.passages.times import SECONDS_A_DAY

Ints = NDArray[np.int64]


class PassageSum:
    """Adds up what the files hold, in whatever order they come."""

    def __init__(self, format: PassageFormat, minutes: int) -> None:
        self.format, self.minutes = format, minutes
        self.sites: dict[str, int] = {site: i for i, site in enumerate(dict.fromkeys((format.sites or {}).values()))}
        self.days: dict[int, Ints] = {}
        self.files: dict[int, FileCount] = {}
        self.hours: dict[int, HourCells] = {}

    def add(self, place: int, count: FileCount) -> None:
        """Add the file at this place of the list, and let go of its tables."""
        n = len(self.format.directions)
        numbers = [self.sites.setdefault(site, len(self.sites)) for site in count.sites]
        series = (np.array(numbers, dtype=np.int64)[:, None] * n + np.arange(n)).ravel()  # of each of the file's
        for day, table in count.cells.counts.items():
            whole = self.days.get(day, np.zeros((0, table.shape[1]), dtype=np.int64))
            whole = _longer(whole, len(self.sites) * n)
            whole[series[: len(table)]] += table
            self.days[day] = whole
        cells = count.cells.hour_cells()
        self.hours[place] = HourCells(series[cells.series], cells.hour, cells.rows, cells.trace)
        self.files[place] = count
        count.cells.clear()
        if len(self.days) > MAX_DAYS or len(self.sites) > MAX_SITES:
            raise DataError(
                f"passages must lie on at most {MAX_DAYS} days and have at most {MAX_SITES} sites, got "
                f"{len(self.days)} days and {len(self.sites)} sites; give --start and --end, or a site map with --sites"
            )

    def result(self, period: Period | None) -> Counts:
        """Cut the period out of the days, the busiest month if there is none; sort the series; note what was dropped.

        Raises DataError if nothing is left.
        """
        files = [self.files[place] for place in sorted(self.files)]
        rows = sum((count.rows for count in files), Tally())
        if not rows.used:
            raise DataError(_nothing_used(files, rows))
        first, last = period or busiest_month({day: int(table.sum()) for day, table in self.days.items()})
        hours = [self._inside(place, first, last) for place in sorted(self.files)]
        rows = sum((count.rows for count in files), Tally())
        values, ids = self._sorted(self._cut(first, last))
        bounds = tuple((EPOCH + timedelta(seconds=moment)).isoformat() for moment in (first, last))
        return Counts(
            ids,
            values,
            bounds[0],
            self.minutes,
            rows,
            tuple(FileTally(str(count.path), count.rows) for count in files),
            tuple(file_warnings(files, same_rows(hours))),
            (
                *dropped_notes(files, rows),
                *period_notes(rows, bounds[0], bounds[1], is_month=period is None),
                *empty_notes(ids, values),
            ),
        )

    def _inside(self, place: int, first: int, last: int) -> HourCells:
        """Return a file's hours inside the period, and take the rows of all others out of those used."""
        hours, count = self.hours[place], self.files[place]
        kept = (hours.hour >= first // 3600) & (hours.hour < -(-last // 3600))
        inside = HourCells(hours.series[kept], hours.hour[kept], hours.rows[kept], hours.trace[kept])
        outside = count.rows.used - int(inside.rows.sum())
        count.rows += Tally(outside_period=outside, used=-outside)
        return inside

    def _cut(self, first: int, last: int) -> Ints:
        """Return the counts of [first, last), in seconds since 1970, (n_series, n_buckets)."""
        days = range(first // SECONDS_A_DAY, -(-last // SECONDS_A_DAY))
        n_series, width = len(self.sites) * len(self.format.directions), MINUTES_A_DAY // self.minutes
        values = np.zeros((n_series, len(days), width), dtype=np.int64)
        for i, day in enumerate(days):
            if day in self.days:
                values[: len(self.days[day]), i] = self.days[day]
        step, begin = self.minutes * 60, days.start * SECONDS_A_DAY
        return values.reshape(n_series, -1)[:, (first - begin) // step : (last - begin) // step]

    def _sorted(self, values: Ints) -> tuple[Ints, tuple[str, ...]]:
        """Return the series in the order of their ids, and the ids: CP002 comes before CP010."""
        n = len(self.format.directions)
        directions = sorted(range(n), key=lambda i: self.format.directions[i])
        pairs = [(site, i) for site in sorted(self.sites, key=_natural) for i in directions]
        ids = tuple(f"{site}#fx={self.format.directions[i]}" for site, i in pairs)
        return values[[self.sites[site] * n + i for site, i in pairs]], ids


def _longer(table: Ints, n_series: int) -> Ints:
    """Return the table with at least n_series rows, new ones 0."""
    return np.pad(table, ((0, n_series - len(table)), (0, 0))) if len(table) < n_series else table


def _natural(text: str) -> list[tuple[int, str]]:
    """Sort numbers inside a text by their value."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", text) if part]


def _nothing_used(files: list[FileCount], rows: Tally) -> str:
    if not rows.read:
        return f"passages need rows, and none of the {len(files)} files has one; check how they were written"
    kinds = ("malformed", "unmapped_site", "bad_direction", "bad_time", "outside_period")
    dropped = ", ".join(f"{getattr(rows, kind)} {kind.replace('_', ' ')}" for kind in kinds if getattr(rows, kind))
    return "\n".join(
        [f"at least one row must be usable, and of {rows.read} none is: {dropped}", *dropped_notes(files, rows)]
    )
