"""CSV files: bytes become a table of cells, whatever their encoding, separator, comments and decimal marks."""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import re
import warnings
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data.errors import DataError
from data.read_options import ReadOptions
from data.readers.arrow_csv import ENCODINGS, PlainCsv, parse_plain
from data.readers.packed import open_unpacked
from data.readers.tabular.names import ID_NAMES, PARTS, PERIOD_NAMES, TIME_NAMES
from data.readers.tabular.numbers import SILENT, Cells
from data.readers.tabular.table import Table
from data.times.rows import Rows

_HEAD_BYTES = 1 << 16
_BLOCK_BYTES = 1 << 20
_SEPARATORS = ";,\t|"  # a semicolon before a comma, which may also be in a name and before decimals
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_LONGEST_HIGH_RUNS = 10_000  # bytes looked at to tell an encoding
_TEXT_NAMES = {*ID_NAMES, *TIME_NAMES, *PERIOD_NAMES} - {*PARTS}  # ids, whose zeros count; times, whose digits do
_DATED = re.compile(r"\d{4}-\d\d-\d\d|\d{1,2}[/.]\d{1,2}[/.]\d{4}")


@dataclass(frozen=True)
class _Layout:
    """How a CSV file is written.

    names: of its columns; skipped: lines before their line; separator; encoding, and whether it was guessed.
    """

    names: tuple[str, ...]
    skipped: int
    separator: str
    encoding: str
    notes: tuple[str, ...] = ()


def read_csv(path: Path, name: str, options: ReadOptions) -> Table:
    """Read a CSV file, packed or not; raises DataError with line and remedy."""
    try:
        return _read(path, name, options)
    except csv.Error as error:  # of a first line without an end
        raise DataError(f"{path}: a CSV file needs a line of column names ({error}); close the quotes in it") from error
    except UnicodeError as error:
        raise DataError(
            f"{path}: text must be UTF-8, UTF-16, GBK or Latin-1, but {error}; name what it is with --encoding"
        ) from error


def _read(path: Path, name: str, options: ReadOptions) -> Table:
    layout = _find_layout(path, options)
    texts = _dtypes(layout.names, options)
    frame = _parse(path, layout, texts)
    if options.decimal == "," or _has_decimal_commas(frame, but=texts):
        frame = _parse(path, layout, dict.fromkeys(layout.names, str))  # as written: 1.234 may be 1234
    return _tidy(path, name, frame, layout, options)


def _find_layout(path: Path, options: ReadOptions) -> _Layout:
    """Find encoding, separator and the line of the columns' names from the first lines."""
    encoding, notes = _encoding(path, options)
    with open_unpacked(path) as file:
        raw = file.read(_HEAD_BYTES) + file.readline()  # a header may be longer
    text = codecs.getincrementaldecoder(encoding)().decode(raw)
    lines = text.splitlines()
    skipped = next((i for i, line in enumerate(lines) if line.strip() and not line.startswith("#")), len(lines))
    first = lines[skipped] if skipped < len(lines) else ""
    comments = [line for line in lines[:skipped] if line.startswith("#")]
    row = next((line for line in lines[skipped + 1 :] if line.strip() and not line.startswith("#")), "")
    separator = _separator(first or (comments[-1] if comments else ""), row)
    if comments:
        last, cells = _cells(comments[-1].lstrip("# "), separator), _cells(first, separator)
        if len(last) == len(cells) > 1 and _is_data(cells):
            skipped, first = lines.index(comments[-1]), comments[-1].lstrip("# ")  # the names, as a comment
        else:
            notes = (*notes, f"{len(comments)} lines of comments (#) not read")
    if not first.strip():
        raise DataError(f"{path}: a CSV file needs a line of column names and rows, and has none")
    names = _unique_names(_cells(first, separator))
    if _is_data(names):
        dated = next((name for name in names if _DATED.match(name)), names[0])
        raise DataError(
            f"{path}: line {skipped + 1} must name the columns, got {dated!r}; put a line such as date,a,b on top"
        )
    return _Layout(names, skipped, separator, encoding, notes)


def _separator(names: str, row: str) -> str:
    """Return the separator: of those that the first row has as often as the line of names, the one there most often.

    names, row: the two lines, of which what is in quotes does not count. If there is none, the names alone say.
    """
    plain, values = (re.sub(r'"[^"]*"', "", line) for line in (names, row))
    alike = [mark for mark in _SEPARATORS if 0 < plain.count(mark) == values.count(mark)]
    if not alike and not any(mark in plain for mark in _SEPARATORS):
        return ","
    return max(alike or _SEPARATORS, key=plain.count)


def _cells(line: str, separator: str) -> tuple[str, ...]:
    return tuple(next(csv.reader(io.StringIO(line), delimiter=separator), []))


def _unique_names(cells: Sequence[str]) -> tuple[str, ...]:
    """Name columns as pandas does: 'Unnamed: 2' for one without a name, 'a.1' for a second 'a'."""
    names: list[str] = []
    seen: Counter[str] = Counter()
    for i, cell in enumerate(cells):
        name = cell.strip() or f"Unnamed: {i}"
        again = seen[name]
        seen[name] += 1
        names.append(f"{name}.{again}" if again else name)
    return tuple(names)


def _is_data(cells: Sequence[str]) -> bool:
    """Whether a line is data: it holds a timestamp, or only numbers with a fraction."""
    dated = any(_DATED.match(cell) for cell in cells)
    return bool(cells) and (dated or all(re.fullmatch(r"-?\d+\.\d+(\.\d+)?", cell) for cell in cells))


def _dtypes(names: Sequence[str], options: ReadOptions) -> dict[str, type]:
    """Return which columns are read as text: ids, whose zeros count, and times, whose digits do."""
    asked = {*(options.id_columns or ()), *([options.time_column] if options.time_column else [])}
    return {n: str for n in names if n in asked or n.strip().lower() in _TEXT_NAMES}


def _parse(path: Path, layout: _Layout, dtypes: dict[str, type]) -> pd.DataFrame:
    """Parse the cells; ids keep words such as NA, elsewhere they are missing."""
    ids = [name for name in layout.names if dtypes.get(name) is str and name.strip().lower() in ID_NAMES]
    if layout.encoding in ENCODINGS and len(dtypes) < len(layout.names):
        plain = PlainCsv(layout.names, layout.skipped, layout.separator, dtypes.keys(), ids, SILENT)
        if (frame := parse_plain(path, plain)) is not None:
            return frame
    _reject_wide(path, layout)
    missing = {name: sorted({""} if name in ids else SILENT) for name in layout.names}
    options: dict[str, Any] = {
        "sep": layout.separator,
        "names": list(layout.names),
        "header": None,
        "skiprows": layout.skipped + 1,
        "index_col": False,
        "dtype": dtypes,
        "keep_default_na": False,
        "na_values": missing,
        "skip_blank_lines": False,  # so that a row's number gives its line
        "float_precision": "round_trip",
        "low_memory": False,
    }
    try:
        return _frame(path, layout, options)
    except pd.errors.EmptyDataError:
        return pd.DataFrame(columns=list(layout.names))
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        return _with_trailing_separators(path, options, layout, error)


def _reject_wide(path: Path, layout: _Layout) -> None:
    """Reject a first row with far more cells than there are names, of each of which pandas would make a column."""
    with open_unpacked(path) as raw, suppress(csv.Error):
        lines = itertools.islice(io.TextIOWrapper(raw, encoding=layout.encoding, newline=""), layout.skipped + 1, None)
        cells = next(csv.reader(lines, delimiter=layout.separator), [])
        if len(cells) > len(layout.names) + 1:
            raise _uneven(path, layout, f"Expected {len(layout.names)} fields, saw {len(cells)}")


def _frame(path: Path, layout: _Layout, options: dict[str, Any]) -> pd.DataFrame:
    """Let pandas parse the file; what it would only warn of is an error too: cells that would be lost."""
    with open_unpacked(path) as raw, warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        frame: pd.DataFrame = pd.read_csv(io.TextIOWrapper(raw, encoding=layout.encoding, newline=""), **options)
        return frame


def _with_trailing_separators(path: Path, options: dict[str, Any], layout: _Layout, error: Exception) -> pd.DataFrame:
    """Read rows that end in one separator more than the header; reject others of another number of cells."""
    names = [*layout.names, "trailing"]
    options = {**options, "names": names, "na_values": {**options["na_values"], "trailing": [""]}}
    try:
        frame = _frame(path, layout, options)
        if frame["trailing"].isna().all():
            return frame.drop(columns="trailing")
    except (pd.errors.ParserError, pd.errors.ParserWarning):
        pass  # reported as it was found
    raise _uneven(path, layout, str(error)) from error


def _uneven(path: Path, layout: _Layout, reason: str) -> DataError:
    return DataError(
        f"{path}: every line must have as many cells as the header ({_odd_line(path, layout, reason)}); correct it, "
        f"or quote cells that hold a {layout.separator!r}"
    )


def _odd_line(path: Path, layout: _Layout, reason: str) -> str:
    """Name the first line with too many cells."""
    with open_unpacked(path) as raw:
        lines = io.TextIOWrapper(raw, encoding=layout.encoding, newline="")
        reader = csv.reader(lines, delimiter=layout.separator)
        with suppress(csv.Error):  # of a cell without an end
            for cells in reader:
                if reader.line_num > layout.skipped and len(cells) > len(layout.names):
                    return f"Expected {len(layout.names)} fields in line {reader.line_num}, saw {len(cells)}"
    return reason.removeprefix("Error tokenizing data. C error: ").strip()


def _has_decimal_commas(frame: pd.DataFrame, *, but: Collection[str]) -> bool:
    """Whether a column of text holds numbers with a decimal comma. but: names of columns that are text on purpose."""
    texts = (frame[name] for name in frame.columns if frame[name].dtype == object and name not in but)
    return any("," in Cells.of(column.dropna(), ()).decimals() for column in texts)


def _tidy(path: Path, name: str, frame: pd.DataFrame, layout: _Layout, options: ReadOptions) -> Table:
    """Drop what is no row and no column of the data: blank lines, comments, units, row numbers, an empty column."""
    first_line = layout.skipped + 2
    filled = frame.notna().any(axis=1).to_numpy()
    if not filled.any():
        raise DataError(f"{path}: a CSV file needs rows of values under its header, and has none; add some")
    end = int(np.flatnonzero(filled)[-1]) + 1  # a blank line before may be a missing row: only a time shows it
    rows = Rows(str(path), "line", np.arange(first_line, first_line + end))
    table = Table(name, frame[:end].reset_index(drop=True), rows, options, notes=list(layout.notes))
    _drop_comments(table)
    _drop_units(table)
    _drop_empty_last(table)
    _drop_row_numbers(table)
    return table


def _drop_comments(table: Table) -> None:
    """Drop lines between or after the rows that begin with #."""
    first = table.frame.iloc[:, 0]
    if first.dtype != object:
        return
    if table.frame.shape[1] < 2:
        return
    comments = table.frame.iloc[:, 1:].isna().all(axis=1).to_numpy()
    comments[comments] = first[comments].astype(str).str.startswith("#").to_numpy()
    if comments.any():
        table.keep_rows(~comments)
        table.notes.append(f"{comments.sum()} lines of comments (#) between the rows not read")


def _drop_units(table: Table) -> None:
    """Drop a first row without a single number or time, if the second has one where it has text: it names units."""
    frame = table.frame
    if len(frame) < 2:
        return
    first, second = frame.iloc[0], frame.iloc[1]
    texts = [str(cell) for cell in first.dropna()]
    if not texts or any(re.search(r"\d{2}", text) or _is_number(text) for text in texts):
        return
    numbers = [name for name in frame.columns if not first.isna()[name] and _is_number(second[name])]
    if numbers:
        table.notes.append(f"{table.rows.place(0)} holds units, not values ({', '.join(texts[:3])}): not read")
        table.keep_rows(np.arange(len(frame)) > 0)


def _is_number(cell: object) -> bool:
    cells = Cells.of(pd.Series([str(cell)], dtype=object), ())
    return any(not np.isnan(cells.numbers(mark)).any() for mark in (".", ","))


def _drop_empty_last(table: Table) -> None:
    """Drop columns without a name and a value: lines that end in a separator."""
    empty = [n for n in table.frame.columns if n.startswith("Unnamed:") and table.frame[n].isna().all()]
    if empty:
        table.frame = table.frame.drop(columns=empty)
        table.notes.append(f"{len(empty)} columns without a name and a value dropped")


def _drop_row_numbers(table: Table) -> None:
    """Drop a first column without a name that counts the rows, as pandas writes it."""
    first = table.frame.columns[0]
    if str(first).startswith("Unnamed:") and table.frame.shape[1] > 1:
        index = pd.to_numeric(table.frame[first], errors="coerce").to_numpy(dtype=np.float64)
        if (np.diff(index) == 1).all() and index[0] in (0, 1):
            table.frame = table.frame.drop(columns=first)
            table.notes.append("the first column, a row number without a name, dropped")


def _encoding(path: Path, options: ReadOptions) -> tuple[str, tuple[str, ...]]:
    """Return the encoding asked for, that of the byte order mark, UTF-8, or what the bytes beyond ASCII look like."""
    if options.encoding is not None:
        return options.encoding, ()
    with open_unpacked(path) as file:
        head = file.read(_HEAD_BYTES)
    known = next((name for bom, name in _BOMS if head.startswith(bom)), None)
    if known is not None:
        return known, ()
    if b"\0" in head:
        ends = "le" if head[1::2].count(0) > head[::2].count(0) else "be"
        return f"utf-16-{ends}", ("text read as UTF-16, by its zero bytes; --encoding names another",)
    if _is_utf8(path):
        return "utf-8", ()
    runs = b"\n".join(_high_runs(path))
    try:
        runs.decode("gb2312")
    except UnicodeDecodeError:
        return "cp1252", ("text is not UTF-8, and read as Latin-1 (cp1252); --encoding names another",)
    return "gb18030", ("text is not UTF-8, and read as GBK; --encoding names another",)


def _is_utf8(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for block in _blocks(path):
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _high_runs(path: Path) -> list[bytes]:
    """Return the runs of bytes beyond ASCII, some ten thousand bytes of them."""
    runs: list[bytes] = []
    for number, block in enumerate(_blocks(path)):
        lines = block.split(b"\n")[number > 0 :]  # the first line of a later block has lost its beginning
        whole = lines if len(block) < _BLOCK_BYTES else lines[:-1]
        runs += [run for line in whole for run in re.findall(rb"[\x80-\xff]+", line)]
        if sum(map(len, runs)) > _LONGEST_HIGH_RUNS:
            break
    return runs


def _blocks(path: Path) -> Iterator[bytes]:
    with open_unpacked(path) as file:
        while block := file.read(_BLOCK_BYTES):
            yield block
