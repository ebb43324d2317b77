"""JSON Lines: one series a line, as Time-MoE's and GluonTS's files have them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data.errors import DataError, near_names
from data.panel import Panel
from data.readers.timegrid import canonical_freq

_ID_KEYS = ("id", "item_id", "unique_id")
_VALUE_KEYS = ("sequence", "target")


def panel_from_jsonl(path: Path, name: str, columns: Sequence[str] | None) -> Panel:
    """Read lines like {"id": "a", "sequence": [1.0, null], "start": "2016-07-01", "freq": "h"}; null = missing.

    'target' may be used for 'sequence'; id, start and freq may be absent. An absent id becomes the line's number.
    Raises DataError at the first line that is no such object, and if the lines differ in freq.
    """
    with path.open(encoding="utf-8-sig") as file:
        lines = [(number, text) for number, text in enumerate(file, 1) if text.strip()]
    if not lines:
        raise DataError(f"{path}: a file of series must not be empty; write one JSON object a line")
    series: dict[str, NDArray[np.float64]] = {}
    starts: dict[str, str | None] = {}
    freqs: dict[str | None, int] = {}
    notes: list[str] = []
    for number, text in lines:
        where = f"{path}: line {number}"
        record = _record(text, where)
        key = next((str(record[known]) for known in _ID_KEYS if known in record), str(number))
        if key in series:
            raise DataError(f"{where}: each series needs its own id, and {key!r} is there twice; rename one")
        series[key] = _values(record, where, notes)
        starts[key] = _start(record, where, notes)
        freqs.setdefault(_freq(record, where), number)
    _reject_mixed(path, freqs)
    kept = _kept(path, list(series), columns)
    return Panel.from_series(
        name,
        {key: series[key] for key in kept},
        starts=[starts[key] for key in kept],
        freq=next(iter(freqs)),
        notes=notes,
    )


def _record(text: str, where: str) -> Mapping[str, object]:
    """Parse one line."""
    try:
        record = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{where}: a line must be one JSON object, but at column {error.colno}: {error.msg}; correct the line"
        ) from error
    if not isinstance(record, dict):
        raise DataError(
            f'{where}: a line must be a JSON object like {{"id": ..., "sequence": [...]}}, got '
            f"{text.strip()[:40]!r}; correct the line"
        )
    return record


def _values(record: Mapping[str, object], where: str, notes: list[str]) -> NDArray[np.float64]:
    """Return a line's values, (rows,) float64."""
    key = next((known for known in _VALUE_KEYS if known in record), None)
    if key is None:
        raise DataError(f"{where}: a series needs 'sequence' or 'target', got {sorted(record)}; add one")
    try:
        numbers = np.asarray(record[key], dtype=np.float64)
    except (ValueError, TypeError, OverflowError) as error:
        raise DataError(f"{where}: {key!r} must be a list of numbers and nulls ({error}); correct it") from error
    if numbers.ndim != 1 or np.isnan(numbers).all():
        raise DataError(
            f"{where}: {key!r} must be a flat list with at least one number, got shape {numbers.shape}; remove the "
            f"line, or write one line a series"
        )
    values = numbers.copy()
    infinite = np.isinf(values)
    if infinite.any():
        notes.append(f"{infinite.sum()} infinite values in {where.rsplit(': ', 1)[1]} read as missing")
        values[infinite] = np.nan
    return values


def _start(record: Mapping[str, object], where: str, notes: list[str]) -> str | None:
    """Return a line's first timestamp, ISO, without a zone."""
    if record.get("start") is None:
        return None
    try:
        start = pd.Timestamp(record["start"])  # type: ignore[arg-type]  # whatever JSON holds; others raise
    except (ValueError, TypeError) as error:
        raise DataError(
            f"{where}: 'start' must be a timestamp like 2016-07-01 00:00, got {record['start']!r}; correct it"
        ) from error
    if start.tzinfo is not None:
        notes.append(f"start in {where.rsplit(': ', 1)[1]} converted to UTC")
        start = start.tz_convert("UTC").tz_localize(None)
    return str(start.isoformat())


def _freq(record: Mapping[str, object], where: str) -> str | None:
    """Return a line's frequency as pandas spells it today."""
    if record.get("freq") is None:
        return None
    try:
        return canonical_freq(str(record["freq"]))
    except ValueError as error:
        raise DataError(
            f"{where}: 'freq' must be a pandas offset like h, 15min or D, got {record['freq']!r}; correct it"
        ) from error


def _reject_mixed(path: Path, freqs: dict[str | None, int]) -> None:
    """Reject a file whose series have different frequencies, or some none."""
    if len(freqs) > 1:
        (first, line), (second, other), *_ = freqs.items()
        raise DataError(
            f"{path}: line {other}: all series must have one freq, got {second} here and {first} in line {line}; "
            f"put each freq into a file of its own"
        )


def _kept(path: Path, ids: list[str], columns: Sequence[str] | None) -> list[str]:
    """Return the ids asked for, all when none were."""
    for name in columns or ():
        if name not in ids:
            near = near_names(name, ids) or f"; choose among {ids[:8]}"
            raise DataError(f"{path}: --columns must name series of the file, got {name!r}{near}")
    return ids if columns is None else list(dict.fromkeys(columns))
