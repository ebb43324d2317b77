"""A file's table on its way to a panel, and which of its columns is what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data.errors import DataError, near_names
from data.read_options import ReadOptions
from data.readers.tabular.names import ID_NAMES, PARTS, PERIOD_NAMES, TIME_NAMES, VALUE_NAMES, listed, named
from data.times.parse import are_dates_in_digits, looks_like_time
from data.times.rows import Rows

MOST_KEYS = 3  # columns that may name a series together
_PARTS_COLUMN = "-".join(PARTS)


@dataclass
class Table:
    """Cells by column, with the notes gathered so far.

    corpus: series without a value may stay, and without a time column every column must hold numbers.
    """

    name: str
    frame: pd.DataFrame
    rows: Rows
    options: ReadOptions
    corpus: bool = False
    notes: list[str] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        return [str(name) for name in self.frame.columns]

    def keep_rows(self, kept: NDArray[np.bool_]) -> None:
        """Keep some rows, and their numbers in the file; kept: (rows,)."""
        self.frame = self.frame[kept].reset_index(drop=True)
        self.rows = self.rows.kept(kept)

    def keep_filled_rows(self) -> None:
        """Drop the rows without a single cell: blank lines."""
        self.keep_rows(self.frame.notna().any(axis=1).to_numpy())


def is_long(table: Table) -> bool:
    """Return whether the columns are an id, a time and a value by their names; ids that were asked for say so too."""
    if table.options.id_columns is not None:
        return True
    names = table.names
    timed = table.options.time_column in names or named(names, (*TIME_NAMES, *PERIOD_NAMES)) is not None
    return timed and all(named(names, known) is not None for known in (ID_NAMES, VALUE_NAMES))


def drop_row_ids(table: Table) -> bool:
    """Drop the id of a table in which it only counts the rows; return whether it did."""
    if table.options.id_columns is not None or table.options.format is not None:
        return False
    name = named(table.names, ID_NAMES)
    column = table.frame[name]
    if len(column) < 2 or pd.to_numeric(column.iloc[:1], errors="coerce").iloc[0] not in (0, 1):
        return False
    ids = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64)
    if not (np.diff(ids) == 1).all():
        return False
    table.frame = table.frame.drop(columns=name)
    table.notes.append(f"column {name!r} counts the rows, and is no id of series: not read")
    return True


def find_time(table: Table) -> str | None:
    """Return the time column: the one asked for, one with a usual name, or the first that holds timestamps.

    Year, month, day and hour in columns of their own are joined to one.
    """
    asked, names = table.options.time_column, table.names
    if asked is not None:
        if asked not in names:
            raise DataError(
                f"{table.rows.file}: --time-column must be one of its columns, got {asked!r}"
                f"{near_names(asked, names) or f'; choose among {listed(names)}'}"
            )
        return asked
    known = named(names, TIME_NAMES)
    if known is not None:
        return known
    if _join_parts(table):
        return _PARTS_COLUMN
    periods = [name for name in names if name.strip().lower() in PERIOD_NAMES]
    period = next((name for name in periods if _holds_times(table.frame[name])), None)
    return period or next((name for name in names if looks_like_time(table.frame[name])), None)


def find_ids(table: Table) -> list[str]:
    """Return the columns that name a series of a long table."""
    names = table.names
    if table.options.id_columns is None:
        return [_role(table, "id", ID_NAMES)]
    for name in table.options.id_columns:
        if name not in names:
            raise DataError(
                f"{table.rows.file}: --id-columns must be columns of the file, got {name!r}"
                f"{near_names(name, names) or f'; choose among {listed(names)}'}"
            )
    return list(dict.fromkeys(table.options.id_columns))


def find_values(table: Table, others: Sequence[str]) -> list[str]:
    """Return the columns of values of a long table: the one with a usual name, else all that hold numbers."""
    names = [name for name in table.names if name not in others]
    known = named(names, VALUE_NAMES)
    if known is not None:
        return [known]
    if table.options.id_columns is None:
        return [_role(table, "value", VALUE_NAMES)]
    if not names:
        raise DataError(f"{table.rows.file}: a long table needs a column with the value, got {listed(table.names)}")
    return names


def find_long_time(table: Table) -> str:
    """Return the time column of a long table."""
    found = find_time(table)
    return _role(table, "time", TIME_NAMES) if found is None else found


def repeated_keys(table: Table, time_name: str) -> list[str]:
    """Return the columns that, with the time, name every row of a table once: a long table's ids; else none."""
    frame = table.frame
    rest = [name for name in table.names if name != time_name]
    keys = [n for n in rest if not pd.api.types.is_float_dtype(frame[n]) and frame[n].nunique() <= len(frame) / 2]
    for count in range(1, MOST_KEYS + 1):
        for chosen in combinations(keys[:10], count):
            if not frame.duplicated([*chosen, time_name]).any():
                return list(chosen)
    return []


def _role(table: Table, role: str, known: Sequence[str]) -> str:
    """Return the column of this role by its name."""
    found = named(table.names, known)
    if found is None:
        raise DataError(
            f"{table.rows.file}: a long table needs a column with the {role}, named {' or '.join(known)}, got "
            f"{listed(table.names)}; rename one, name the ids with --id-columns, or take --format wide-csv"
        )
    return found


def _holds_times(column: pd.Series) -> bool:
    return looks_like_time(column) or are_dates_in_digits(column)


def _join_parts(table: Table) -> bool:
    """Join year, month and what there is of day, hour and minute to one column of text; return whether there were."""
    by_part = {part: named(table.names, (part,)) for part in PARTS}
    there = [name for name in by_part.values() if name is not None]
    if by_part["year"] is None or by_part["month"] is None or by_part["month"] == by_part["year"]:
        return False
    numbers = table.frame[there].apply(pd.to_numeric, errors="coerce")
    whole = numbers.dropna()
    limits = {"month": 12, "day": 31, "hour": 23, "minute": 59}
    fits = all(whole[name].between(0, limits.get(part, 9999)).all() for part, name in by_part.items() if name)
    if len(whole) < len(numbers) or not (whole % 1 == 0).all(axis=None) or not fits:
        return False
    text = {part: whole[name].astype(int).astype(str).str.zfill(2) for part, name in by_part.items() if name}
    date = text["year"].str.cat([text["month"], text.get("day", pd.Series("01", index=whole.index))], sep="-")
    if "hour" in text:
        date = date + " " + text["hour"] + ":" + text.get("minute", pd.Series("00", index=whole.index))
    table.frame = table.frame.drop(columns=there)
    table.frame.insert(0, _PARTS_COLUMN, date)
    table.notes.append(f"columns {listed(there)} joined to the time")
    return True
