"""The specification of data/passages/period.py: buckets, and which month."""

from __future__ import annotations

import pytest

from data.passages import Tally
from tests.data.passages.records import FIVE, count, filled, rejection


def test_buckets_may_be_longer(write):
    counts = count(write(FIVE), bucket="15min")
    assert counts.values.shape == (4, 31 * 96)
    assert filled(counts)["东站#fx=1", "2023-12-01T00:00:00"] == 3
    assert count(write(FIVE), bucket="1h").freq == "h"
    assert count(write(FIVE), bucket="1D").values.shape == (4, 31)


@pytest.mark.parametrize("bucket", ["7min", "30s", "90s", "2D", "0min", "-5min", "often", "NaT", "7h"])
def test_a_bucket_must_divide_a_day(write, bucket):
    assert rejection(write(FIVE), bucket=bucket).startswith("--bucket must be whole minutes that divide a day, got")


def test_a_period_can_be_given_to_the_bucket(write):
    rows = "".join(f"A,1,2023-12-01 {time},x\n" for time in ("05:59:59", "06:00:00", "06:09:59", "06:10:00"))
    counts = count(write(rows), start="2023-12-01T06:00", end="2023-12-01 06:10")
    assert counts.values.tolist() == [[1, 1], [0, 0]]
    assert counts.rows == Tally(read=4, outside_period=2, used=2)
    assert (counts.start, counts.end) == ("2023-12-01T06:00:00", "2023-12-01T06:10:00")
    assert counts.files[0].rows == counts.rows


def test_a_period_may_span_months_and_days_without_a_row(write):
    counts = count(write(FIVE), start="2023-11-15", end="2024-02-01")
    assert counts.n_buckets == (16 + 31 + 31) * 288
    assert counts.values.sum() == 5


@pytest.mark.parametrize(
    ("period", "told"),
    [
        ({"start": "2023-12-01"}, "must come together"),
        ({"start": "2023-12-02", "end": "2023-12-02"}, "--start must be before --end"),
        ({"start": "2023-12-01T00:03", "end": "2023-12-02"}, "--start must begin a bucket of 5 minutes"),
        ({"start": "2023-12-01", "end": "soon"}, "--end must be a date or time, got 'soon'"),
        ({"start": "2023-12-01T00:00Z", "end": "2023-12-02"}, "must have no zone"),
        ({"start": "1990-01-01", "end": "2023-12-02"}, "at most 1000 days apart"),
    ],
)
def test_a_period_that_does_not_fit_is_rejected(write, period, told):
    assert told in rejection(write(FIVE), **period)


def test_no_row_in_the_period_is_rejected(write):
    assert "none is: 5 outside period" in rejection(write(FIVE), start="2020-01-01", end="2020-01-02")


def test_the_month_is_the_one_with_most_rows(write):
    rows = "A,1,2023-11-30 00:00:00,x\n" + "A,1,2024-02-29 12:00:00,x\n" * 2
    counts = count(write(rows))
    assert (counts.start, counts.end, counts.rows.outside_period) == ("2024-02-01T00:00:00", "2024-03-01T00:00:00", 1)
