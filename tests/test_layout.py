"""No file and no folder of the project grows past what a reader takes in at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.paths import REPOSITORY

FOLDERS = ("data", "search_spaces", "trainables", "tune", "tests")
MOST_LINES, MOST_FILES = 400, 15


def folders() -> Iterator[Path]:
    for name in FOLDERS:
        yield REPOSITORY / name
        yield from (path for path in (REPOSITORY / name).rglob("*") if path.is_dir() and path.name != "__pycache__")


def test_no_folder_holds_more_than_fifteen_files() -> None:
    counts = {path: sum(file.is_file() and file.suffix != ".pyc" for file in path.iterdir()) for path in folders()}
    assert len(counts) > 30
    assert {path: count for path, count in counts.items() if count > MOST_FILES} == {}


def test_no_module_is_longer_than_four_hundred_lines() -> None:
    lengths = {file: len(file.read_text("utf-8").splitlines()) for path in folders() for file in path.glob("*.py")}
    assert len(lengths) > 200
    assert {file: length for file, length in lengths.items() if length > MOST_LINES} == {}
