"""Times as files have them: one format for a column, decided by the grid it gives, or asked about."""

import pandas as pd
import pytest

from data.errors import DataError
from data.readers.panel_reader import read_panel
from tests.data.readers.series_files import rejection


def lines(times):
    """A wide file whose values are the row numbers 0, 1, 2, …; cells with a comma in them are quoted."""
    return "time,y\n" + "".join(f'"{time}",{i}\n' for i, time in enumerate(times))


def written(format, *, start="2024-01-01", freq="h", rows=800):
    return pd.date_range(start, periods=rows, freq=freq).strftime(format)


@pytest.mark.parametrize(
    "format",
    [
        "%Y-%m-%d %H:%M",
        "%Y-%m-%dT%H:%M:%S",
        "%Y/%m/%d %H:%M",
        "%d/%m/%Y %H:%M",
        "%m/%d/%Y %H:%M",
        "%d.%m.%Y %H:%M",
        "%d-%m-%y %H:%M",
        "%m/%d/%Y %I:%M %p",
        "%m/%d/%Y %I:%M:%S %p",
        "%d-%b-%Y %H:%M",
        "%d %B %Y %H:%M",
        "%b %d, %Y %H:%M",
        "%Y%m%d%H",
        "%Y%m%d%H%M",
        "%Y%m%d%H%M%S",
        "%Y年%m月%d日 %H时",
        "%Y-%m-%d %H:%M:%S.%f",
    ],
)
def test_hours_are_read_however_they_are_written(write, format):
    text = lines(written(format))
    for header in ("time", "time" if format.startswith("%Y%m%d%H") else "col0"):
        panel = read_panel(write(text.replace("time", header, 1)))
        assert (panel.freq, panel.starts, panel.in_units(0).tolist()) == ("h", ("2024-01-01T00:00:00",), [*range(800)])


@pytest.mark.parametrize(
    ("cells", "freq", "start"),
    [
        ([str(year) for year in range(1900, 2020)], "YS-JAN", "1900-01-01"),
        (written("%Y%m", freq="MS", rows=30), "MS", "2024-01-01"),
        (written("%Y-%m", freq="MS", rows=30), "MS", "2024-01-01"),
        (written("%b %Y", freq="MS", rows=30), "MS", "2024-01-01"),
        (written("%Y%m%d", freq="D", rows=90), "D", "2024-01-01"),
        ([f"{year}Q{quarter}" for year in range(2000, 2010) for quarter in (1, 2, 3, 4)], "QS-OCT", "2000-01-01"),
        ([f"Q{quarter} {year}" for year in range(2000, 2010) for quarter in (1, 2, 3, 4)], "QS-OCT", "2000-01-01"),
        ([f"2024-W{week:02}" for week in range(1, 53)], "7D", "2024-01-01"),
        (written("%d/%m/%Y", freq="MS", rows=24), "MS", "2024-01-01"),
    ],
)
def test_longer_steps_are_read_however_they_are_written(write, cells, freq, start):
    panel = read_panel(write(lines(cells)))
    first = pd.Timestamp(panel.starts[0])
    assert (first, panel.in_units(0).tolist()) == (pd.Timestamp(start), [*range(len(cells))])
    grid = pd.date_range(first, periods=4, freq=panel.freq)
    assert grid.tolist() == pd.date_range(first, periods=4, freq=freq).tolist()


@pytest.mark.parametrize(("day", "format"), [(2, "%d/%m/%Y"), (1, "%m/%d/%Y")])
def test_two_readings_that_fit_equally_are_asked_about_and_the_remedy_works(write, day, format):
    path = write(lines([f"{i:02}/{i + day:02}/2024" for i in range(1, 11)]))
    assert "fits both" in rejection(path)
    assert f"--date-format '{format}'" in rejection(path) or format == "%m/%d/%Y"
    read_panel(path, date_format=format, freq="D", resample="last")


def test_a_day_above_twelve_anywhere_settles_a_column(write):
    days = [*written("%d/%m/%Y", freq="D", rows=12), "13/01/2024"]
    assert read_panel(write(lines(days))).starts == ("2024-01-01T00:00:00",)


def test_midnight_may_be_the_day_before_at_24_hours(write):
    times = ["2024-01-01 22:00", "2024-01-01 23:00", "2024-01-01 24:00", "2024-01-02 01:00"]
    panel = read_panel(write(lines(times)))
    assert (panel.starts[0], panel.in_units(0).tolist()) == ("2024-01-01T22:00:00", [0, 1, 2, 3])


@pytest.mark.parametrize(("unit", "times"), [("seconds", 1), ("milliseconds", 10**3), ("nanoseconds", 10**9)])
def test_numbers_since_1970_have_the_unit_of_their_size(write, unit, times):
    panel = read_panel(write(lines([(1704067200 + 3600 * i) * times for i in range(50)])))
    assert (panel.freq, panel.starts[0]) == ("h", "2024-01-01T00:00:00")
    assert unit in panel.notes[0]


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        (["1500-01-01", "1500-01-02"], "between 1677 and 2262"),
        (["2024-01-01", "yesterday", "2024-01-03"], "line 3"),
        (["13/01/2024 00:00", "13/01/2024 01:00", "14/14/2024 02:00"], "line 4"),
        (["2024-01-01", "", "2024-01-03"], "line 3"),
        (["9999-12-31", "9999-12-30"], "between 1677 and 2262"),
    ],
)
def test_a_time_that_cannot_be_read_is_named_by_its_line(write, cells, says):
    assert says in rejection(write(lines(cells)))


def test_a_daily_series_in_local_time_with_offsets_stays_daily(write):
    stamps = pd.date_range("2024-03-01", periods=60, freq="D", tz="Europe/Berlin")  # clocks go forward on 31 March
    panel = read_panel(write(lines([stamp.isoformat() for stamp in stamps])))
    assert (panel.freq, panel.starts[0], panel.in_units(0).tolist()) == ("D", "2024-03-01T00:00:00", [*range(60)])


def test_local_hours_with_offsets_are_counted_in_utc(write):
    stamps = pd.date_range("2024-10-26", periods=72, freq="h", tz="Europe/Berlin")
    panel = read_panel(write(lines([stamp.isoformat() for stamp in stamps])))
    assert (panel.freq, panel.starts[0], panel.in_units(0).tolist()) == ("h", "2024-10-25T22:00:00", [*range(72)])


def test_naive_local_hours_need_their_zone_when_an_hour_is_there_twice(write):
    stamps = pd.date_range("2024-10-26", periods=72, freq="h", tz="Europe/Berlin").tz_localize(None)
    path = write(lines(stamps.strftime("%Y-%m-%d %H:%M")))
    assert "--timezone" in rejection(path)
    panel = read_panel(path, timezone="Europe/Berlin")
    assert (panel.freq, panel.starts[0], panel.in_units(0).tolist()) == ("h", "2024-10-25T22:00:00", [*range(72)])


def test_an_hour_that_a_zone_skips_is_named(write):
    path = write(lines(written("%Y-%m-%d %H:%M", start="2024-03-31", rows=6)))
    assert "Europe/Berlin has no 2024-03-31 02:00:00" in rejection(path, timezone="Europe/Berlin")


@pytest.mark.parametrize(
    ("zone", "start"), [("Europe/Berlin", "2050-06-30T22:00:00"), ("Factory", "2050-07-01T00:00:00")]
)
def test_summer_time_goes_on_after_2037(write, zone, start):
    """Berlin is two hours before UTC in July by the rule of the European Union, which has no end."""
    panel = read_panel(write(lines(written("%Y-%m-%d %H:%M", start="2050-07-01", rows=48))), timezone=zone)
    assert (panel.starts, panel.freq) == ((start,), "h")


def test_the_last_day_at_24_hours_is_named(write):
    path = write(lines(["2262-04-10 23:00", "2262-04-11 24:00"]))
    assert "times must lie between 1677 and 2262" in rejection(path)


@pytest.mark.parametrize("format", ["%Y%Y", "%Q", "%", "%Y-%m-%d %H:%M:%H"])
def test_a_date_format_that_is_none_is_named(write, format):
    path = write(lines(written("%Y-%m-%d %H:%M")))
    with pytest.raises(DataError, match="--date-format is written as for strptime"):
        read_panel(path, date_format=format)
