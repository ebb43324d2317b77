"""Folders: the CSV and parquet files of one become a panel, as they are or cleaned as a corpus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from data.errors import DataError, near_names
from data.panel import Panel
from data.read_options import ReadOptions
from data.readers.cleaning import NAMED, clean_series, left_out_note, named
from data.readers.file_reader import is_table_file, read_file


@dataclass
class _Corpus:
    """What reading the files of a folder found.

    panels: by file. skipped: why, by file name. interpolated: number of values, by file. left_out: as 'file/column'.
    """

    panels: dict[Path, Panel] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    interpolated: dict[str, int] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)


def read_folder(
    folder: Path,
    *,
    max_files: int | None = None,
    min_rows: int = 1,
    clean: bool = False,
    options: ReadOptions | None = None,
) -> Panel:
    """Read every CSV and parquet file of a folder, sorted by name; each series is called 'file/column'.

    max_files: the first so many files alone; None = all.
    clean: read a corpus. A file that is no table of series, or has no series with min_rows observed values, is skipped;
    missing and infinite values are interpolated, at the ends with the nearest one; files without a time column may
    come along if all their columns are numbers. Where frequencies differ the panel's is None. Its notes say all that.
    Without clean, min_rows does not count, and whatever cannot be read, or has another frequency, is rejected.
    options: how each file is read; its columns are 'file/column'.
    Raises DataError, with file, line and remedy; of a corpus if no file is left, with the reasons.
    """
    if max_files is not None and max_files < 1:
        raise DataError(f"--max-files must be 1 or more, got {max_files}; raise it")
    found = [path for path in sorted(folder.iterdir()) if is_table_file(path) and path.is_file()]
    if not found:
        raise DataError(f"{folder}: the folder must hold .csv or .parquet files, and has none; check the path")
    files = found[:max_files]
    notes = []
    if len(files) < len(found):
        notes.append(f"{len(files)} of {len(found)} files taken, the first by name, as --max-files says")
    options = options or ReadOptions()
    of_files = options.model_copy(update={"columns": None})
    if clean:
        corpus = _read_corpus(folder, files, of_files, min_rows)
        panels = corpus.panels
        notes += _corpus_notes(corpus, len(files), min_rows)
    else:
        panels = _read_alike(files, of_files)
        notes += [f"{path.name}: {note}" for path, panel in panels.items() for note in panel.notes]
    return _joined(folder, panels, options.columns, notes)


def _read_alike(files: Iterable[Path], options: ReadOptions) -> dict[Path, Panel]:
    """Read files that all must be series of one frequency, each under a name of its own."""
    panels: dict[Path, Panel] = {}
    seen: set[str] = set()
    for path in files:
        panel = read_file(path, options)
        first, known = next(iter(panels.items()), (path, panel))
        if panel.freq != known.freq:
            raise DataError(
                f"{path}: all files of a folder must have one frequency, got {panel.freq} here and "
                f"{known.freq} in {first.name}; read them apart, or resample"
            )
        if twice := _twice(panel, seen):
            raise DataError(f"{path}: series {twice!r} is in two files of the folder; rename one file")
        panels[path] = panel
    return panels


def _read_corpus(folder: Path, files: Iterable[Path], options: ReadOptions, min_rows: int) -> _Corpus:
    """Read and clean what can be, and note why the rest is skipped; reject a folder where that is all."""
    corpus = _Corpus()
    seen: set[str] = set()
    for path in files:
        try:
            cleaned = clean_series(read_file(path, options, corpus=True), min_rows=min_rows, source=str(path))
            if twice := _twice(cleaned.panel, seen):
                raise DataError(f"{path}: series {twice!r} is in another file already; rename one file")
        except DataError as error:
            rule, *_ = str(error).removeprefix(f"{path}: ").split("; ")  # without the remedy: nobody waits for it
            corpus.skipped[path.name] = rule
            continue
        corpus.panels[path] = cleaned.panel
        corpus.left_out += [f"{cleaned.panel.name}/{name}" for name in cleaned.left_out]
        if cleaned.interpolated:
            corpus.interpolated[path.name] = cleaned.interpolated
    if not corpus.panels:
        raise DataError(
            f"{folder}: a corpus needs a file that can be read as series, and has none: {_reasons(corpus)}; "
            f"correct one, bring others, or shorten --context-length if their series are short"
        )
    return corpus


def _twice(panel: Panel, seen: set[str]) -> str | None:
    """Return a series of the panel that was seen before; if there is none, all have been seen now."""
    keys = [f"{panel.name}/{name}" for name in panel.ids]
    found = next((key for key in keys if key in seen), None)
    if found is None:
        seen.update(keys)
    return found


def _reasons(corpus: _Corpus) -> str:
    """Name every file that was skipped, the first ones with the reason."""
    names = list(corpus.skipped)
    text = ", ".join(f"{name} ({corpus.skipped[name]})" for name in names[:NAMED])
    return text + (f"; and {', '.join(names[NAMED:])}" if len(names) > NAMED else "")


def _corpus_notes(corpus: _Corpus, n_files: int, min_rows: int) -> list[str]:
    """Say what reading and cleaning changed, in a few sentences however many the files are."""
    notes = []
    if corpus.skipped:
        notes.append(f"{len(corpus.skipped)} of {n_files} files skipped: {_reasons(corpus)}")
    if corpus.interpolated:
        counts = named([f"{name} {count}" for name, count in corpus.interpolated.items()])
        total = sum(corpus.interpolated.values())
        notes.append(
            f"{total} missing or infinite values interpolated in {len(corpus.interpolated)} of {n_files} files: "
            f"{counts}"
        )
    if corpus.left_out:
        notes.append(left_out_note(corpus.left_out, min_rows))
    files_of: dict[str, list[str]] = {}
    for path, panel in corpus.panels.items():
        for note in panel.notes:
            files_of.setdefault(note, []).append(path.name)
    told_of = [f"{named(files)}: {note}" for note, files in files_of.items()]
    more = len(told_of) - NAMED
    return notes + told_of[:NAMED] + ([f"{more} more notes on single files"] if more > 0 else [])


def _joined(folder: Path, panels: dict[Path, Panel], columns: Sequence[str] | None, notes: Sequence[str]) -> Panel:
    """Put the files' series into one panel, all or those asked for; where frequencies differ, say so."""
    series, facts = {}, {}
    for panel in panels.values():
        for i, name in enumerate(panel.ids):
            key = f"{panel.name}/{name}"
            series[key], facts[key] = panel.in_units(i), (panel.starts[i], panel.freq)
    for name in columns or ():
        if name not in series:
            near = near_names(name, series) or f"; choose among {list(series)[:8]}"
            raise DataError(f"{folder}: --columns must name series as 'file/column', got {name!r}{near}")
    kept = list(series if columns is None else dict.fromkeys(columns))
    freqs = Counter(facts[key][1] for key in kept)
    if len(freqs) > 1:
        kinds = named([f"{freq or 'unknown'} ({count} series)" for freq, count in freqs.items()])
        notes = [*notes, f"the frequency of all is unknown, because the files have different ones: {kinds}"]
    return Panel.from_series(
        folder.resolve().name,
        {key: series[key] for key in kept},
        starts=[facts[key][0] for key in kept],
        freq=next(iter(freqs)) if len(freqs) == 1 else None,
        notes=notes,
    )
