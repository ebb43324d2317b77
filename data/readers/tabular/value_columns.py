"""Columns of values: numbers out of cells, or the reason why a column gives none."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data.errors import DataError
from data.readers.tabular.names import listed
from data.readers.tabular.numbers import Cells, Decimal, numeric_words
from data.readers.tabular.table import Table

MOSTLY_NUMBERS = 0.5  # of a column's cells: with so many it is no text, and no note alone may drop it
_TIMES = ("date", "datetime", "datetime64", "time", "timedelta", "timedelta64", "period")
Values = NDArray[np.float64]


def number_columns(table: Table, names: Iterable[str]) -> dict[str, Values]:
    """Return the columns that hold numbers, each (rows,) float64; the others are dropped with a note.

    Raises DataError for a column that was asked for, or is mostly numbers, and holds something else too.
    """
    cells = {name: _cells(table, name) for name in names}
    marks = {mark for found in cells.values() if isinstance(found, Cells) for mark in found.decimals()}
    series: dict[str, Values] = {}
    for name, found in cells.items():
        values = _from_text(table, name, found, marks) if isinstance(found, Cells) else found
        if values is not None:
            series[name] = values
    return series


def numbers(table: Table, name: str) -> Values:
    """Return one column as numbers, (rows,) float64; DataError if it holds something else."""
    cells = _cells(table, name)
    if cells is None:
        raise DataError(f"{table.rows.file}: column {name!r} must hold numbers, and holds times; leave the column out")
    if not isinstance(cells, Cells):
        return cells
    values = _from_text(table, name, cells, cells.decimals(), must=True)
    assert values is not None
    return values


def _cells(table: Table, name: str) -> Cells | Values | None:
    """Return a column's numbers, its cells where it is text, or None and a note where it holds times."""
    column = table.frame[name]
    kind = pd.api.types.infer_dtype(column, skipna=True)
    if kind in _TIMES:
        if table.options.columns is not None and name in table.options.columns:
            raise DataError(f"{table.rows.file}: column {name!r} must hold numbers, and holds times; leave it out")
        table.notes.append(f"column {name!r} not read: it holds times, no numbers")
        return None
    if column.dtype == object and kind in ("decimal", "mixed-integer-float", "integer", "floating"):
        column = pd.to_numeric(column)
    if pd.api.types.is_numeric_dtype(column):
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        words = numeric_words(table.options.na)
        return np.where(np.isin(values, words), np.nan, values) if words else values
    return Cells.of(column, table.options.na)


def _from_text(table: Table, name: str, cells: Cells, marks: set[Decimal], *, must: bool = False) -> Values | None:
    """Return numbers out of text, or None and a note where it is text."""
    decimal = _decimal(table, name, cells, marks)
    wrong = cells.wrong(decimal)
    values = cells.numbers(decimal)
    words = numeric_words(table.options.na)
    values = np.where(np.isin(values, words), np.nan, values) if words else values
    if wrong.any():
        known = int(np.isfinite(values).sum())
        asked = must or (table.options.columns is not None and name in table.options.columns)
        if asked or known >= MOSTLY_NUMBERS * (known + int(wrong.sum())):
            raise DataError(_not_a_number(table, name, wrong))
        i = int(np.argmax(wrong))
        cell = table.frame[name].iloc[i]
        table.notes.append(f"column {name!r} dropped: {cell!r} in {table.rows.place(i)} is not a number")
        return None
    if decimal == "," and table.options.decimal is None:
        table.notes.append(f"column {name!r} read with decimal commas")
    noted = np.r_[cells.noted, False][cells.codes]
    if noted.any():
        which = listed(sorted({str(cell) for cell in table.frame[name][noted]}))
        table.notes.append(f"column {name!r}: {which} in {int(noted.sum())} cells read as missing")
    return values


def _decimal(table: Table, name: str, cells: Cells, marks: set[Decimal]) -> Decimal:
    """Return a column's decimal mark: as asked, as it shows, or as all other columns show; DataError where in doubt."""
    if table.options.decimal is not None:
        return cast(Decimal, table.options.decimal)
    own = cells.decimals()
    if len(own) == 1:
        return next(iter(own))
    if own:
        return "."  # a contradiction: `wrong` says where
    comma, point = cells.doubtful(","), cells.doubtful(".")
    if not comma.any() and not (point.any() and "," in marks):
        return "."
    if comma.any() and len(marks) == 1:
        return next(iter(marks))
    example = cells.texts[(comma | point)].iloc[0]
    mark, others = (",", ".") if comma.any() else (".", ",")
    i = int(np.argmax(np.r_[comma | point, False][cells.codes]))
    raise DataError(
        f"{table.rows.at(i)}: {example} in column {name!r} may have its {'comma' if mark == ',' else 'point'} before "
        f"decimals or between thousands; say which with --decimal {mark} (decimals) or --decimal {others} (thousands)"
    )


def _not_a_number(table: Table, name: str, wrong: NDArray[np.bool_]) -> str:
    """Name the first cell that is no number, how many there are, and what can be done."""
    i = int(np.argmax(wrong))
    cell = str(table.frame[name].iloc[i])
    different = sorted({str(other) for other in table.frame[name][wrong]})
    more = f" ({int(wrong.sum())} such cells: {listed(different)})" if wrong.sum() > 1 else ""
    return (
        f"{table.rows.at(i)}: column {name!r} must hold numbers, got {cell!r}{more}; correct it, name words for a "
        f"missing value with --na {_typed(different)}, or leave the column out with --columns"
    )


def _typed(words: list[str]) -> str:
    """Write words as they would be typed for --na."""
    text = ",".join(words[:3])
    return f"'{text}'" if not text.replace(",", "").isalnum() else text
