"""Plain CSV files, parsed by pyarrow: several times as fast as pandas, and None for whatever it may read otherwise."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv

from data.readers.packed import open_unpacked

ENCODINGS = ("utf-8", "utf-8-sig")
_HEXADECIMAL = (b"0x", b"0X")  # numbers to pyarrow, text to pandas
_BLOCK_BYTES = 1 << 24


@dataclass(frozen=True)
class PlainCsv:
    """What a file must be like. texts: the columns that are text; all others hold numbers, or nothing.

    missing: words for a missing value. ids: texts, of which none may be that.
    """

    names: Sequence[str]
    skipped: int
    separator: str
    texts: Collection[str]
    ids: Collection[str]
    missing: Collection[str]


def parse_plain(path: Path, file: PlainCsv) -> pd.DataFrame | None:
    """Return the cells, as pandas would parse them; None where the file is not that plain."""
    if _has_hexadecimal(path):
        return None
    kept = pa.dictionary(pa.int32(), pa.string())  # a text that comes again is kept once
    try:
        with open_unpacked(path) as raw:
            table = pyarrow.csv.read_csv(
                raw,
                read_options=pyarrow.csv.ReadOptions(
                    column_names=list(file.names), skip_rows=file.skipped + 1, block_size=_BLOCK_BYTES
                ),
                parse_options=pyarrow.csv.ParseOptions(
                    delimiter=file.separator, newlines_in_values=True, ignore_empty_lines=False
                ),
                convert_options=pyarrow.csv.ConvertOptions(
                    column_types={name: kept for name in file.names if name in file.texts},
                    null_values=sorted(file.missing),
                    strings_can_be_null=True,
                ),
            )
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowKeyError, UnicodeError):
        return None
    if not all(_is_plain(table[name], name, file) for name in file.names):
        return None
    return pd.DataFrame({name: _column(table[name]) for name in file.names}, copy=False)


def _is_plain(column: pa.ChunkedArray, name: str, file: PlainCsv) -> bool:
    if name in file.ids:
        return bool(column.null_count == 0)
    return name in file.texts or bool(column.type in (pa.int64(), pa.float64()))


def _column(column: pa.ChunkedArray) -> pd.Series:
    found: pd.Series = column.to_pandas()
    return found.astype(object) if isinstance(found.dtype, pd.CategoricalDtype) else found


def _has_hexadecimal(path: Path) -> bool:
    with open_unpacked(path) as raw:
        before = b""
        while block := raw.read(_BLOCK_BYTES):
            if any(sign in before + block for sign in _HEXADECIMAL):
                return True
            before = block[-1:]
    return False
