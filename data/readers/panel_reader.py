"""Reading: a file or a folder becomes a panel, or is rejected with its name, line and remedy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from data.errors import DataError, near_names, shortened, without_controls
from data.panel import Panel
from data.read_options import FORMATS, ReadOptions
from data.readers.cleaning import clean_panel
from data.readers.file_reader import read_file
from data.readers.folder_reader import read_folder

__all__ = ["FORMATS", "read_panel"]


def read_panel(
    source: Path, *, max_files: int | None = None, min_rows: int = 1, clean: bool = False, **options: object
) -> Panel:
    """Read a file, or all tables of a folder, as a panel; its notes say what was changed.

    max_files: how many files of a folder to read, the first by name; None = all.
    clean: interpolate missing and infinite values, leave out series with fewer than min_rows good ones, and skip files
    of a folder that give none (`data.readers.folder_reader.read_folder`); min_rows counts with clean alone.
    options: those of `data.read_options.ReadOptions`, such as columns=("a", "b") or timezone="Europe/Berlin".
    Missing rows of the time grid become missing values.
    Raises DataError, with file, line and remedy, for whatever cannot be read as series.
    """
    source = Path(source)
    chosen = _options(options)
    if not source.exists():
        siblings = [path.name for path in source.parent.iterdir()] if source.parent.is_dir() else []
        near = near_names(source.name, siblings) or "; check the path"
        raise DataError(f"{source}: the data file must exist, and it does not{near}")
    if source.is_dir():
        panel = read_folder(source, max_files=max_files, min_rows=min_rows, clean=clean, options=chosen)
    else:
        panel = read_file(source, chosen, corpus=clean)
        panel = clean_panel(panel, min_rows=min_rows, source=str(source)) if clean else panel
    return _printable(panel)


def _printable(panel: Panel) -> Panel:
    """Write control characters in names out, which a terminal would obey, and shorten notes that nobody would read."""
    ids, notes = (
        tuple(map(without_controls, panel.ids)),
        tuple(shortened(without_controls(note)) for note in panel.notes),
    )
    if (ids, notes) == (panel.ids, panel.notes):
        return panel
    if len(set(ids)) < len(ids):
        return replace(panel, notes=notes)  # two names that look alike are kept apart
    return replace(panel, ids=ids, notes=notes)


def _options(given: dict[str, object]) -> ReadOptions:
    """Check the options; DataError with the first mistake."""
    try:
        return ReadOptions.model_validate(given)
    except ValidationError as error:
        item = error.errors()[0]
        own = item.get("ctx", {}).get("error")
        raise DataError(str(own) if own else f"{'.'.join(map(str, item['loc']))}: {item['msg']}") from error
