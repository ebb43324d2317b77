"""The site map: which raw names in the passages files are which site."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

from data.errors import DataError, near_names
from data.files import parse_json, read_small
from data.passages.layout import decode_text

_COLUMNS = ("name", "id")
_MOST_SHOWN = 8


def read_site_map(path: Path) -> dict[str, str]:
    """Read a site map: {raw name: site id}; several names may have one id.

    A CSV file has the columns name and id. A JSON file is {"raw name": "CP001"} or {"CP001": ["raw name", ...]}.
    Raises DataError, with all mistakes of the file.
    """
    path = Path(path)
    try:
        text = decode_text(read_small(path)).removeprefix("\ufeff")
    except OSError as error:
        reason = "does not exist" if isinstance(error, FileNotFoundError) else f"cannot be opened ({error.strerror})"
        raise DataError(f"--sites must name a site map, and {path} {reason}; check the path") from error
    suffixes = {".csv": _csv_pairs, ".json": _json_pairs}
    if path.suffix.lower() not in suffixes:
        raise DataError(f"{path}: a site map must be a .csv or .json file, got {path.suffix!r}; rename it")
    sites: dict[str, str] = {}
    mistakes: list[str] = []
    for where, name, site in suffixes[path.suffix.lower()](path, text):
        name, site = name.strip(), site.strip()
        if not name or not site:
            mistakes.append(f"{where} must have both a name and an id, got {name!r} and {site!r}")
        elif sites.setdefault(name, site) != site:
            mistakes.append(f"{where}: each name must have one id, got {name!r} as {sites[name]} and {site}")
    if not sites and not mistakes:
        mistakes.append("a site map must have at least one name, and has none")
    if mistakes:
        more = [f"and {len(mistakes) - _MOST_SHOWN} more"] if len(mistakes) > _MOST_SHOWN else []
        raise DataError(f"{path}: {'; '.join([*mistakes[:_MOST_SHOWN], *more])}; correct the file")
    return sites


def _csv_pairs(path: Path, text: str) -> Iterator[tuple[str, str, str]]:
    """Yield where, raw name and id of each row."""
    rows = csv.reader(io.StringIO(text, newline=""))
    header = [name.strip() for name in next(filter(None, rows), [])]
    for name in _COLUMNS:
        if name not in header:
            near = near_names(name, header) or "; write 'name,id' as its first line"
            raise DataError(f"{path}: a site map needs the columns name and id, got {', '.join(header)}{near}")
    places = [header.index(name) for name in _COLUMNS]
    for row in filter(None, rows):
        name, site = (row[place] if place < len(row) else "" for place in places)
        yield f"line {rows.line_num}", name, site


def _json_pairs(path: Path, text: str) -> Iterator[tuple[str, str, str]]:
    """Yield where, raw name and id of each entry, whichever way round they are."""
    try:
        entries = parse_json(text)
    except json.JSONDecodeError as error:
        raise DataError(f"{path}: line {error.lineno}: not JSON ({error.msg}); correct it") from error
    if not isinstance(entries, dict):
        raise DataError(
            f'{path}: a site map must be an object like {{"raw name": "CP001"}}, got {text.strip()[:40]!r}; change it'
        )
    for key, value in entries.items():
        if isinstance(value, str):
            yield repr(key), key, value
        elif isinstance(value, list) and all(isinstance(name, str) for name in value):
            for name in value:
                yield repr(key), name, key
        else:
            raise DataError(
                f"{path}: {key!r} must have an id, or be an id with a list of names, got {value!r}; correct it"
            )
