"""Owns reading: a file or a folder becomes a panel, or is refused with its name, line and remedy."""

from __future__ import annotations

import lzma
import re
import warnings
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from data.errors import DataError, near_names
from data.jsonlines import panel_from_jsonl
from data.panel import Panel
from data.tables import Table, is_long, panel_from_long, panel_from_wide
from data.timegrid import Rows

FORMATS = ("wide-csv", "long-csv", "parquet", "jsonl")

_CSV = re.compile(r"\.(csv|tsv|txt)(\.(gz|bz2|zip|xz|zst))?$", re.IGNORECASE)
_PACKED = re.compile(r"\.(gz|bz2|zip|xz|zst)$", re.IGNORECASE)
_UNPACKING_ERRORS = (OSError, EOFError, ValueError, ImportError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)
_PARQUET = re.compile(r"\.(parquet|pq)$", re.IGNORECASE)
_JSONL = re.compile(r"\.(jsonl|ndjson)$", re.IGNORECASE)


def read_panel(
    source: Path,
    *,
    format: str | None = None,
    columns: Sequence[str] | None = None,
    time_column: str | None = None,
) -> Panel:
    """Read a file, or all CSV and parquet files of a folder, as a panel; its notes tell what was changed.

    format: one of FORMATS; None tells it by the file's suffix, and wide from long by the column names.
    columns: the series to keep (column names, or ids of a long file; 'file/column' in a folder); None = all.
    time_column: name of the time column; None finds it.
    Timestamps with a zone are converted to UTC. Missing rows of the time grid become missing values.
    Raises DataError, with file, line and remedy, for whatever cannot be read as series.
    """
    source = Path(source)
    if format is not None and format not in FORMATS:
        raise DataError(f"--format must be one of {', '.join(FORMATS)}, got {format!r}{near_names(format, FORMATS)}")
    if not source.exists():
        siblings = [path.name for path in source.parent.iterdir()] if source.parent.is_dir() else []
        near = near_names(source.name, siblings) or "; check the path"
        raise DataError(f"{source}: the data file must exist, and it does not{near}")
    if source.is_dir():
        return _read_folder(source, format, columns, time_column)
    if source.stat().st_size == 0:
        raise DataError(f"{source}: a file of series must not be empty; check how it was written")
    try:
        return _read_file(source, format, columns, time_column)
    except UnicodeDecodeError as error:
        raise DataError(f"{source}: text must be UTF-8, but {error}; save it as UTF-8") from error
    except PermissionError as error:
        raise DataError(f"{source}: the file cannot be opened ({error.strerror}); check its rights") from error


def _read_file(path: Path, format: str | None, columns: Sequence[str] | None, time_column: str | None) -> Panel:
    """Read one file that exists."""
    if format == "jsonl" or (format is None and _JSONL.search(path.name)):
        return panel_from_jsonl(path, _stem(path), columns)
    if format == "parquet" or (format is None and _PARQUET.search(path.name)):
        table = _read_parquet(path)
    elif format is not None or _CSV.search(path.name):
        table = _read_packed_csv(path) if _PACKED.search(path.name) else _read_csv(path)
    else:
        raise DataError(
            f"{path}: the suffix must tell the format (.csv, .parquet, .jsonl), got {path.suffix!r}; rename the "
            f"file or give --format, one of {', '.join(FORMATS)}"
        )
    table.columns, table.time_column = columns, time_column
    long = is_long(table) if format in (None, "parquet") else format == "long-csv"
    return panel_from_long(table) if long else panel_from_wide(table)


def _read_folder(folder: Path, format: str | None, columns: Sequence[str] | None, time_column: str | None) -> Panel:
    """Read every CSV and parquet file of a folder, sorted by name; each series is called 'file/column'."""
    files = [path for path in sorted(folder.iterdir()) if _CSV.search(path.name) or _PARQUET.search(path.name)]
    files = [path for path in files if path.is_file() and not path.name.startswith(".")]
    if not files:
        raise DataError(f"{folder}: the folder must hold .csv or .parquet files, and has none; check the path")
    panels = [read_panel(path, format=format, time_column=time_column) for path in files]
    series, starts = {}, {}
    for path, panel in zip(files, panels, strict=True):
        if panel.freq != panels[0].freq:
            raise DataError(
                f"{path}: all files of a folder must have one frequency, got {panel.freq} here and "
                f"{panels[0].freq} in {files[0].name}; read them apart, or resample"
            )
        for i, name in enumerate(panel.ids):
            key = f"{panel.name}/{name}"
            if key in series:
                raise DataError(f"{path}: series {key!r} is in two files of the folder; rename one file")
            series[key], starts[key] = panel.series(i), panel.starts[i]
    for name in columns or ():
        if name not in series:
            near = near_names(name, series) or f"; choose among {list(series)[:8]}"
            raise DataError(f"{folder}: --columns must name series as 'file/column', got {name!r}{near}")
    kept = list(series if columns is None else dict.fromkeys(columns))
    return Panel.from_series(
        folder.resolve().name,
        {key: series[key] for key in kept},
        starts=[starts[key] for key in kept],
        freq=panels[0].freq,
        notes=[f"{path.name}: {note}" for path, panel in zip(files, panels, strict=True) for note in panel.notes],
    )


def _stem(path: Path) -> str:
    """Return the file's name without its suffixes: 'etth1' for 'etth1.csv.gz'."""
    return _CSV.sub("", path.name) if _CSV.search(path.name) else path.stem


def _read_packed_csv(path: Path) -> Table:
    """Parse a compressed CSV file; refuse one that cannot be unpacked."""
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
            warnings.simplefilter("error", pd.errors.ParserWarning)  # it tells of cells that would be lost
            frame = pd.read_csv(
                path,
                sep=separator,
                encoding="utf-8-sig",
                index_col=False,
                skip_blank_lines=False,  # so that a row's number tells its line
                float_precision="round_trip",
                low_memory=False,
            )
    except pd.errors.EmptyDataError as error:
        raise DataError(f"{path}: a CSV file needs a line of column names and rows, and has none") from error
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        reason = str(error).removeprefix("Error tokenizing data. C error: ").strip()
        raise DataError(f"{path}: every line must have as many cells as the header ({reason}); correct it") from error
    _refuse_headless(path, [str(name) for name in frame.columns])
    return _tidy(path, frame)


def _tidy(path: Path, frame: pd.DataFrame) -> Table:
    """Drop blank lines at the end and a saved row index; refuse a table without rows."""
    filled = frame.notna().any(axis=1).to_numpy()
    if not filled.any():
        raise DataError(f"{path}: a CSV file needs rows of values under its header, and has none; add some")
    end = int(np.flatnonzero(filled)[-1]) + 1  # a blank line before may be a missing row: only a time can tell
    table = Table(_stem(path), frame[:end], Rows(str(path), "line", np.arange(2, end + 2)))
    first = table.frame.columns[0]
    if str(first).startswith("Unnamed:") and table.frame.shape[1] > 1:
        index = pd.to_numeric(table.frame[first], errors="coerce").to_numpy(dtype=np.float64)
        if (np.diff(index) == 1).all() and index[0] in (0, 1):
            table.frame = table.frame.drop(columns=first)
            table.notes.append("the first column, a row number without a name, dropped")
    return table


def _refuse_headless(path: Path, names: list[str]) -> None:
    """Refuse a CSV whose first line is data: it holds a timestamp, or only numbers with a fraction."""
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
