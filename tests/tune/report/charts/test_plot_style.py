"""Marks of a time axis, for any span."""

from __future__ import annotations

import datetime
import warnings

import pytest
from matplotlib.figure import Figure

from tune.report.charts.plot_style import mark_times

MINUTE, HOUR, DAY = 60, 3600, 86_400
SPANS = (
    5,
    90,
    119,
    7 * MINUTE,
    100 * MINUTE,
    3 * HOUR,
    30 * HOUR,
    47 * HOUR,
    4 * DAY,
    40 * DAY,
    61 * DAY,
    500 * DAY,
    5000 * DAY,
)


@pytest.mark.parametrize("most", [3, 4, 6, 8])
def test_no_span_has_more_marks_than_may_be_or_none(most: int) -> None:
    begin = datetime.datetime(2024, 1, 1, 3, 17)
    for seconds in SPANS:
        ax = Figure((3, 2)).add_subplot()
        ax.plot([begin, begin + datetime.timedelta(seconds=seconds)], [0, 1])  # type: ignore[arg-type]
        mark_times(ax, is_timed=True, most=most)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            marks = ax.get_xticks()
        low, high = ax.get_xlim()
        assert 1 <= sum(low <= mark <= high for mark in marks) <= most, seconds
