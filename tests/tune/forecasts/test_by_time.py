"""Spans of time: which unit, which windows."""

from __future__ import annotations

import numpy as np
import pytest

from data.panel import Panel
from tune.forecasts.by_time import Spans


def panel(freq: str | None, *starts: str | None) -> Panel:
    return Panel.from_series("p", {str(i): np.zeros(4000) for i in range(len(starts))}, starts=starts, freq=freq)


@pytest.mark.parametrize(
    ("freq", "step", "unit", "first", "count"),
    [
        ("h", 1, "hour", "2024-01-31 13:00", 24),
        ("h", 24, "day", "2024-01-31", 24),
        ("h", 168, "week", "2024-01-29", 24),  # the Monday before
        ("D", 31, "month", "2024-01-01", 24),
        ("MS", 3, "quarter", "2024-01-01", 24),
        ("YS", 1, "year", "2024-01-01", 24),
    ],
)
def test_the_shortest_unit_that_makes_no_more_than_24(freq: str, step: int, unit: str, first: str, count: int) -> None:
    start = "2024-01-31 13:00:00" if freq == "h" else "2024-01-01 00:00:00"
    rows = np.arange(24) * step
    spans = Spans.of(panel(freq, start), np.zeros(24, dtype=np.int64), rows)
    assert (spans.unit, spans.labels[0], len(spans.labels)) == (unit, first, count)
    assert spans.group.tolist() == list(range(24))


def test_series_that_begin_at_other_times_meet_in_a_span() -> None:
    """Row 24 of the first is row 0 of the second; on calendar steps too."""
    spans = Spans.of(panel("h", "2024-01-01", "2024-01-02"), np.array([0, 0, 1]), np.array([0, 24, 0]))
    assert spans.group[1] == spans.group[2] != spans.group[0]
    spans = Spans.of(panel("MS", "2024-01-01", "2024-03-01"), np.array([0, 0, 1]), np.array([0, 2, 0]))
    assert spans.labels == ("2024-01-01", "2024-03-01")
    assert spans.group.tolist() == [0, 1, 1]


def test_where_a_series_has_no_time_spans_are_of_rows() -> None:
    """Rows 10 to 129 in twelve spans of ten."""
    spans = Spans.of(panel("h", "2024-01-01", None), np.array([0, 1, 1]), np.array([10, 19, 129]))
    assert (spans.unit, spans.labels) == ("rows", ("row 10", "row 120"))
    assert spans.group.tolist() == [0, 0, 1]
