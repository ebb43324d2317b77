"""Records: series that a file holds one by one, each with its id, values, start and frequency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data.centering import LARGEST
from data.errors import DataError, near_names
from data.frequencies import canonical_freq, first_stamp
from data.panel import Panel
from data.read_options import ReadOptions
from data.times.grid import place_on_grid
from data.times.parse import parse_epoch_number
from data.times.rows import Rows

ID_KEYS = ("id", "item_id", "unique_id", "series_id", "series_name")
VALUE_KEYS = ("sequence", "target")
TIME_KEYS = ("timestamp", "timestamps", "time", "ds", "date")


@dataclass(frozen=True)
class SeriesRecord:
    """One series. where: its place in the file, for messages; freq: as pandas spells it; start: without a zone."""

    id: str
    values: NDArray[np.float64]
    start: str | None
    freq: str | None
    where: str


def records_of(
    fields: Mapping[str, Any], where: str, number: str, notes: list[str], options: ReadOptions
) -> list[SeriesRecord]:
    """Return the series of one line or row: one, or one a dimension where its values are a list of lists.

    fields: 'target' or 'sequence' with the values, and maybe an id, 'start', 'freq', or a list of timestamps.
    number: what the series is called without an id. Raises DataError.
    """
    key = next((known for known in VALUE_KEYS if known in fields), None)
    if key is None:
        raise DataError(f"{where}: a series needs 'sequence' or 'target', got {sorted(fields)}; add one")
    name = next((str(fields[known]) for known in ID_KEYS if fields.get(known) is not None), number)
    values = _finite(_numbers(fields[key], key, where), where, notes)
    begins, freq = _start(fields, where, notes), _freq(fields, where) or options.freq
    start = None if begins is None else _stamp(begins, freq)
    times = next((fields[k] for k in TIME_KEYS if isinstance(fields.get(k), (list, np.ndarray))), None)
    if times is not None:
        values, start, freq = _on_grid(values, times, where, options)
    names = [name] if len(values) == 1 else [f"{name}/{i}" for i in range(len(values))]
    return [SeriesRecord(n, row, start, freq, where) for n, row in zip(names, values, strict=True)]


def panel_of_records(
    file: str, name: str, records: Sequence[SeriesRecord], options: ReadOptions, notes: Sequence[str]
) -> Panel:
    """Join records to a panel, all or those asked for; DataError for an id twice and for several frequencies."""
    _reject_resampling(file, options)
    by_id: dict[str, SeriesRecord] = {}
    for record in records:
        if record.id in by_id:
            raise DataError(
                f"{record.where}: each series needs its own id, and {record.id!r} is there twice; rename one"
            )
        by_id[record.id] = record
    kept = [by_id[key] for key in _kept(file, list(by_id), options.columns)]
    _reject_mixed(kept)
    return Panel.from_series(
        name,
        {record.id: record.values for record in kept},
        starts=[record.start for record in kept],
        freq=kept[0].freq,
        notes=notes,
    )


def _numbers(values: Any, key: str, where: str) -> NDArray[np.float64]:
    """Return (n_dimensions, rows) float64 of a list of numbers and nulls, or a list of such lists."""
    try:
        if isinstance(values, np.ndarray) and values.dtype == object:
            values = values.tolist()
        numbers = np.asarray(values, dtype=np.float64)
        if numbers.ndim == 1 and numbers.dtype == object:
            raise ValueError("lists of several lengths")
        if numbers.ndim == 0:
            raise ValueError(f"got {values!r:.40}")
    except (ValueError, TypeError, OverflowError) as error:
        raise DataError(f"{where}: {key!r} must be a list of numbers and nulls ({error}); correct it") from error
    if numbers.ndim > 2 or not numbers.size or np.isnan(numbers).all():
        raise DataError(
            f"{where}: {key!r} must be a list with at least one number, got shape {numbers.shape}; remove the line, or "
            f"write one line a series"
        )
    return np.atleast_2d(numbers)


def _finite(numbers: NDArray[np.float64], where: str, notes: list[str]) -> NDArray[np.float64]:
    huge = np.isfinite(numbers) & (np.abs(numbers) > LARGEST)
    if huge.any():
        raise DataError(
            f"{where}: a value must be within ±{LARGEST:.3g}, got {numbers[huge][0]:g}; divide the series by a power "
            f"of ten, or write null for missing"
        )
    infinite = np.isinf(numbers)
    if infinite.any():
        notes.append(f"{infinite.sum()} infinite values in {where.rsplit(': ', 1)[1]} read as missing")
        return np.where(infinite, np.nan, numbers)
    return numbers


def _start(fields: Mapping[str, Any], where: str, notes: list[str]) -> pd.Timestamp | None:
    """Return a series' first timestamp, without a zone; a number is time since 1970."""
    value = fields.get("start")
    if value is None:
        return None
    try:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        start = parse_epoch_number(float(value)) if is_number else pd.Timestamp(value)
        if start is None or pd.isna(start):
            raise ValueError("no time")
        start = start.as_unit("ns")
    except (ValueError, TypeError, OverflowError) as error:
        raise DataError(
            f"{where}: 'start' must be a timestamp like 2016-07-01 00:00 between 1677 and 2262, or seconds since 1970, "
            f"got {value!r:.60}; correct it"
        ) from error
    if start.tzinfo is not None:
        notes.append(f"start in {where.rsplit(': ', 1)[1]} converted to UTC")
        start = start.tz_convert("UTC").tz_localize(None)
    return start


def _stamp(start: pd.Timestamp, freq: str | None) -> str:
    """Return the stamp of the period that a start lies in, ISO."""
    return str((start if freq is None else first_stamp(start, freq)).isoformat())


def _freq(fields: Mapping[str, Any], where: str) -> str | None:
    """Return a series' frequency as pandas spells it today."""
    if fields.get("freq") is None:
        return None
    try:
        return canonical_freq(str(fields["freq"]))
    except ValueError as error:
        raise DataError(
            f"{where}: 'freq' must be a pandas offset like h, 15min or D, got {fields['freq']!r:.60}; correct it"
        ) from error


def _on_grid(
    values: NDArray[np.float64], times: Any, where: str, options: ReadOptions
) -> tuple[NDArray[np.float64], str, str | None]:
    """Place values, (n, rows), by the timestamps beside them; return them with their start and frequency."""
    if len(times) != values.shape[1]:
        raise DataError(
            f"{where}: a series must have a timestamp a value, got {len(times)} timestamps and {values.shape[1]} values"
        )
    try:
        moments = pd.to_datetime(pd.Series(list(times)), utc=True).dt.tz_localize(None).to_numpy("datetime64[ns]")
    except (ValueError, TypeError, OverflowError) as error:
        raise DataError(f"{where}: timestamps must be like 2016-07-01 00:00 ({error}); correct them") from error
    file = where.rsplit(": ", 1)[0]
    rows = Rows(file, "timestamp", np.arange(len(moments)))
    grid = place_on_grid(moments, np.zeros(len(moments), dtype=np.int64), rows, freq=options.freq)
    placed = np.full((len(values), int(grid.lengths[0])), np.nan)
    placed[:, grid.place] = values
    return placed, grid.starts[0], grid.freq


def _reject_resampling(file: str, options: ReadOptions) -> None:
    if options.resample is not None:
        raise DataError(
            f"{file}: --resample is for tables with a row a time, and this file has a list a series; leave it out"
        )


def _reject_mixed(records: Sequence[SeriesRecord]) -> None:
    """Reject series of different frequencies, or of which some have none."""
    first = records[0]
    other = next((record for record in records if record.freq != first.freq), None)
    if other is not None:
        raise DataError(
            f"{other.where}: all series must have one freq, got {other.freq} here and {first.freq} in "
            f"{first.where.rsplit(': ', 1)[1]}; put each freq into a file of its own"
        )


def _kept(file: str, ids: list[str], columns: Sequence[str] | None) -> list[str]:
    """Return the ids asked for, all when none were."""
    for name in columns or ():
        if name not in ids:
            near = near_names(name, ids) or f"; choose among {ids[:8]}"
            raise DataError(f"{file}: --columns must name series of the file, got {name!r}{near}")
    return ids if columns is None else list(dict.fromkeys(columns))
