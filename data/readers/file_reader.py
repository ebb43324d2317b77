"""One file: its text or parquet becomes a panel, or is rejected with its name, line and remedy."""

from __future__ import annotations

import lzma
import re
import warnings
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from data.errors import DataError
from data.panel import Panel
from data.readers.jsonlines import panel_from_jsonl
from data.readers.tables import Table, is_long, panel_from_long, panel_from_wide
from data.readers.timegrid import Rows

FORMATS = ("wide-csv", "long-csv", "parquet", "jsonl")

_CSV = re.compile(r"\.(csv|tsv|txt)(\.(gz|bz2|zip|xz|zst))?$", re.IGNORECASE)
_PACKED = re.compile(r"\.(gz|bz2|zip|xz|zst)$", re.IGNORECASE)
_UNPACKING_ERRORS = (OSError, EOFError, ValueError, ImportError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)
_PARQUET = re.compile(r"\.(parquet|pq)$", re.IGNORECASE)
_JSONL = re.compile(r"\.(jsonl|ndjson)$", re.IGNORECASE)


@dataclass(frozen=True)
class FileLayout:
    """What is known of a file before it is opened.

    format: one of FORMATS; None takes it from the file's suffix, and tells wide from long by the column names.
    columns: the series to keep, None = all. time_column: its name; None finds it.
    corpus: series without a value may stay, and a table without a time column must hold numbers alone.
    """

    format: str | None = None
    columns: tuple[str, ...] | None = None
    time_column: str | None = None
    corpus: bool = False


def is_table_file(path: Path) -> bool:
    """Return by its name whether a file is a CSV or parquet table; a hidden one is not."""
    return bool(_CSV.search(path.name) or _PARQUET.search(path.name)) and not path.name.startswith(".")


def read_file(path: Path, layout: FileLayout) -> Panel:
    """Read one file that exists; raises DataError, with file, line and remedy, if it cannot be read as series."""
    if path.stat().st_size == 0:
        raise DataError(f"{path}: a file of series must not be empty; check how it was written")
    try:
        return _read(path, layout)
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: text must be UTF-8, but {error}; save it as UTF-8") from error
    except PermissionError as error:
        raise DataError(f"{path}: the file cannot be opened ({error.strerror}); check its rights") from error


def _read(path: Path, layout: FileLayout) -> Panel:
    """Read a file by its format."""
    format, columns = layout.format, layout.columns
    if format == "jsonl" or (format is None and _JSONL.search(path.name)):
        return panel_from_jsonl(path, _stem(path), columns)
    if format == "parquet" or (format is None and _PARQUET.search(path.name)):
        table = _read_parquet(path)
    elif format is not None or _CSV.search(path.name):
        table = _read_packed_csv(path) if _PACKED.search(path.name) else _read_csv(path)
    else:
        raise DataError(
            f"{path}: the suffix must name the format (.csv, .parquet, .jsonl), got {path.suffix!r}; rename the "
            f"file or give --format, one of {', '.join(FORMATS)}"
        )
    table.columns, table.time_column, table.corpus = columns, layout.time_column, layout.corpus
    long = is_long(table) if format in (None, "parquet") else format == "long-csv"
    return panel_from_long(table) if long else panel_from_wide(table)


def _stem(path: Path) -> str:
    """Return the file's name without its suffixes: 'etth1' for 'etth1.csv.gz'."""
    return _CSV.sub("", path.name) if _CSV.search(path.name) else path.stem


def _read_packed_csv(path: Path) -> Table:
    """Parse a compressed CSV file; reject one that cannot be unpacked."""
    try:
        return _read_csv(path)
    except UnicodeDecodeError:
        raise
    except _UNPACKING_ERRORS as error:
        reason = str(error) or type(error).__name__
        raise DataError(f"{path}: the file cannot be unpacked ({reason}); unpack it, or pack it again") from error


def _read_csv(path: Path) -> Table:
    """Parse a CSV file; the separator is a comma, or a semicolon or tab where the header has no comma."""
    try:
        header = list(pd.read_csv(path, nrows=0, encoding="utf-8-sig", index_col=False).columns)
        single = str(header[0]) if len(header) == 1 else ""
        separator = next((mark for mark in ";\t" if mark in single), ",")
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # it warns of cells that would be lost
            frame = pd.read_csv(
                path,
                sep=separator,
                encoding="utf-8-sig",
                index_col=False,
                skip_blank_lines=False,  # so that a row's number gives its line
                float_precision="round_trip",
                low_memory=False,
            )
    except pd.errors.EmptyDataError as error:
        raise DataError(f"{path}: a CSV file needs a line of column names and rows, and has none") from error
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        reason = str(error).removeprefix("Error tokenizing data. C error: ").strip()
        raise DataError(f"{path}: every line must have as many cells as the header ({reason}); correct it") from error
    _reject_headless(path, [str(name) for name in frame.columns])
    return _tidy(path, frame)


def _tidy(path: Path, frame: pd.DataFrame) -> Table:
    """Drop blank lines at the end and a saved row index; reject a table without rows."""
    filled = frame.notna().any(axis=1).to_numpy()
    if not filled.any():
        raise DataError(f"{path}: a CSV file needs rows of values under its header, and has none; add some")
    end = int(np.flatnonzero(filled)[-1]) + 1  # a blank line before may be a missing row: only a time shows it
    table = Table(_stem(path), frame[:end], Rows(str(path), "line", np.arange(2, end + 2)))
    first = table.frame.columns[0]
    if str(first).startswith("Unnamed:") and table.frame.shape[1] > 1:
        index = pd.to_numeric(table.frame[first], errors="coerce").to_numpy(dtype=np.float64)
        if (np.diff(index) == 1).all() and index[0] in (0, 1):
            table.frame = table.frame.drop(columns=first)
            table.notes.append("the first column, a row number without a name, dropped")
    return table


def _reject_headless(path: Path, names: list[str]) -> None:
    """Reject a CSV whose first line is data: it holds a timestamp, or only numbers with a fraction."""
    dated = next((name for name in names if re.match(r"\d{4}-\d\d-\d\d", name)), None)
    if dated is not None or all(re.fullmatch(r"-?\d+\.\d+(\.\d+)?", name) for name in names):
        raise DataError(
            f"{path}: line 1 must name the columns, got {dated or names[0]!r}; put a line such as date,a,b on top"
        )


def _read_parquet(path: Path) -> Table:
    """Read a parquet file; an index that pandas stored becomes a column again."""
    try:
        frame = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not a readable parquet file ({error}); write it again") from error
    if not isinstance(frame.index, pd.RangeIndex):
        frame = frame.reset_index()
    if frame.empty:
        raise DataError(f"{path}: a parquet file needs rows and columns, got {frame.shape}; check how it was written")
    frame.columns = frame.columns.map(str)
    return Table(_stem(path), frame.reset_index(drop=True), Rows(str(path), "row", np.arange(len(frame))))
