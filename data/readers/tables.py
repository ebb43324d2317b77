"""Tables: how the columns of a CSV or parquet file become the series of a panel."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data.errors import DataError, near_names
from data.panel import Panel
from data.readers.timegrid import Rows, looks_like_time, parse_times, place_on_grid

ID_NAMES = ("id", "item_id", "unique_id", "series", "series_id")
EPOCH_NAMES = ("unix", "unixtime", "unix_time", "unix_timestamp", "epoch_time")
TIME_NAMES = (
    *("time", "timestamp", "ds", "date", "datetime", "date_time", "date time", "date-time"),
    *("utc_timestamp", "timestamp_utc", "datetime_utc", "utc_datetime", "时间", "日期", "时间戳", "日期时间"),
    *EPOCH_NAMES,
)
VALUE_NAMES = ("value", "target", "y")


@dataclass
class Table:
    """A file's table on its way to a panel, with the notes gathered so far.

    columns: the series to keep, None = all. time_column: its name, None = found out.
    corpus: series without a value may stay, and without a time column every column must hold numbers.
    """

    name: str
    frame: pd.DataFrame
    rows: Rows
    columns: Sequence[str] | None = None
    time_column: str | None = None
    corpus: bool = False
    notes: list[str] = field(default_factory=list)


def is_long(table: Table) -> bool:
    """Return whether the columns are an id, a time and a value by their names."""
    names = [str(name) for name in table.frame.columns]
    timed = table.time_column in names or _named(names, TIME_NAMES) is not None
    return timed and all(_named(names, known) is not None for known in (ID_NAMES, VALUE_NAMES))


def panel_from_wide(table: Table) -> Panel:
    """Read a time column and one column a series; without a time column, rows are taken as they come.

    Columns that are not numbers are dropped with a note, unless they were asked for.
    Raises DataError if a name is unknown, no column is numeric, a timestamp is wrong or a series is empty.
    """
    time_name = _find_time(table)
    if time_name is not None:
        _drop_rows(table, table.frame.notna().any(axis=1).to_numpy())  # blank lines
    names = [str(name) for name in table.frame.columns if name != time_name]
    wanted = _without_second_time(table, _wanted(table, names))
    if time_name is None and table.corpus:
        _reject_untimed_text(table, wanted)
    numeric = {name: _numbers(table, name, must=table.columns is not None) for name in wanted}
    series = {name: values for name, values in numeric.items() if values is not None}
    if not series:
        raise DataError(
            f"{table.rows.file}: a table needs at least one column of numbers, got {_listed(names)}; "
            f"check the separator, and that decimals are written with a point"
        )
    stacked = _finite(table, np.stack(list(series.values())))  # (n_series, rows)
    _reject_empty(table, series, np.asarray(np.isnan(stacked).all(axis=1)))
    if time_name is None:
        table.notes.append("no time column: starts and frequency unknown")
        columns = dict(zip(series, stacked, strict=True))
        return Panel.from_series(table.name, columns, notes=table.notes)
    times, notes = parse_times(table.frame[time_name], table.rows)
    grid = place_on_grid(times, np.zeros(len(times), dtype=np.int64), table.rows)
    values = np.full((len(series), int(grid.lengths[0])), np.nan, dtype=np.float64)
    values[:, grid.place] = stacked
    return Panel.from_series(
        table.name,
        dict(zip(series, values, strict=True)),
        starts=grid.starts * len(series),
        freq=grid.freq,
        notes=(*table.notes, *notes, *grid.notes),
    )


def panel_from_long(table: Table) -> Panel:
    """Read one row a series and timestamp: an id, a time and a value column; series in order of appearance, whatever
    the order in columns.

    Raises DataError as `panel_from_wide` does, and if an id is missing.
    """
    id_name, time_name, value_name = _long_names(table)
    _drop_rows(table, table.frame.notna().any(axis=1).to_numpy())  # blank lines
    ids = table.frame[id_name]
    if ids.isna().any():
        i = int(np.argmax(ids.isna()))
        raise DataError(f"{table.rows.at(i)}: every row needs an id, and column {id_name!r} is empty; fill it in")
    wanted = _wanted(table, list(ids.astype(str).unique()))
    if table.columns is not None:
        _drop_rows(table, ids.astype(str).isin(wanted).to_numpy())
    codes, known = pd.factorize(table.frame[id_name].astype(str))
    numbers = _numbers(table, value_name, must=True)
    assert numbers is not None
    values = _finite(table, numbers)
    times, notes = parse_times(table.frame[time_name], table.rows)
    grid = place_on_grid(times, codes.astype(np.int64), table.rows)
    joined = np.full(int(grid.lengths.sum()), np.nan, dtype=np.float64)
    joined[grid.place] = values
    _reject_empty(table, known, np.bincount(codes, weights=~np.isnan(values), minlength=len(known)) == 0)
    offsets = np.r_[0, np.cumsum(grid.lengths)]
    rest = [str(name) for name in table.frame.columns if name not in (id_name, time_name, value_name)]
    if rest:
        table.notes.append(f"columns not read: {_listed(rest)}")
    all_notes = (*table.notes, *notes, *grid.notes)
    return Panel.from_rows(
        table.name, tuple(known), joined, offsets, starts=grid.starts, freq=grid.freq, notes=all_notes
    )


def _named(names: Iterable[str], known: Sequence[str]) -> str | None:
    """Return the first name that is among the known ones, whatever its case."""
    return next((name for name in names if name.strip().lower() in known), None)


def _listed(names: Sequence[str]) -> str:
    """Write some names for a message, the first eight at most."""
    return ", ".join(map(repr, names[:8])) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def _find_time(table: Table) -> str | None:
    """Return the time column: the one asked for, one with a usual name, or the first that holds timestamps."""
    names = [str(name) for name in table.frame.columns]
    if table.time_column is not None:
        if table.time_column not in names:
            raise DataError(
                f"{table.rows.file}: --time-column must be one of its columns, got {table.time_column!r}"
                f"{near_names(table.time_column, names) or f'; choose among {_listed(names)}'}"
            )
        return table.time_column
    named = _named(names, TIME_NAMES)
    if named is not None:
        return named
    return next((name for name in names if looks_like_time(table.frame[name])), None)


def _long_names(table: Table) -> tuple[str, ...]:
    """Return the names of the id, time and value columns."""
    names = [str(name) for name in table.frame.columns]
    time_name = _find_time(table) if table.time_column is not None else _named(names, TIME_NAMES)
    found = (_named(names, ID_NAMES), time_name, _named(names, VALUE_NAMES))
    for role, name, known in zip(("id", "time", "value"), found, (ID_NAMES, TIME_NAMES, VALUE_NAMES), strict=True):
        if name is None:
            raise DataError(
                f"{table.rows.file}: a long table needs a column with the {role}, named {' or '.join(known)}, got "
                f"{_listed(names)}; rename one, or take --format wide-csv"
            )
    return tuple(name for name in found if name is not None)


def _wanted(table: Table, names: list[str]) -> list[str]:
    """Return the series to keep, in the order asked for; reject an unknown one."""
    if table.columns is None:
        return names
    for name in table.columns:
        if name not in names:
            raise DataError(
                f"{table.rows.file}: --columns must name series of the file, got {name!r}"
                f"{near_names(name, names) or f'; choose among {_listed(names)}'}"
            )
    return list(dict.fromkeys(table.columns))


def _without_second_time(table: Table, names: list[str]) -> list[str]:
    """Leave out the time repeated as a number, unless it was asked for, with a note."""
    again = [name for name in names if table.columns is None and name.strip().lower() in EPOCH_NAMES]
    if again:
        table.notes.append(f"columns not read, the time once more: {_listed(again)}")
    return [name for name in names if name not in again]


def _drop_rows(table: Table, kept: NDArray[np.bool_]) -> None:
    """Keep some rows, and their numbers in the file."""
    table.frame = table.frame[kept]
    table.rows = Rows(table.rows.file, table.rows.unit, table.rows.numbers[kept])


def _numbers(table: Table, name: str, *, must: bool) -> NDArray[np.float64] | None:
    """Return a column as numbers, (rows,) float64; if it holds something else, None and a note, or an error."""
    column = table.frame[name]
    numbers = column if pd.api.types.is_numeric_dtype(column) else pd.to_numeric(column, errors="coerce")
    wrong = (numbers.isna() & column.notna()).to_numpy()
    if not wrong.any():
        return np.asarray(numbers.to_numpy(dtype=np.float64, na_value=np.nan))
    i = int(np.argmax(wrong))
    place = f"{table.rows.unit} {table.rows.numbers[i]}"
    if must:
        raise DataError(
            f"{table.rows.at(i)}: column {name!r} must hold numbers, got {column.iloc[i]!r}; correct it, or leave "
            f"the column out"
        )
    table.notes.append(f"column {name!r} dropped: {column.iloc[i]!r} in {place} is not a number")
    return None


def _finite(table: Table, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the values with the infinite ones missing; say so in a note."""
    infinite = np.isinf(values)
    if infinite.any():
        row = int(np.flatnonzero(infinite.reshape(-1, len(table.frame)).any(axis=0))[0])
        place = f"{table.rows.unit} {table.rows.numbers[row]}"
        table.notes.append(f"{infinite.sum()} infinite values read as missing, the first in {place}")
        values = np.where(infinite, np.nan, values)
    return values


def _reject_untimed_text(table: Table, names: Iterable[str]) -> None:
    """Reject columns that are not numbers where no column is the time: one of them may be meant as that."""
    for name in names:
        column = table.frame[name]
        if pd.to_numeric(column, errors="coerce").isna().sum() > column.isna().sum():
            first = column.dropna().iloc[0]
            raise DataError(
                f"{table.rows.file}: without a time column all columns must hold numbers, but {name!r} begins with "
                f"{first!r}; name the time column with --time-column, or remove {name!r}"
            )


def _reject_empty(table: Table, names: Iterable[Any], empty: NDArray[np.bool_]) -> None:
    """Reject series without one observed value; of a corpus, cleaning leaves them out."""
    if table.corpus:
        return
    lost = [str(name) for name, none in zip(names, empty, strict=True) if none]
    if lost:
        raise DataError(
            f"{table.rows.file}: a series needs an observed value, and {_listed(lost)} has none; remove it from the "
            f"file, or name the others with --columns"
        )
