"""The specification of data/passages/times.py."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from data.passages.times import parse_passage_times
from tests.data.passages.records import count, filled

ISO_TIMES = [
    "2023-12-01 06:49:01",
    "2023-12-01T06:49:01",
    "2023-12-01T06:49",
    "2023-12-01 06:49:01.5",
    "2023-12-01 06:49:01.123456",
    "1999-12-31 23:59:59",
    "2024-02-29 00:00:00",
    "2023-02-29 00:00:00",
    "2023-02-30 00:00:00",
    "2023-04-31 00:00:00",
    "1900-02-29 00:00:00",
    "2000-02-29 00:00:00",
    "2100-02-29 00:00:00",
    "2023-13-01 00:00:00",
    "2023-00-01 00:00:00",
    "2023-12-00 00:00:00",
    "2023-12-01 24:00:01",
    "2023-12-01 23:60:00",
    "2023-12-01 23:59:60",
    "12023-12-01 00:00:00",
    "2023-12-01 00:00:000",
    "2023-12-01 06:49:01 x",
    "2023-12-01 06:49:",
    "2023-12-01 06:",
    "2023-1a-01 00:00:00",
    "",
    "NULL",
]


def parsed(texts):
    times = parse_passage_times(pa.array([text.encode() for text in texts], pa.binary()))
    moments = [
        datetime(1970, 1, 1) + timedelta(days=d, seconds=s)
        for d, s in zip(times.day.tolist(), times.second.tolist(), strict=True)
    ]
    return [moment if valid else None for moment, valid in zip(moments, times.valid.tolist(), strict=True)]


@pytest.mark.parametrize("repeats", [1, 3])
def test_iso_times_are_read_as_pandas_reads_them(repeats):
    texts = ISO_TIMES * repeats
    expected = pd.to_datetime(pd.Series(texts), format="ISO8601", errors="coerce").dt.floor("s")
    assert parsed(texts) == [None if pd.isna(time) else time.to_pydatetime() for time in expected]


def test_random_times_without_leading_zeros_are_read():
    rng = np.random.default_rng(5)
    times = [datetime(1990, 1, 1) + timedelta(seconds=int(s)) for s in rng.integers(0, 40 * 365 * 86_400, size=5_000)]
    slashes = [f"{t.year}/{t.month}/{t.day} {t.hour}:{t:%M:%S}" for t in times]
    mixed = [f"{t.year}-{t.month}-{t.day:02d}T{t.hour}:{t.minute}:{t.second}" for t in times]
    assert parsed(slashes) == times
    assert parsed(mixed) == times
    assert parsed([text for pair in zip(slashes, mixed, strict=True) for text in pair]) == [
        t for t in times for _ in "ab"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "2023-12-01",
        "2023-12-01 ",
        "20231201064901",
        "1-12-2023 06:49:01",
        ":12",
        "2023-12-01 06:49:01.",
        "1899-12-31 00:00:00",
        "2200-01-01 00:00:00",
        "2023-12-01 06:49:01+8",
    ],
)
def test_what_is_no_time_of_a_day_is_rejected(text):
    sure = "2023-12-01 00:00:00"
    assert parsed([sure, text, sure]) == [datetime(2023, 12, 1), None, datetime(2023, 12, 1)]


def test_a_time_that_stops_early_does_not_go_on_in_the_next_row():
    assert parsed(["2023-12-01 06:49:0", "1", "2023-12-01 06:4", "9:01", "2023-12-01 06:49", ":12"]) == [
        datetime(2023, 12, 1, 6, 49),
        None,
        datetime(2023, 12, 1, 6, 4),
        None,
        datetime(2023, 12, 1, 6, 49),
        None,
    ]


def test_zones_are_cut_off_and_told(write):
    times = ["2023-12-01T06:49:01Z", "2023-12-01T06:49:01+08:00", "2023-12-01T06:49:01.25+0800", "2023-12-01T06:49 "]
    counts = count(write("".join(f"A,1,{time},x\n" for time in times)))
    assert filled(counts) == {("A#fx=1", "2023-12-01T06:45:00"): 4}
    assert any(note.startswith("3 rows with a zone") for note in counts.notes)


def test_no_times_are_no_times():
    assert parsed([]) == []
    assert parsed(["", ""]) == [None, None]
