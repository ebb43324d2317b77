"""The head of a passages file: its columns, separator and encoding, found before a row is counted."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from data.errors import DataError, near_names
from data.passages.counts import PassageFormat
from data.passages.lines import LineStream

_HEAD_BYTES = 1 << 20
_MOST_SHOWN = 12


@dataclass(frozen=True)
class Layout:
    """How one file is laid out.

    n_columns: cells of a row. site, direction, time: which of them are meant. header_lines: lines above the rows.
    is_utf8: whether the head is; else it is taken for GB 18030, which holds GBK.
    """

    path: Path
    n_columns: int
    site: int
    direction: int
    time: int
    separator: str
    header_lines: int
    has_rows: bool
    is_utf8: bool


def read_layouts(files: Sequence[Path], format: PassageFormat) -> list[Layout]:
    """Read the head of every file.

    Raises DataError, with what is wrong in all of them, if one cannot be opened or lacks a column.
    """
    layouts: list[Layout] = []
    mistakes: list[str] = []
    for path in files:
        try:
            layouts.append(_read_layout(path, format))
        except DataError as error:
            mistakes.append(str(error))
        except OSError as error:
            mistakes.append(f"{path}: the file cannot be opened ({error.strerror or error}); check it and its rights")
    if mistakes:
        more = [f"and {len(mistakes) - _MOST_SHOWN} more files"] if len(mistakes) > _MOST_SHOWN else []
        raise DataError("\n".join([*mistakes[:_MOST_SHOWN], *more]))
    return layouts


def decode_text(text: bytes) -> str:
    """Decode UTF-8 or, where it is not, GB 18030."""
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("gb18030", errors="replace")


def _read_layout(path: Path, format: PassageFormat) -> Layout:
    with LineStream(path) as stream:
        head = stream.read(_HEAD_BYTES)
    if not head.strip():
        raise DataError(f"{path}: a passages file needs a line of column names, and is empty; remove the file")
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise DataError(f"{path}: text must be UTF-8 or GBK, and this is UTF-16; save it as UTF-8")
    text, is_utf8 = _decode_head(head)
    header, first, header_lines, separator = _first_rows(path, text)
    if first and len(first) == len(header) + 1 and not first[-1]:
        header = [*header, ""]  # the rows, not the header, end in a separator
    elif first and len(first) == len(header) - 1 and not header[-1]:
        header = header[:-1]
    site, direction, time = _places(path, header, format)
    return Layout(path, len(header), site, direction, time, separator, header_lines, bool(first), is_utf8)


def _decode_head(head: bytes) -> tuple[str, bool]:
    """Decode the head, whose last character may be cut; return whether it is UTF-8."""
    head = head.removeprefix(codecs.BOM_UTF8)
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(head), True
    except UnicodeDecodeError:
        return head.decode("gb18030", errors="replace"), False


def _first_rows(path: Path, text: str) -> tuple[list[str], list[str], int, str]:
    """Return the header, the first row (empty if there is none), the lines down to the header, and the separator."""
    separator = ","
    try:
        for mark in ",;\t":
            rows = csv.reader(io.StringIO(text, newline=""), delimiter=mark)
            header = next(filter(None, rows))
            if mark == "," or len(header) > 1:
                separator, found, lines = mark, header, rows.line_num
                first = next(filter(None, rows), [])
            if len(header) > 1:
                break
    except csv.Error as error:
        raise DataError(f"{path}: the first lines are no CSV ({error}); check how the file was written") from error
    return [name.strip() for name in found], first, lines, separator


def _places(path: Path, header: list[str], format: PassageFormat) -> tuple[int, int, int]:
    """Find the three columns; reject a header that lacks one or has it twice."""
    wanted = {
        "--site-column": format.site_column,
        "--direction-column": format.direction_column,
        "--time-column": format.time_column,
    }
    for option, name in wanted.items():
        if header.count(name) > 1:
            raise DataError(f"{path}: each column needs its own name, and {name!r} is there twice; rename one")
        if name not in header:
            columns = ", ".join(header[:_MOST_SHOWN]) + (", ..." if len(header) > _MOST_SHOWN else "")
            near = _near_column(name, header) or "; check the file"
            raise DataError(
                f"{path}: a passages file needs the columns {', '.join(wanted.values())}, and {name!r} is missing from "
                f"{columns}{near}, or name the column with {option}"
            )
    site, direction, time = (header.index(name) for name in wanted.values())
    return site, direction, time


def _near_column(name: str, header: list[str]) -> str:
    """Suggest the nearest columns, whatever their case."""
    spelled = {column.upper(): column for column in header}
    if name.upper() in spelled:
        return f"; did you mean {spelled[name.upper()]!r}?"
    return near_names(name, header)
