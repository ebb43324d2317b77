"""Reading: a file or a folder becomes a panel, or is rejected with its name, line and remedy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from data.errors import DataError, near_names
from data.panel import Panel
from data.readers.cleaning import clean_panel
from data.readers.file_reader import FORMATS, FileLayout, read_file
from data.readers.folder_reader import read_folder

__all__ = ["FORMATS", "read_panel"]


def read_panel(
    source: Path,
    *,
    format: str | None = None,
    columns: Sequence[str] | None = None,
    time_column: str | None = None,
    max_files: int | None = None,
    min_rows: int = 1,
    clean: bool = False,
) -> Panel:
    """Read a file, or all CSV and parquet files of a folder, as a panel; its notes say what was changed.

    format: one of FORMATS; None takes it from the file's suffix, and tells wide from long by the column names.
    columns: the series to keep (column names, or ids of a long file; 'file/column' in a folder); None = all.
    time_column: name of the time column; None finds it.
    max_files: how many files of a folder to read, the first by name; None = all.
    clean: interpolate missing and infinite values, leave out series with fewer than min_rows good ones, and skip files
    of a folder that give none (`data.readers.folder_reader.read_folder`); min_rows counts with clean alone.
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
        return read_folder(
            source,
            max_files=max_files,
            min_rows=min_rows,
            clean=clean,
            format=format,
            columns=columns,
            time_column=time_column,
        )
    chosen = None if columns is None else tuple(columns)
    panel = read_file(source, FileLayout(format, chosen, time_column, corpus=clean))
    return clean_panel(panel, min_rows=min_rows, source=str(source)) if clean else panel
