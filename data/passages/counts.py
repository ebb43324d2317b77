"""The records of passages: how the files are laid out, what became of each row, and the counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data.errors import UserError

MINUTES_A_DAY = 24 * 60


@dataclass(frozen=True)
class PassageFormat:
    """Where a row of a passages file says site, direction and time, and which of them are wanted.

    sites: the id of each raw site name; None = each name is an id by itself.
    directions: the directions to count; a row with any other is dropped and reported.
    """

    site_column: str = "KKMC"
    direction_column: str = "FXLX"
    time_column: str = "GCSJ"
    sites: Mapping[str, str] | None = None
    directions: tuple[int, ...] = (1, 2)

    def __post_init__(self) -> None:
        """Raise UserError unless three columns and some directions, each once, are named."""
        columns = [self.site_column, self.direction_column, self.time_column]
        if len(set(columns)) < len(columns) or not all(columns):
            raise UserError(
                f"--site-column, --direction-column and --time-column must be three columns, got {columns}; change one"
            )
        if not self.directions or len(set(self.directions)) < len(self.directions):
            raise UserError(f"--directions must name each wanted one once, got {list(self.directions)}; like 1,2")


@dataclass(frozen=True)
class Tally:
    """What became of the rows; each row is in `used` or in one of the dropped kinds, the first that fits.

    read = malformed + unmapped_site + bad_direction + bad_time + outside_period + used.
    malformed: not as many cells as the header. unmapped_site: no name, or one that the site map lacks.
    bad_direction: not among the wanted ones. bad_time: unreadable, impossible, or not of the years 1900 to 2199.
    """

    read: int = 0
    malformed: int = 0
    unmapped_site: int = 0
    bad_direction: int = 0
    bad_time: int = 0
    outside_period: int = 0
    used: int = 0

    @property
    def mapped(self) -> int:
        """Rows whose site is known."""
        return self.read - self.malformed - self.unmapped_site

    def __add__(self, other: Tally) -> Tally:
        """Sum two tallies, kind by kind."""
        return Tally(**{field.name: getattr(self, field.name) + getattr(other, field.name) for field in fields(self)})


@dataclass(frozen=True)
class FileTally:
    """One file that was read, and what became of its rows."""

    path: str
    rows: Tally


@dataclass(frozen=True)
class Counts:
    """Passages per bucket, per site and direction.

    ids: the series, like 'CP016#fx=2', by site in natural order and then by direction.
    values: (n_series, n_buckets) int64. start: first bucket, ISO without a zone.
    warnings: what the reader should correct. notes: what was dropped or changed.
    """

    ids: tuple[str, ...]
    values: NDArray[np.int64]
    start: str
    bucket_minutes: int
    rows: Tally
    files: tuple[FileTally, ...]
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def n_buckets(self) -> int:
        """Buckets of each series."""
        return int(self.values.shape[1])

    @property
    def end(self) -> str:
        """First moment after the last bucket, ISO."""
        return self.time_of(self.n_buckets).isoformat()

    @property
    def freq(self) -> str:
        """The bucket as a pandas offset alias, like '5min' or 'h'."""
        return str(pd.tseries.frequencies.to_offset(pd.Timedelta(minutes=self.bucket_minutes)).freqstr)

    def time_of(self, bucket: int) -> datetime:
        """Return the moment at which a bucket begins."""
        return datetime.fromisoformat(self.start) + timedelta(minutes=self.bucket_minutes * bucket)
