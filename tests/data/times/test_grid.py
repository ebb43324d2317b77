"""The specification of data/times/grid.py: timestamps, frequencies, and the grid that rows lie on."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from data.readers.panel_reader import read_panel
from tests.data.readers.series_files import NAN, WIDE, rejection, series_of


@pytest.mark.parametrize(
    ("step", "freq"),
    [("15min", "15min"), ("30min", "30min"), ("60min", "h"), ("6h", "6h"), ("24h", "D"), ("7D", "7D"), ("10s", "10s"),
     ("MS", "MS"), ("ME", "ME"), ("3MS", "QS-JAN"), ("YS", "YS-JAN")],
)  # fmt: skip
def test_the_frequency_is_found(write, step, freq):
    times = pd.date_range("2020-01-31" if step == "ME" else "2020-01-01", periods=40, freq=step)
    text = pd.DataFrame({"date": times, "a": np.arange(40)}).to_csv(index=False)
    panel = read_panel(write(text))
    assert panel.freq == freq
    assert panel.lengths.tolist() == [40]
    back = pd.date_range(panel.starts[0], periods=40, freq=panel.freq)
    assert (back == times).all()


def test_gaps_in_time_become_missing_rows_and_a_note(write):
    text = WIDE + "2020-01-01 05:00,6,60\n"
    panel = read_panel(write(text))
    np.testing.assert_array_equal(panel.series(1), [10, 20, 30, NAN, NAN, 60])
    assert panel.notes == ("2 missing rows of the time grid (h) filled with missing values",)


def test_gaps_in_months_become_missing_rows(write):
    panel = read_panel(write("date,a\n2020-01-01,1\n2020-02-01,2\n2020-03-01,3\n2020-05-01,5\n"))
    np.testing.assert_array_equal(panel.series(0), [1, 2, 3, NAN, 5])


def test_unsorted_rows_are_sorted_with_a_note(write):
    panel = read_panel(write("date,a\n2020-01-03,3\n2020-01-01,1\n2020-01-02,2\n"))
    assert series_of(panel) == {"a": [1, 2, 3]}
    assert panel.starts == ("2020-01-01T00:00:00",)
    assert panel.notes == ("rows were not in order of time (1 steps back): sorted",)


def test_duplicate_timestamps_are_refused_naming_the_first(write):
    text = WIDE + "2020-01-01 02:00,4,40\n2020-01-01 00:00,5,50\n"
    message = rejection(write(text))
    assert "line 5" in message
    assert "2020-01-01 02:00:00 is there twice (2 such rows" in message


def test_a_timestamp_off_the_grid_is_refused_naming_its_line(write):
    message = rejection(write(WIDE + "2020-01-01 03:20,4,40\n2020-01-01 04:00,5,50\n"))
    assert "line 5" in message
    assert "2020-01-01 03:20:00 is off that grid" in message


def test_a_mistyped_year_is_refused_before_it_fills_memory(write):
    message = rejection(write(WIDE + "2202-01-01 03:00,4,40\n"))
    assert "line 5" in message
    assert "mostly empty" in message


def test_a_timestamp_that_cannot_be_read_is_refused_with_line_and_value(write):
    message = rejection(write(WIDE + "\n2020-13-01 03:00,4,40\n"))
    assert "line 6" in message  # the blank line 5 counts
    assert "'2020-13-01 03:00'" in message


def test_a_wrong_iso_date_is_not_read_with_day_and_month_exchanged(write):
    assert "'2020-13-02'" in rejection(write("date,a\n2020-12-02,1\n2020-13-02,2\n"))


def test_dates_of_several_forms_are_refused_rather_than_guessed_one_by_one(write):
    assert "line 3" in rejection(write("date,a\n13/01/2020,1\n1 Feb 2020,2\n"))


def test_a_missing_timestamp_is_rejected(write):
    assert "line 5" in rejection(write(WIDE + ",4,40\n"))


@pytest.mark.parametrize(
    ("digits", "unit"), [("", "seconds"), ("000", "milliseconds"), ("000000", "microseconds"), ("0" * 9, "nanoseconds")]
)
def test_a_time_column_of_numbers_is_time_since_1970(write, digits, unit):
    panel = read_panel(write(f"time,a\n1467331200{digits},1\n1467334800{digits},2\n"))  # date -u -d @1467331200
    assert (panel.starts, panel.freq) == (("2016-07-01T00:00:00",), "h")
    assert panel.notes == (f"column 'time' read as {unit} since 1970",)


@pytest.mark.parametrize("numbers", [(1, 2), (20161701, 20161702), (1467331200, 1467334800000), (2.5, 1.5)])
def test_a_time_column_of_other_numbers_is_rejected(write, numbers):
    assert "must be text such as" in rejection(write("time,a\n{},1\n{},2\n".format(*numbers)))


def test_a_time_since_1970_must_not_be_missing(write):
    assert "line 3: a timestamp must be like" in rejection(write("unix,a\n1467331200,1\n,2\n1467338400,2\n"))


def test_the_time_once_more_as_a_number_is_no_series(write):
    for header in ("unix,date,a", "date,unix,a"):
        first = ("1467331200,2016-07-01,5", "2016-07-01,1467331200,5")[header[0] == "d"]
        second = ("1467417600,2016-07-02,6", "2016-07-02,1467417600,6")[header[0] == "d"]
        assert read_panel(write(f"{header}\n{first}\n{second}\n")).ids == ("a",)
    both = write("date,unix,a\n2016-07-01,1467331200,5\n2016-07-02,1467417600,6\n")
    assert read_panel(both).notes == ("columns not read, the time once more: 'unix'",)
    assert read_panel(both, columns=["unix"]).ids == ("unix",)


def test_time_zones_are_converted_to_utc_with_a_note(write):
    text = "date,a\n2020-03-29T01:00+01:00,1\n2020-03-29T03:00+02:00,2\n2020-03-29T04:00+02:00,3\n"
    panel = read_panel(write(text))  # the hour that summer time skips is no gap
    assert panel.starts == ("2020-03-29T00:00:00",)
    assert series_of(panel) == {"a": [1, 2, 3]}
    assert panel.notes == ("timestamps in column 'date' converted to UTC",)


@pytest.mark.parametrize(
    ("first", "second", "start"),
    [("30/01/2020", "31/01/2020", "2020-01-30"),
     ("12/01/2020", "13/01/2020", "2020-01-12")],
)  # fmt: skip
def test_dates_that_are_not_iso_are_reported(write, first, second, start):
    panel = read_panel(write(f"date,a\n{first},1\n{second},2\n"))
    assert panel.freq == "D"
    assert panel.starts == (f"{start}T00:00:00",)
    assert panel.notes == (f"timestamps in column 'date' are not ISO: '{first}' read as {start}",)


def test_one_row_has_no_frequency(write):
    panel = read_panel(write("date,a\n2020-01-01,1\n"))
    assert (panel.freq, panel.lengths.tolist()) == (None, [1])
    assert panel.notes == ("one row a series: frequency unknown",)
