"""A wide CSV: a time column and one column a series."""

from __future__ import annotations

import gzip

import numpy as np
import pandas as pd
import pytest

from data.readers.panel_reader import read_panel
from tests.data.readers.series_files import NAN, WIDE, rejection, series_of
from tests.paths import SHARED


def test_a_wide_csv_has_a_time_column_and_one_column_a_series(write):
    panel = read_panel(write(WIDE, "etth1.csv"))
    assert series_of(panel) == {"a": [1, 2, 3], "b": [10, 20, 30]}
    assert panel.name == "etth1"
    assert panel.starts == ("2020-01-01T00:00:00",) * 2
    assert panel.freq == "h"
    assert panel.notes == ()


@pytest.mark.skipif(not (SHARED / "data" / "ETTh1.csv").exists(), reason="needs the shared ETTh1.csv")
def test_etth1_is_read_whole():
    panel = read_panel(SHARED / "data" / "ETTh1.csv")
    assert panel.ids == ("HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT")
    assert panel.lengths.tolist() == [17420] * 7
    assert (panel.starts[0], panel.freq, panel.notes) == ("2016-07-01T00:00:00", "h", ())
    assert panel.series(0)[0] == np.float32(5.827000141143799)


def test_blank_lines_are_no_rows_where_there_is_a_time(write):
    panel = read_panel(write(WIDE.replace("\n", "\n\n") + "\n"))
    assert series_of(panel) == {"a": [1, 2, 3], "b": [10, 20, 30]}
    assert panel.notes == ()


def test_missing_cells_are_missing_values(write):
    panel = read_panel(write("date,a\n2020-01-01,1\n2020-01-02,\n2020-01-03,NaN\n2020-01-04,4\n"))
    np.testing.assert_array_equal(panel.series(0), [1, NAN, NAN, 4])


def test_infinite_values_are_read_as_missing_with_a_note(write):
    panel = read_panel(write("date,a\n2020-01-01,1\n2020-01-02,inf\n2020-01-03,-inf\n"))
    np.testing.assert_array_equal(panel.series(0), [1, NAN, NAN])
    assert panel.notes == ("2 infinite values read as missing, the first in line 3",)


def test_columns_that_are_no_numbers_are_dropped_with_a_note(write):
    panel = read_panel(write("date,a,place\n2020-01-01,1,Bonn\n2020-01-02,2,Köln\n"))
    assert series_of(panel) == {"a": [1, 2]}
    assert panel.notes == ("column 'place' dropped: 'Bonn' in line 2 is not a number",)


def test_a_column_asked_for_must_hold_numbers(write):
    message = rejection(write("date,a\n2020-01-01,1\n2020-01-02,2..5\n"), columns=["a"])
    assert "line 3: column 'a' must hold numbers, got '2..5'" in message


def test_columns_asked_for_come_in_the_order_asked_for(write):
    assert read_panel(write(WIDE), columns=["b", "a", "b"]).ids == ("b", "a")


def test_an_unknown_column_is_refused_with_the_nearest_name(write):
    path = write(WIDE.replace("a,b", "HUFL,HULL"))
    assert "did you mean 'HUFL'" in rejection(path, columns=["HUFFL"])
    assert "choose among 'HUFL', 'HULL'" in rejection(path, columns=["zzz"])
    assert "did you mean 'date'" in rejection(path, time_column="dat")


def test_the_time_column_may_have_any_name_and_place(write):
    text = "a,when,b\n1,2020-01-01,3\n2,2020-01-02,4\n"
    assert read_panel(write(text)).ids == ("a", "b")
    assert read_panel(write(text), time_column="when").freq == "D"


def test_without_a_time_column_rows_are_taken_as_they_come(write):
    panel = read_panel(write("a,b\n1,\n,\n3,4\n"))
    np.testing.assert_array_equal(panel.series(0), [1, NAN, 3])
    np.testing.assert_array_equal(panel.series(1), [NAN, NAN, 4])
    assert (panel.starts, panel.freq) == ((None, None), None)
    assert panel.notes == ("no time column: starts and frequency unknown",)


def test_a_single_column_keeps_its_blank_lines_as_missing_values(write):
    np.testing.assert_array_equal(read_panel(write("a\n1\n\n3\n\n")).series(0), [1, NAN, 3])


def test_the_row_numbers_that_pandas_writes_are_dropped(write):
    text = pd.DataFrame({"date": ["2020-01-01", "2020-01-02"], "a": [1, 2]}).to_csv()
    panel = read_panel(write(text))
    assert panel.ids == ("a",)
    assert panel.notes == ("the first column, a row number without a name, dropped",)


@pytest.mark.parametrize("separator", [";", "\t"])
def test_semicolons_and_tabs_separate_too(write, separator):
    assert series_of(read_panel(write(WIDE.replace(",", separator)))) == {"a": [1, 2, 3], "b": [10, 20, 30]}


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(tmp_path, ending):
    path = tmp_path / "file.csv"
    path.write_bytes(WIDE.replace("\n", ending).encode("utf-8-sig"))
    assert series_of(read_panel(path)) == {"a": [1, 2, 3], "b": [10, 20, 30]}


def test_a_zipped_csv_is_read(tmp_path):
    path = tmp_path / "etth1.csv.gz"
    path.write_bytes(gzip.compress(WIDE.encode()))
    assert read_panel(path).name == "etth1"


def test_three_hundred_columns_are_read(write):
    times = pd.date_range("2020-01-01", periods=50, freq="15min")
    values = np.arange(50 * 300, dtype=np.float32).reshape(50, 300)
    frame = pd.DataFrame(values, columns=[f"c{i}" for i in range(300)])
    frame.insert(0, "date", times)
    panel = read_panel(write(frame.to_csv(index=False)))
    assert len(panel) == 300
    np.testing.assert_array_equal(panel.values.reshape(300, 50), values.T)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must not be empty"),
        ("\n\n", "line of column names"),
        ("date,a\n", "needs rows"),
        ("date,a\n\n\n", "needs rows"),
        ("date,a\n2020-01-01,x\n2020-01-02,y\n", "at least one column of numbers, got 'a'"),
        ("date,a,b\n2020-01-01,1,\n2020-01-02,2,\n", "'b' has none"),
        ("date,a\n2020-01-01,1\n2020-01-02,2,3\n", "Expected 2 fields in line 3, saw 3"),
        ("date,a\n2020-01-01,1,7\n2020-01-02,2,8\n", "as many cells as the header"),
        ("2020-01-01,1\n2020-01-02,2\n", "line 1 must name the columns, got '2020-01-01'"),
        ("1.5,2.5\n1.6,2.6\n", "line 1 must name the columns, got '1.5'"),
    ],
)
def test_a_csv_that_holds_no_series_is_rejected(write, text, message):
    assert message in rejection(write(text))


@pytest.mark.parametrize(
    ("name", "encoding"), [("Wärme °C", "latin-1"), ("流量", "gbk"), ("Wärme", "utf-16"), ("流量", "utf-16-le")]
)
def test_text_that_is_not_utf8_is_recognised(tmp_path, name, encoding):
    path = tmp_path / "file.csv"
    path.write_bytes(f"date,{name}\n2020-01-01,1\n2020-01-02,2\n".encode(encoding))
    panel = read_panel(path)
    assert panel.ids == (name,)
    assert encoding == "utf-16" or "--encoding names another" in panel.notes[0]
    assert read_panel(path, encoding=encoding).ids == (name,)
