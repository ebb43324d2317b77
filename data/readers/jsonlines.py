"""JSON Lines: one series a line, as Time-MoE's and GluonTS's files have them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from data.errors import DataError
from data.panel import Panel
from data.read_options import ReadOptions
from data.readers.packed import open_unpacked
from data.readers.records import panel_of_records, records_of


def panel_from_jsonl(path: Path, name: str, options: ReadOptions) -> Panel:
    """Read lines like {"id": "a", "sequence": [1.0, null], "start": "2016-07-01", "freq": "h"}; null = missing.

    'target' may be used for 'sequence'; id, start and freq may be absent. An absent id becomes the line's number.
    Raises DataError at the first line that is no such object, and if the lines differ in freq.
    """
    notes: list[str] = []
    records = []
    for number, text in _lines(path, options.encoding or "utf-8-sig"):
        where = f"{path}: line {number}"
        records += records_of(_record(text, where), where, str(number), notes, options)
    if not records:
        raise DataError(f"{path}: a file of series must not be empty; write one JSON object a line")
    return panel_of_records(str(path), name, records, options, notes)


def _lines(path: Path, encoding: str) -> Iterator[tuple[int, str]]:
    """Give the lines that are not blank, with their numbers from 1."""
    with open_unpacked(path) as file:
        for number, line in enumerate(file, 1):
            text = line.decode(encoding if number == 1 else encoding.removesuffix("-sig"))
            if text.strip():
                yield number, text


def _record(text: str, where: str) -> Mapping[str, Any]:
    """Parse one line."""
    try:
        record = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{where}: a line must be one JSON object, but at column {error.colno}: {error.msg}; correct the line"
        ) from error
    except RecursionError as error:
        raise DataError(f"{where}: a line must be a JSON object, and is nested too deeply; correct it") from error
    except ValueError as error:  # a whole number of thousands of digits
        raise DataError(f"{where}: a number must have fewer digits ({error}); correct the line") from error
    if not isinstance(record, dict):
        raise DataError(
            f'{where}: a line must be a JSON object like {{"id": ..., "sequence": [...]}}, got '
            f"{text.strip()[:40]!r}; correct the line"
        )
    return record
