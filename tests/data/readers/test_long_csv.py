"""A long CSV: an id, a time and a value a row."""

from __future__ import annotations

import numpy as np
import pytest

from data.readers.panel_reader import read_panel
from tests.data.readers.series_files import LONG, NAN, WIDE, rejection, series_of


def test_a_long_csv_has_an_id_a_time_and_a_value(write):
    panel = read_panel(write(LONG))
    assert panel.ids == ("x", "y")
    np.testing.assert_array_equal(panel.series(0), [1, 2, NAN, 4])
    np.testing.assert_array_equal(panel.series(1), [7, 8])
    assert panel.starts == ("2020-01-01T00:00:00", "2020-01-05T00:00:00")
    assert panel.freq == "D"
    assert len(panel.notes) == 2  # sorted; one row filled


@pytest.mark.parametrize("names", ["id,time,value", "item_id,timestamp,target", "Series,Date,Value"])
def test_the_usual_names_are_recognised(write, names):
    assert read_panel(write(LONG.replace("unique_id,ds,y", names))).ids == ("x", "y")


def test_long_columns_that_are_not_read_are_reported(write):
    panel = read_panel(write("id,time,value,place\nx,2020-01-01,1,Bonn\nx,2020-01-02,2,Bonn\n"))
    assert panel.notes == ("columns not read: 'place'",)


def test_columns_choose_the_ids_of_a_long_file(write):
    assert series_of(read_panel(write(LONG), columns=["y"])) == {"y": [7, 8]}
    assert "did you mean" not in rejection(write(LONG), columns=["zzz"])


def test_a_long_file_with_another_time_column_is_still_long(write):
    text = LONG.replace("ds", "when")
    assert read_panel(write(text), time_column="when").ids == ("x", "y")


def test_one_id_may_not_have_two_rows_at_one_time_but_two_ids_may(write):
    text = "id,time,value\nx,2020-01-01,1\ny,2020-01-01,1\nx,2020-01-02,1\ny,2020-01-02,1\n"
    assert len(read_panel(write(text))) == 2
    assert "line 6" in rejection(write(text + "x,2020-01-02,9\n"))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (",2020-01-07,9", "line 7: every row needs an id"),
        ("y,2020-01-07,abc", "line 7: column 'y' must hold numbers, got 'abc'"),
        ("y,soon,9", "line 7: a timestamp must be like"),
        ("z,2020-01-07,", "'z' has none"),
    ],
)
def test_a_wrong_long_row_is_rejected(write, line, message):
    assert message in rejection(write(LONG + line + "\n"))


def test_a_file_read_as_long_must_have_the_columns(write):
    assert "needs a column with the id, named id or" in rejection(write(WIDE), format="long-csv")


def test_a_long_file_may_be_read_as_wide(write):
    assert read_panel(write("id,time,y\n5,2020-01-01,1\n6,2020-01-02,2\n"), format="wide-csv").ids == ("id", "y")
