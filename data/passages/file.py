"""The reading of one passages file: block after block to counts per day, and an account of every dropped row."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv

from data.errors import DataError
from data.passages.cells import DayCells
from data.passages.codes import DirectionCodes, SiteCodes
from data.passages.counts import PassageFormat, Tally
from data.passages.layout import Layout, decode_text
from data.passages.lines import LineStream, first_odd_line, swallowed_lines
from data.passages.period import MAX_DAYS, Period
from data.passages.times import SECONDS_A_DAY, parse_passage_times

MAX_SITES = 5_000
BLOCK_BYTES = 1 << 20
_COLUMNS = ("site", "direction", "time")

Progress = Callable[[Path, int], None]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Reading:
    """What holds for every file: the format, the bucket, and the period, if one was given.

    progress: called with the file and how many of its bytes are read, from several threads.
    """

    format: PassageFormat
    bucket_seconds: int
    period: Period | None = None
    progress: Progress | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    use_threads: bool = True


@dataclass
class FileCount:
    """One file's passages: series are site * directions + direction, numbered as they came.

    unmapped, bad_directions: rows of the values that were dropped. bad_times: a few of the unreadable ones.
    swallowed: lines inside quotation marks, which are no rows; odd_line: the first with an odd number of marks.
    """

    path: Path
    cells: DayCells
    sites: list[str] = field(default_factory=list)
    rows: Tally = field(default_factory=Tally)
    unmapped: Counter[str] = field(default_factory=Counter)
    bad_directions: Counter[str] = field(default_factory=Counter)
    bad_times: list[str] = field(default_factory=list)
    zoned: int = 0
    swallowed: int = 0
    odd_line: int | None = None


def count_file(layout: Layout, reading: Reading) -> FileCount:
    """Count one file's passages.

    Memory is that of a few blocks and of the counts. Rows are read as bytes: neither UTF-8 nor GBK uses a separator's
    byte for anything else, so only names are decoded.
    Raises DataError if the file cannot be split into rows, or has more sites or days than a month can.
    """
    if not layout.has_rows:
        return FileCount(layout.path, DayCells(reading.bucket_seconds))
    as_latin, over_lines = not layout.is_utf8, False
    while True:
        counter = _Counter(layout, reading, as_latin=as_latin)
        try:
            counter.read(over_lines=over_lines)
            return counter.count
        except pa.ArrowInvalid as error:
            if "out of sync" in str(error) and not over_lines:
                over_lines = True  # slower: quoted cells may hold line breaks
            elif "Expected" in str(error) and not as_latin:
                as_latin = True  # pyarrow hands over a malformed row only if it can decode it
            else:
                raise DataError(_unsplit(layout.path, error)) from error
        except OSError as error:
            raise DataError(f"{layout.path}: the file cannot be read to its end ({error}); write it again") from error


def _unsplit(path: Path, error: Exception) -> str:
    """Say why a file cannot be split into rows, and where if an open quotation mark may be the reason."""
    odd = first_odd_line(path)
    where = "" if odd is None else f"; line {odd} is the first with an odd number of quotation marks"
    return f"{path}: the rows cannot be separated ({str(error).splitlines()[0]}){where}; correct the file"


class _Counter:
    """Reads one file in one way."""

    def __init__(self, layout: Layout, reading: Reading, *, as_latin: bool) -> None:
        self.layout, self.reading, self.as_latin = layout, reading, as_latin
        self.sites = SiteCodes(reading.format.sites, self._text)
        self.directions = DirectionCodes(reading.format.directions, self._text)
        self.count = FileCount(
            layout.path,
            DayCells(reading.bucket_seconds),
            sites=self.sites.sites,
            unmapped=self.sites.unmapped,
            bad_directions=self.directions.bad,
        )
        self._malformed = 0

    def read(self, *, over_lines: bool) -> None:
        layout, stop, progress = self.layout, self.reading.stop, self.reading.progress
        with LineStream(layout.path) as stream:
            with self._open(stream, over_lines) as blocks:
                for block in blocks:
                    if stop.is_set():
                        return
                    self._add(block)
                    self._reject_crowds()
                    if progress is not None:
                        progress(layout.path, stream.bytes_read())
            lines = stream.lines
        self.count.rows += Tally(read=self._malformed, malformed=self._malformed)
        surplus = lines - layout.header_lines - self.count.rows.read
        if surplus > 0:
            self.count.swallowed = swallowed_lines(layout.path, surplus, layout.header_lines)
            self.count.odd_line = first_odd_line(layout.path) if self.count.swallowed else None

    def _open(self, stream: LineStream, over_lines: bool) -> csv.CSVStreamingReader:
        layout = self.layout
        names = [str(i) for i in range(layout.n_columns)]
        for name in _COLUMNS:
            names[getattr(layout, name)] = name
        return csv.open_csv(
            stream,
            read_options=csv.ReadOptions(
                use_threads=self.reading.use_threads,
                block_size=BLOCK_BYTES,
                column_names=names,
                skip_rows=layout.header_lines,
                encoding="latin-1" if self.as_latin else "utf-8",
            ),
            parse_options=csv.ParseOptions(
                delimiter=layout.separator, newlines_in_values=over_lines, invalid_row_handler=self._skip_malformed
            ),
            convert_options=csv.ConvertOptions(
                include_columns=list(_COLUMNS), column_types={name: pa.binary() for name in _COLUMNS}
            ),
        )

    def _skip_malformed(self, row: csv.InvalidRow) -> str:
        self._malformed += 1 + row.text.strip().count("\n")  # an open quotation mark swallows lines
        return "skip"

    def _add(self, block: pa.RecordBatch) -> None:
        """Count a block's rows; what drops one row is the first of site, direction, time and period."""
        if not len(block):
            return
        site = self.sites.numbers(block["site"])
        mapped = site >= 0
        direction = self.directions.numbers(block["direction"], mapped)
        known = (direction >= 0) & mapped
        times = parse_passage_times(block["time"])
        kept = known & times.valid
        bad_time = known & ~times.valid
        if bad_time.any():
            self._keep_examples(block["time"], bad_time)
        self.count.zoned += times.zoned
        n_timed = int(kept.sum())
        if self.reading.period is not None:
            moment = times.day.astype(np.int64) * SECONDS_A_DAY + times.second
            kept &= (moment >= self.reading.period[0]) & (moment < self.reading.period[1])
        n_used = int(kept.sum())
        self.count.rows += Tally(
            read=len(block),
            unmapped_site=len(block) - int(mapped.sum()),
            bad_direction=int(mapped.sum()) - int(known.sum()),
            bad_time=int(known.sum()) - n_timed,
            outside_period=n_timed - n_used,
            used=n_used,
        )
        columns = (site * len(self.reading.format.directions) + direction, times.day, times.second)
        series, day, second = columns if n_used == len(block) else (column[kept] for column in columns)
        if n_used:
            n_series = len(self.sites.sites) * len(self.reading.format.directions)
            self.count.cells.add(series, day, second, n_series=n_series)

    def _text(self, value: bytes) -> str:
        """Decode a cell, without blanks around it."""
        return decode_text(value.decode("utf-8").encode("latin-1") if self.as_latin else value).strip()

    def _keep_examples(self, column: pa.BinaryArray, rows: Mask) -> None:
        for value in column.take(pa.array(np.flatnonzero(rows)[:5])).to_pylist():
            text = self._text(value)
            if len(self.count.bad_times) < 3 and text not in self.count.bad_times:
                self.count.bad_times.append(text)

    def _reject_crowds(self) -> None:
        """Memory stays flat only where sites and days are few."""
        column = self.reading.format.site_column
        if len(self.sites.sites) > MAX_SITES or self.sites.is_crowded:
            raise DataError(
                f"{self.layout.path}: column {column!r} must name at most {MAX_SITES} sites, and has more, such as "
                f"{self.sites.sites[-1:]}; choose another with --site-column, or give a site map with --sites"
            )
        if len(self.count.cells.counts) > MAX_DAYS:
            raise DataError(
                f"{self.layout.path}: passages must lie on at most {MAX_DAYS} days, and lie on more; choose the period "
                f"with --start and --end"
            )
