"""Files that are large in one way only: in time, in memory of about their size, and right or one message."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data.panel import Panel
from data.readers.panel_reader import read_panel
from tests.fuzz.cases import outcome
from tests.fuzz.hostile import deep
from tests.fuzz.workbook import workbook

pytestmark = [pytest.mark.fuzz, pytest.mark.timeout(0)]  # each case has a limit of its own

HEAD = "date,a\n"
DAYS = "2020-01-01,{}\n2020-01-02,{}\n2020-01-03,{}\n"


def table(columns: int, rows: int) -> str:
    names = ",".join(f"c{i}" for i in range(columns))
    lines = [f"2020-01-{row + 1:02}," + ",".join(["0.5"] * columns) for row in range(rows)]
    return "\n".join([f"date,{names}", *lines]) + "\n"


def parquet(**arrays: pa.Array) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(arrays), out)
    return out.getvalue()


RIGHT: dict[str, Callable[[], str | bytes]] = {
    "columns.csv": lambda: table(5000, 4),
    "rows.csv": lambda: "id,time,value\n" + "".join(f"s{i % 1000},{1980 + i // 1000},{i}.5\n" for i in range(200_000)),
    "name.csv": lambda: f"date,{'n' * 60_000}\n" + DAYS.format(1, 2, 3),
    "blank.csv": lambda: HEAD + DAYS.format(1, 2, 3) + "\n" * 2_000_000,
    "comments.csv": lambda: "# note\n" * 5000 + HEAD + DAYS.format(1, 2, 3),
    "spaces.csv": lambda: HEAD + DAYS.format(" " * 10**6 + "1", "2" + " " * 10**6, 3),
    "zeros.csv": lambda: HEAD + DAYS.format("1." + "0" * 10**6, "0" * 10**6 + "2", 3),
    "texts.csv": lambda: (
        "when,"
        + ",".join(f"t{i}" for i in range(200))
        + ",a\n"
        + "\n".join(f"2020-01-{d:02}," + "x," * 200 + str(d) for d in range(1, 6))
    ),
    "long.jsonl": lambda: '{"id": "a", "sequence": [' + ", ".join(["1234.5"] * 500_000) + "]}",
    "lines.jsonl": lambda: "".join(f'{{"id": "{i}", "sequence": [1, 2, 3]}}\n' for i in range(20_000)),
    "blank.jsonl": lambda: "\n" * 10**6 + '{"sequence": [1, 2]}',
    "columns.parquet": lambda: parquet(**{f"c{i}": pa.array([0.5, 1.5]) for i in range(3000)}),
    "rows.parquet": lambda: parquet(a=pa.array(np.random.default_rng(0).random(10**6))),
}
WRONG: dict[str, Callable[[], str | bytes]] = {
    "line.csv": lambda: "x" * 10**7,
    "quote.csv": lambda: f'date,"a\n{DAYS.format(1, 2, 3) * 100_000}',
    "open.csv": lambda: HEAD + '"' + DAYS.format(1, 2, 3) * 100_000,
    "quotes.csv": lambda: HEAD + '"' * 10**6,
    "commas.csv": lambda: HEAD + "," * 10**6,
    "zeros.csv": lambda: bytes(10**7),
    "cell.csv": lambda: HEAD + DAYS.format(1, "x" * 10**7, 3),
    "time.csv": lambda: HEAD + "2020-01-01,1\n" + "9" * 10**6 + ",2\n",
    "words.csv": lambda: "id,time,value\n" + "".join(f"s,2020-01-01,word{i}\n" for i in range(30_000)),
    "bomb.csv.gz": lambda: gzip.compress(bytes(200 << 20), 1),
    "deep.jsonl": lambda: deep("list", 10**6),
    "deeper.jsonl": lambda: '{"sequence": ' + deep("object", 10**6) + "}",
    "keys.jsonl": lambda: "{" + ", ".join(f'"k{i}": 1' for i in range(200_000)) + "}",
    "digits.jsonl": lambda: '{"sequence": [' + "9" * 10**6 + "]}",
    "open.jsonl": lambda: '{"id": "' + "x" * 10**7,
    "text.xlsx": lambda: workbook([["date", "a"], ["2020-01-01", "x" * 10**6]]),
}


def read(path: Path, content: str | bytes) -> Panel | str:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    found: Panel | str = outcome(lambda: read_panel(path), file_bytes=path.stat().st_size)
    return found


@pytest.mark.parametrize("name", RIGHT)
def test_a_large_file_that_is_right_is_read(tmp_path: Path, name: str) -> None:
    assert isinstance(read(tmp_path / name, RIGHT[name]()), Panel)


@pytest.mark.parametrize("name", WRONG)
def test_a_large_file_that_is_wrong_is_one_message(tmp_path: Path, name: str) -> None:
    assert isinstance(read(tmp_path / name, WRONG[name]()), str)
