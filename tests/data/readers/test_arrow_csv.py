"""Files that pyarrow parses, cell by cell against pandas; and those that it must leave to pandas."""

from __future__ import annotations

import random
from pathlib import Path
from unittest import mock

import pandas as pd
import pytest

from data.errors import DataError
from data.read_options import ReadOptions
from data.readers import csv_file
from data.readers.csv_file import _dtypes, _find_layout, _parse
from tests.data.readers.series_files import LONG, WIDE

NUMBERS = ["1", "-2.5", "0.1", "1e5", "3E-7", "007", "123456789012345678", "0.30000000000000004", "inf", "-inf", ".5"]
MISSING = ["", "NA", "NaN", "nan", "null", "None", "N/A"]
ODD = [" 1", "1 ", "1,5", "0x1F", "true", "2020-01-01", "12:30", "-", "?", "+4", "1_000", "#1", '"2"', "9" * 20, "abc"]
LINES = ["", "# note", "x,2020-02-01,1", "x,2020-02-01,1,2,", '"x\ny",2020-02-01,1,2']


def both(path: Path) -> tuple[pd.DataFrame | None, pd.DataFrame]:
    """The cells by pyarrow, None where it leaves them, and by pandas."""
    layout = _find_layout(path, ReadOptions())
    dtypes = _dtypes(layout.names, ReadOptions())
    with mock.patch.object(csv_file, "parse_plain", return_value=None):
        by_pandas = _parse(path, layout, dtypes)
    taken = []
    plain = csv_file.parse_plain
    with mock.patch.object(csv_file, "parse_plain", lambda *a: taken.append(plain(*a)) or taken[-1]):
        _parse(path, layout, dtypes)
    return taken[0], by_pandas


def table(seed: int) -> str:
    """Ten lines of an id, a time and two columns of values, of which some are odd."""
    drawn = random.Random(seed)
    cells = NUMBERS + MISSING * drawn.randint(0, 1) + ODD * (drawn.random() < 0.3)
    ids = ("x", "y", "NA" if seed % 7 == 0 else "z")
    lines = ["item_id,date,a,b"]
    for day in range(1, 11):
        lines.append(",".join([drawn.choice(ids), f"2020-01-{day:02}", drawn.choice(cells), drawn.choice(cells)]))
    if seed % 5 == 0:
        lines.insert(drawn.randint(1, 9), drawn.choice(LINES))
    return "\n".join(lines) + "\n"


def test_what_pyarrow_parses_is_what_pandas_parses(tmp_path: Path) -> None:
    plain = 0
    for seed in range(400):
        path = tmp_path / "file.csv"
        path.write_text(table(seed))
        try:
            by_arrow, by_pandas = both(path)
        except DataError:
            continue  # too many cells in a line
        if by_arrow is not None:
            plain += 1
            pd.testing.assert_frame_equal(by_arrow, by_pandas, check_dtype=False, obj=f"seed {seed}")
    assert plain > 100


@pytest.mark.parametrize("text", [WIDE, LONG, WIDE.replace("10", ""), WIDE.replace("\n", "\r\n"), "\ufeff" + WIDE])
def test_plain_files_are_parsed_by_pyarrow(tmp_path: Path, text: str) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(text.encode())
    by_arrow, by_pandas = both(path)
    assert by_arrow is not None
    pd.testing.assert_frame_equal(by_arrow, by_pandas)


@pytest.mark.parametrize("cell", ["0x1F", "true", "2020-01-01", "1,5", "abc", "12:30"])
def test_what_pyarrow_would_take_for_something_else_is_left_to_pandas(tmp_path: Path, cell: str) -> None:
    path = tmp_path / "file.csv"
    path.write_text(WIDE.replace(",10", f',"{cell}"').replace(",20", f',"{cell}"').replace(",30", f',"{cell}"'))
    assert both(path)[0] is None
