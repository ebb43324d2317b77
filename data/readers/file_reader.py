"""One file: its text or parquet becomes a panel, or is rejected with its name, line and remedy."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from data.errors import DataError
from data.panel import Panel
from data.read_options import FORMATS, ReadOptions
from data.readers.csv_file import read_csv
from data.readers.flat import flat_notes
from data.readers.jsonlines import panel_from_jsonl
from data.readers.last_rows import last_rows
from data.readers.parquet_file import read_parquet
from data.readers.sheets import read_tsf, read_xlsx
from data.readers.tabular.table import Table, is_long
from data.readers.tabular.to_panel import panel_from_long, panel_from_wide

_SUFFIXES = {
    "csv": r"\.(csv|tsv|txt)(\.(gz|bz2|zip|xz|zst))?$",
    "parquet": r"\.(parquet|pq)$",
    "jsonl": r"\.(jsonl|ndjson)(\.(gz|bz2|zip|xz|zst))?$",
    "xlsx": r"\.(xlsx|xls|xlsb|ods)$",
    "tsf": r"\.tsf$",
}
_TABLES = ("csv", "parquet", "xlsx")


def is_table_file(path: Path) -> bool:
    """Return by its name whether a file is a CSV, parquet or Excel table; a hidden one is not."""
    return _kind(path) in _TABLES and not path.name.startswith(".")


def read_file(path: Path, options: ReadOptions, *, corpus: bool = False) -> Panel:
    """Read one file that exists; raises DataError, with file, line and remedy, if it cannot be read as series.

    corpus: series without a value may stay, and a table without a time column must hold numbers alone.
    """
    try:
        if path.stat().st_size == 0:
            raise DataError(f"{path}: a file of series must not be empty; check how it was written")
        panel = _read(path, options, corpus=corpus)
        if options.max_rows_per_file is not None:
            panel = last_rows(panel, options.max_rows_per_file)
    except UnicodeError as error:
        raise DataError(f"{path}: text must be UTF-8, but {error}; save it as UTF-8, or name its --encoding") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(f"{path}: the file cannot be read ({reason}); check its rights") from error
    except DataError as error:
        text = str(error)
        raise error if text.startswith(("--", str(path))) else DataError(f"{path}: {text}") from error
    return panel if corpus else replace(panel, notes=(*panel.notes, *flat_notes(panel)))


def _read(path: Path, options: ReadOptions, *, corpus: bool) -> Panel:
    """Read a file by its format."""
    format = options.format
    kind = _kind(path) if format is None else format.removeprefix("wide-").removeprefix("long-")
    name = _stem(path)
    if kind == "jsonl":
        return panel_from_jsonl(path, name, options)
    if kind == "tsf":
        return read_tsf(path, name, options)
    table = _table(path, kind, name, options)
    if isinstance(table, Panel):
        return table
    table.corpus = corpus
    long = format == "long-csv" if kind == "csv" and format is not None else is_long(table)
    return panel_from_long(table) if long else panel_from_wide(table)


def _table(path: Path, kind: str | None, name: str, options: ReadOptions) -> Table | Panel:
    if kind == "parquet":
        return read_parquet(path, name, options)
    if kind == "xlsx":
        return read_xlsx(path, name, options)
    if kind == "csv":
        return read_csv(path, name, options)
    raise DataError(
        f"{path}: the suffix must name the format (.csv, .parquet, .jsonl, .xlsx, .tsf), got {path.suffix!r}; rename "
        f"the file or give --format, one of {', '.join(FORMATS)}"
    )


def _kind(path: Path) -> str | None:
    """Return the format that a file's suffix names."""
    return next((kind for kind, suffix in _SUFFIXES.items() if re.search(suffix, path.name, re.IGNORECASE)), None)


def _stem(path: Path) -> str:
    """Return the file's name without its suffixes: 'etth1' for 'etth1.csv.gz'."""
    kind = _kind(path)
    return path.stem if kind is None else re.sub(_SUFFIXES[kind], "", path.name, flags=re.IGNORECASE)
