"""Grids of the calendar: business days, ends of months, half months, and what is brought to a grid by resampling."""

import numpy as np
import pandas as pd
import pytest

from data.naive import season_length
from data.readers.panel_reader import read_panel
from tests.data.readers.series_files import rejection

NAN = np.nan


def rows(stamps):
    return "time,y\n" + "".join(f"{stamp:%Y-%m-%d %H:%M},{i}\n" for i, stamp in enumerate(stamps))


@pytest.mark.parametrize(
    ("freq", "start"),
    [
        ("B", "2024-01-01"),
        ("MS", "2024-02-01"),
        ("ME", "2024-01-31"),
        ("BMS", "2024-01-01"),
        ("BME", "2024-01-31"),
        ("SMS", "2024-01-01"),
        ("SME", "2024-01-15"),
        ("QS-FEB", "2024-02-01"),
        ("QE-DEC", "2024-03-31"),
        ("YS-JAN", "2000-01-01"),
        ("YE-DEC", "2000-12-31"),
        ("2MS", "2024-01-01"),
        ("W-SUN", "2024-01-07"),
    ],
)
def test_a_grid_is_recognised_and_goes_on_as_pandas_does(write, freq, start):
    stamps = pd.date_range(start, periods=30, freq=freq)
    panel = read_panel(write(rows(stamps)))
    assert panel.in_units(0).tolist() == [*range(30)]
    assert pd.Timestamp(panel.starts[0]) == stamps[0]
    found = pd.date_range(stamps[0], periods=40, freq=panel.freq)
    assert found.tolist() == pd.date_range(start, periods=40, freq=freq).tolist()


def test_a_holiday_is_a_missing_business_day(write):
    stamps = pd.date_range("2024-01-01", periods=15, freq="B").delete(7)
    panel = read_panel(write(rows(stamps)))
    expected = [0, 1, 2, 3, 4, 5, 6, NAN, 7, 8, 9, 10, 11, 12, 13]
    assert panel.freq == "B"
    np.testing.assert_array_equal(panel.in_units(0), expected)


@pytest.mark.parametrize(("freq", "season"), [("B", 5), ("D", 7), ("h", 24), ("15min", 96), ("MS", 12), ("QS-OCT", 4)])
def test_the_season_of_a_frequency(freq, season):
    assert season_length(freq) == season


def test_the_fifteenth_of_each_month_is_monthly(write):
    stamps = [pd.Timestamp(2024 + month // 12, month % 12 + 1, 15) for month in range(24)]
    panel = read_panel(write(rows(stamps)))
    assert (panel.freq, panel.starts[0], panel.in_units(0).tolist()) == ("MS", "2024-01-15T00:00:00", [*range(24)])


@pytest.mark.parametrize(
    ("how", "expected"), [("mean", [1.5, 10.0, NAN, 7.0]), ("sum", [3, 30, 0, 7]), ("last", [2, 30, NAN, 7])]
)
def test_events_become_one_row_a_step(write, how, expected):
    """Hour 0 holds 1 and 2, hour 1 holds -10, 10 and 30, hour 2 nothing, hour 3 holds 7."""
    events = ["00:10,1", "00:50,2", "01:01,-10", "01:02,10", "01:59,30", "03:30,7"]
    path = write("time,y\n" + "".join(f"2024-01-01 {event}\n" for event in events))
    panel = read_panel(path, freq="h", resample=how)
    assert panel.freq == "h"
    np.testing.assert_array_equal(panel.in_units(0), expected)


def test_readings_at_uneven_times_are_asked_to_be_resampled_and_the_remedy_works(write):
    minutes = np.random.default_rng(0).integers(0, 60, 200)
    stamps = [pd.Timestamp("2024-01-01") + pd.Timedelta(hours=i, minutes=m) for i, m in enumerate(minutes.tolist())]
    path = write(rows(stamps))
    assert "--freq h --resample mean" in rejection(path)
    assert read_panel(path, freq="h", resample="mean").in_units(0).tolist() == [*range(200)]


@pytest.mark.parametrize(("freq", "expected"), [("MS", [30, 59, 90]), ("ME", [30, 59, 90]), ("W-SUN", None)])
def test_days_become_months_by_their_last(write, freq, expected):
    panel = read_panel(write(rows(pd.date_range("2024-01-01", "2024-03-31", freq="D"))), freq=freq, resample="last")
    if expected is None:
        expected = [6 + 7 * week for week in range(13)]  # Sundays: 7 January is row 6
    assert panel.in_units(0).tolist() == expected


def test_series_of_two_frequencies_are_named_with_both(write):
    hourly = [f"fast,{stamp:%Y-%m-%d %H:%M},1" for stamp in pd.date_range("2024-01-01", periods=200, freq="h")]
    daily = [f"slow,{stamp:%Y-%m-%d %H:%M},2" for stamp in pd.date_range("2024-01-01", periods=200, freq="D")]
    path = write("unique_id,ds,y\n" + "\n".join([*hourly, *daily]) + "\n")
    message = rejection(path)
    assert "'fast'" in message
    assert "'slow'" in message
    panel = read_panel(path, freq="D", resample="sum")
    assert (panel.lengths.tolist(), panel.in_units(0)[:2].tolist()) == ([9, 200], [24, 24])
