"""Parquet files: wide and long tables, and one row a series with a list of values."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from data.errors import DataError
from data.panel import Panel
from data.read_options import ReadOptions
from data.readers.packed import ALWAYS_FINE, MOST_TIMES
from data.readers.records import VALUE_KEYS, panel_of_records, records_of
from data.readers.tabular.table import Table
from data.times.rows import Rows

_ROW_BYTES = 8  # of a cell at least, as a number or a pointer
_ERRORS = (OSError, ValueError, TypeError, KeyError, NotImplementedError, pa.ArrowException)


def read_parquet(path: Path, name: str, options: ReadOptions) -> Table | Panel:
    """Read a parquet file: a table, its stored index a column again, or a panel where values are lists.

    Raises DataError if the file cannot be read, or holds far more rows than its size.
    """
    try:
        with pq.ParquetFile(path) as file:
            _reject_bombs(path, file)
        frame = _frame(path)
    except _ERRORS as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path}: not a readable parquet file ({reason}); write it again") from error
    if frame.empty:
        raise DataError(f"{path}: a parquet file needs rows and columns, got {frame.shape}; check how it was written")
    value = next((key for key in VALUE_KEYS if key in frame and _are_lists(frame[key])), None)
    if value is not None:
        return _panel_of_lists(path, name, frame, options)
    rows = Rows(str(path), "row", np.arange(len(frame)))
    return Table(name, frame.reset_index(drop=True), rows, options)


def _frame(path: Path) -> pd.DataFrame:
    """Return the file as a frame with plain columns named by text; an index that repeats a column is dropped."""
    frame = pd.read_parquet(path)
    if not isinstance(frame.index, pd.RangeIndex):
        names = [name for name in frame.index.names if name in frame.columns]
        frame = frame.reset_index(drop=True) if names else frame.reset_index()
    frame.columns = [str(name) for name in frame.columns]
    twice = [name for name, count in Counter(frame.columns).items() if count > 1]
    if twice:
        raise ValueError(f"column {twice[0]!r} is there twice")
    return _without_repeated_index(frame)


def _without_repeated_index(frame: pd.DataFrame) -> pd.DataFrame:
    """Drop an index without a name of its own that holds what a column holds."""
    index = next((name for name in ("index", "level_0") if name in frame.columns), None)
    if index is not None and any(frame[index].equals(frame[n].rename(index)) for n in frame.columns if n != index):
        return frame.drop(columns=index)
    return frame


def _reject_bombs(path: Path, file: pq.ParquetFile) -> None:
    """Reject a file whose rows need far more memory than its size, or more than there is, before they are read."""
    facts = file.metadata
    needed = facts.num_rows * facts.num_columns * _ROW_BYTES
    packed = path.stat().st_size
    if needed > max(ALWAYS_FINE, MOST_TIMES * packed) or needed > psutil.virtual_memory().available:
        raise DataError(
            f"{path}: a parquet file of {packed:,} bytes must not hold {facts.num_rows:,} rows of "
            f"{facts.num_columns} columns, {needed:,} bytes; check how it was written, or cut it into smaller files"
        )


def _are_lists(column: pd.Series) -> bool:
    known = column.dropna()
    return len(known) > 0 and isinstance(known.iloc[0], (list, np.ndarray))


def _panel_of_lists(path: Path, name: str, frame: pd.DataFrame, options: ReadOptions) -> Panel:
    """Read one row a series, as GluonTS, Hugging Face and AutoGluon write them."""
    notes: list[str] = []
    records = []
    for number, fields in enumerate(frame.to_dict(orient="records")):
        where = f"{path}: row {number}"
        known = {str(key): value for key, value in fields.items() if value is not None}
        records += records_of(known, where, str(number), notes, options)
    return panel_of_records(str(path), name, records, options, notes)
