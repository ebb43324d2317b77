"""Tables: how the columns of a CSV, parquet or Excel file become the series of a panel."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data.centering import LARGEST
from data.errors import DataError, near_names
from data.panel import Panel
from data.readers.tabular.names import EPOCH_NAMES, listed
from data.readers.tabular.table import (
    Table,
    drop_row_ids,
    find_ids,
    find_long_time,
    find_time,
    find_values,
    repeated_keys,
)
from data.readers.tabular.value_columns import number_columns, numbers
from data.times.grid import Grid, Times, place_on_grid
from data.times.parse import parse_times
from data.times.resample import resample
from data.times.rows import Rows

Values = NDArray[np.float64]


def panel_from_wide(table: Table) -> Panel:
    """Read a time column and one column a series; without a time column, rows are taken as they come.

    Columns that are not numbers are dropped with a note, unless they were asked for or hold some numbers.
    Raises DataError if a name is unknown, no column is numeric, a timestamp is wrong or a series is empty.
    """
    time_name = find_time(table)
    if time_name is not None:
        table.keep_filled_rows()
    names = [name for name in table.names if name != time_name]
    wanted = _without_second_time(table, _wanted(table, names))
    if time_name is None and table.corpus:
        _reject_untimed_text(table, wanted)
    series = number_columns(table, wanted)
    if not series:
        raise DataError(
            f"{table.rows.file}: a table needs at least one column of numbers, got {listed(names)}; "
            f"check the separator, and that decimals are written with a point"
        )
    stacked = _finite(table, np.stack(list(series.values())), list(series))  # (n_series, rows)
    _reject_empty(table, list(series), np.asarray(np.isnan(stacked).all(axis=1)))
    if time_name is None:
        return _untimed(table, dict(zip(series, stacked, strict=True)))
    codes = np.zeros(len(table.frame), dtype=np.int64)
    times = _times(table, time_name, codes)
    if table.options.resample is None:
        _reject_long(table, time_name, times)
    grid, on_grid = _on_grid(table, times, codes, stacked, None)
    return Panel.from_series(
        table.name,
        dict(zip(series, on_grid, strict=True)),
        starts=grid.starts * len(series),
        freq=grid.freq,
        notes=table.notes,
    )


def panel_from_long(table: Table) -> Panel:
    """Read one row a series and timestamp: ids, a time and a value; series in order of appearance, whatever the order
    in columns. Of several columns of values each is a series, called 'id/column'; so are ids of several columns.

    Raises DataError as `panel_from_wide` does, and if an id is missing.
    """
    table.keep_filled_rows()
    if drop_row_ids(table):
        return panel_from_wide(table)
    id_names, time_name = find_ids(table), find_long_time(table)
    value_names = find_values(table, [*id_names, time_name])
    ids = _ids(table, id_names)
    if table.options.columns is not None:
        value_names, kept = _chosen(table, value_names, ids)
        table.keep_rows(kept)
        ids = ids[kept].reset_index(drop=True)
    codes, known = pd.factorize(ids)
    _reject_single_rows(table, id_names, len(known))
    found = (
        number_columns(table, value_names) if len(value_names) > 1 else {value_names[0]: numbers(table, value_names[0])}
    )
    values = _finite(table, np.stack(list(found.values())), list(found))  # (n_values, rows)
    seen = np.stack([np.bincount(codes, weights=~np.isnan(row), minlength=len(known)) for row in values])
    times = _times(table, time_name, codes.astype(np.int64))
    grid, on_grid = _on_grid(table, times, codes.astype(np.int64), values, known.to_numpy())
    rest = [name for name in table.names if name not in (*id_names, time_name, *found)]
    if rest and len(value_names) == 1:
        table.notes.append(f"columns not read: {listed(rest)}")
    offsets = np.r_[0, np.cumsum(grid.lengths)]
    if len(found) == 1:
        _reject_empty(table, list(known), seen[0] == 0)
        return Panel.from_rows(
            table.name, list(known), on_grid[0], offsets, starts=grid.starts, freq=grid.freq, notes=table.notes
        )
    return _each_value(table, list(known), list(found), seen, on_grid, offsets, grid)


def _each_value(
    table: Table,
    ids: list[str],
    names: list[str],
    seen: NDArray[Any],
    on_grid: Values,
    offsets: NDArray[np.int64],
    grid: Grid,
) -> Panel:
    """Make a series of every id and column of values, 'id/column'; one without a value is left out with a note."""
    series = {
        f"{name}/{column}": on_grid[j, offsets[i] : offsets[i + 1]]
        for i, name in enumerate(ids)
        for j, column in enumerate(names)
        if seen[j, i]
    }
    starts = [grid.starts[i] for i in range(len(ids)) for j in range(len(names)) if seen[j, i]]
    if len(series) < len(ids) * len(names):
        table.notes.append(f"{len(ids) * len(names) - len(series)} series without a value left out")
    return Panel.from_series(table.name, series, starts=starts, freq=grid.freq, notes=table.notes)


def _times(table: Table, time_name: str, codes: NDArray[np.int64]) -> Times:
    times, notes = parse_times(table.frame[time_name], codes, table.rows, table.options)
    table.notes += notes
    return times


def _on_grid(
    table: Table, times: Times, codes: NDArray[np.int64], values: Values, ids: NDArray[Any] | None
) -> tuple[Grid, Values]:
    """Place values, (n, rows), on the grids of their series, (n, grid rows), resampled where that was asked for."""
    options, rows = table.options, table.rows
    if options.resample is not None:
        assert options.freq is not None
        times, codes, values, note = resample(times, codes, values, options.freq, options.resample)
        table.notes.append(note)
        rows = Rows(rows.file, "step", np.arange(len(times)))
    # no row in a step means that there is no value, or of sums that nothing happened
    empty = 0.0 if options.resample == "sum" else np.nan
    grid = place_on_grid(times, codes, rows, freq=options.freq, ids=ids, filling="0" if empty == 0 else None)
    table.notes += grid.notes
    on_grid = np.full((len(values), int(grid.lengths.sum())), empty)
    on_grid[:, grid.place] = values
    return grid, on_grid


def _untimed(table: Table, series: dict[str, Values]) -> Panel:
    """Take the rows as they come; a frequency that was given is kept, without a start."""
    if table.options.freq is not None:
        raise DataError(
            f"{table.rows.file}: --freq places rows by their time, and no column holds one; name it with --time-column"
        )
    table.notes.append("no time column: starts and frequency unknown")
    return Panel.from_series(table.name, series, notes=table.notes)


def _ids(table: Table, names: Sequence[str]) -> pd.Series:
    """Return the id of each row as text; of several columns joined as 'store/item'."""
    for name in names:
        missing = table.frame[name].isna().to_numpy()
        if missing.any():
            i = int(np.argmax(missing))
            raise DataError(f"{table.rows.at(i)}: every row needs an id, and column {name!r} is empty; fill it in")
    ids = table.frame[names[0]].astype(str)
    for name in names[1:]:
        ids = ids + "/" + table.frame[name].astype(str)
    return ids


def _chosen(table: Table, value_names: list[str], ids: pd.Series) -> tuple[list[str], NDArray[np.bool_]]:
    """Return the columns of values and the rows that were asked for: by columns, or by ids."""
    wanted = table.options.columns or ()
    if all(name in value_names for name in wanted) and not ids.isin(wanted).any():
        return list(dict.fromkeys(wanted)), np.ones(len(ids), dtype=bool)
    return value_names, ids.isin(_wanted(table, list(ids.unique()))).to_numpy()


def _wanted(table: Table, names: list[str]) -> list[str]:
    """Return the series to keep, in the order asked for; reject an unknown one."""
    wanted = table.options.columns
    if wanted is None:
        return names
    for name in wanted:
        if name not in names:
            raise DataError(
                f"{table.rows.file}: --columns must name series of the file, got {name!r}"
                f"{near_names(name, names) or f'; choose among {listed(names)}'}"
            )
    return list(dict.fromkeys(wanted))


def _without_second_time(table: Table, names: list[str]) -> list[str]:
    """Leave out the time repeated as a number, unless it was asked for, with a note."""
    again = [n for n in names if table.options.columns is None and n.strip().lower() in EPOCH_NAMES]
    if again:
        table.notes.append(f"columns not read, the time once more: {listed(again)}")
    return [name for name in names if name not in again]


def _finite(table: Table, values: Values, names: Sequence[str]) -> Values:
    """Return values, (n, rows), with the infinite ones missing, and a note; reject those that float32 cannot hold."""
    huge = np.isfinite(values) & (np.abs(values) > LARGEST)
    if huge.any():
        column, row = (int(index[0]) for index in np.nonzero(huge))
        raise DataError(
            f"{table.rows.at(row)}: a value must be within ±{LARGEST:.3g}, got {values[column, row]:g} in column "
            f"{names[column]!r}; divide the column by a power of ten, or name the value as missing with --na"
        )
    infinite = np.isinf(values)
    if infinite.any():
        row = int(np.flatnonzero(infinite.any(axis=0))[0])
        table.notes.append(f"{infinite.sum()} infinite values read as missing, the first in {table.rows.place(row)}")
        values = np.where(infinite, np.nan, values)
    return values


def _reject_long(table: Table, time_name: str, times: Times) -> None:
    """Reject a table that has several rows a timestamp, and columns that tell them apart."""
    if len(np.unique(times)) == len(times):
        return
    keys = repeated_keys(table, time_name)
    if keys:
        raise DataError(
            f"{table.rows.file}: timestamps are there several times, and {' and '.join(map(repr, keys))} "
            f"tell{'s' if len(keys) == 1 else ''} their rows apart; if that names a series, give --id-columns "
            f"{','.join(keys)}"
        )


def _reject_single_rows(table: Table, id_names: Sequence[str], n_ids: int) -> None:
    """Reject ids of which every one has one row: they are no names of series."""
    if n_ids == len(table.frame) and n_ids > 1:
        raise DataError(
            f"{table.rows.file}: every series has one row; is {id_names[0]!r} a row number? Leave it out with "
            f"--columns and --format wide-csv, or name the ids with --id-columns"
        )


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


def _reject_empty(table: Table, names: Sequence[str], empty: NDArray[np.bool_]) -> None:
    """Reject series without one observed value; of a corpus, cleaning leaves them out."""
    lost = [name for name, none in zip(names, empty, strict=True) if none]
    if lost and not table.corpus:
        raise DataError(
            f"{table.rows.file}: a series needs an observed value, and {listed(lost)} has none; remove it from the "
            f"file, or name the others with --columns"
        )
