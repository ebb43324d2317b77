"""Excel sheets and the .tsf files of the Monash archive, each through a library that is installed on demand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data.errors import DataError
from data.panel import Panel
from data.read_options import ReadOptions
from data.readers.records import panel_of_records, records_of
from data.readers.tabular.table import Table
from data.times.rows import Rows

EXTRA = "install it with: pip install 'foretune[files]'"


def read_xlsx(path: Path, name: str, options: ReadOptions) -> Table:
    """Read the first sheet of an Excel file; raises DataError."""
    try:
        with pd.ExcelFile(path, engine="calamine") as book:
            sheets = [str(sheet) for sheet in book.sheet_names]
            frame = book.parse(sheets[0], keep_default_na=False, na_values=[""])
    except ImportError as error:
        raise DataError(f"{path}: Excel files need the package python-calamine; {EXTRA}") from error
    except Exception as error:  # calamine's errors have no base of their own
        raise DataError(f"{path}: not a readable Excel file ({error}); save it as CSV") from error
    if frame.empty:
        raise DataError(f"{path}: sheet {sheets[0]!r} needs a line of column names and rows, and has none")
    frame.columns = [str(column) for column in frame.columns]
    notes = [f"sheet {sheets[0]!r} read, of {len(sheets)}"] if len(sheets) > 1 else []
    return Table(name, frame, Rows(str(path), "row", np.arange(2, len(frame) + 2)), options, notes=notes)


def read_tsf(path: Path, name: str, options: ReadOptions) -> Panel:
    """Read a .tsf file; raises DataError.

    Source: Godahewa et al. 2021, arXiv:2105.06643, the format of the Monash forecasting archive.
    """
    try:
        from gluonts.dataset.repository._tsf_reader import TSFReader, frequency_converter
    except ImportError as error:
        raise DataError(f"{path}: .tsf files need the package gluonts; {EXTRA}") from error
    try:
        meta, rows = TSFReader(path).read()
        written = getattr(meta, "frequency", None)
        freq = None if written is None else frequency_converter(written)
    except Exception as error:  # the reader asserts, and its errors are of many kinds
        raise DataError(
            f"{path}: not a readable .tsf file ({error or type(error).__name__}); write it again"
        ) from error
    notes: list[str] = []
    records = []
    for number, row in enumerate(rows, 1):
        fields: dict[str, Any] = {"target": row["target"], "id": row.get("series_name"), "freq": freq}
        fields["start"] = row.get("start_timestamp")
        records += records_of(fields, f"{path}: series {number}", str(number), notes, options)
    if not records:
        raise DataError(f"{path}: a .tsf file needs series after its @data, and has none")
    return panel_of_records(str(path), name, records, options, notes)
