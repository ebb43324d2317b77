"""Reading files: what becomes a series, what is told in a note, what is refused and how."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pandas as pd
import pytest

from data.errors import DataError
from data.readers.panel_reader import FORMATS, read_panel
from tests.paths import SHARED

NAN = np.nan
WIDE = "date,a,b\n2020-01-01 00:00,1,10\n2020-01-01 01:00,2,20\n2020-01-01 02:00,3,30\n"


@pytest.fixture
def write(tmp_path):
    """Write a text file and return its path."""

    def write_text(text, name="file.csv"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write_text


def series_of(panel):
    """All series as lists, by id."""
    return {name: panel.series(i).tolist() for i, name in enumerate(panel.ids)}


def refusal(path, **options):
    """The message with which reading is refused; it always names the file."""
    with pytest.raises(DataError) as error:
        read_panel(path, **options)
    if "format" not in options:
        assert str(path) in str(error.value)
    return str(error.value)


# wide CSV


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


@pytest.mark.parametrize(
    ("step", "freq"),
    [("15min", "15min"), ("30min", "30min"), ("60min", "h"), ("6h", "6h"), ("24h", "D"), ("7D", "7D"), ("10s", "10s"),
     ("MS", "MS"), ("ME", "ME"), ("3MS", "3MS"), ("YS", "12MS")],
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
    message = refusal(write(text))
    assert "line 5" in message
    assert "2020-01-01 02:00:00 is there twice (2 such rows" in message


def test_a_timestamp_off_the_grid_is_refused_naming_its_line(write):
    message = refusal(write(WIDE + "2020-01-01 03:20,4,40\n2020-01-01 04:00,5,50\n"))
    assert "line 5" in message
    assert "2020-01-01 03:20:00 is off that grid" in message


def test_a_mistyped_year_is_refused_before_it_fills_memory(write):
    message = refusal(write(WIDE + "2202-01-01 03:00,4,40\n"))
    assert "line 5" in message
    assert "mostly empty" in message


def test_a_timestamp_that_cannot_be_read_is_refused_with_line_and_value(write):
    message = refusal(write(WIDE + "\n2020-13-01 03:00,4,40\n"))
    assert "line 6" in message  # the blank line 5 counts
    assert "'2020-13-01 03:00'" in message


def test_a_wrong_iso_date_is_not_read_with_day_and_month_exchanged(write):
    assert "'2020-13-02'" in refusal(write("date,a\n2020-12-02,1\n2020-13-02,2\n"))


def test_dates_of_several_forms_are_refused_rather_than_guessed_one_by_one(write):
    assert "line 3" in refusal(write("date,a\n13/01/2020,1\n1 Feb 2020,2\n"))


def test_a_missing_timestamp_is_refused(write):
    assert "line 5" in refusal(write(WIDE + ",4,40\n"))


def test_blank_lines_are_no_rows_where_there_is_a_time(write):
    panel = read_panel(write(WIDE.replace("\n", "\n\n") + "\n"))
    assert series_of(panel) == {"a": [1, 2, 3], "b": [10, 20, 30]}
    assert panel.notes == ()


def test_missing_cells_are_missing_values(write):
    panel = read_panel(write("date,a\n2020-01-01,1\n2020-01-02,\n2020-01-03,NaN\n2020-01-04,4\n"))
    np.testing.assert_array_equal(panel.series(0), [1, NAN, NAN, 4])


def test_infinite_values_are_read_as_missing_with_a_note(write):
    panel = read_panel(write("date,a\n2020-01-01,1\n2020-01-02,inf\n2020-01-03,-1e60\n"))
    np.testing.assert_array_equal(panel.series(0), [1, NAN, NAN])
    assert panel.notes == ("2 infinite values read as missing, the first in line 3",)


def test_columns_that_are_no_numbers_are_dropped_with_a_note(write):
    panel = read_panel(write("date,a,place\n2020-01-01,1,Bonn\n2020-01-02,2,Köln\n"))
    assert series_of(panel) == {"a": [1, 2]}
    assert panel.notes == ("column 'place' dropped: 'Bonn' in line 2 is not a number",)


def test_a_column_asked_for_must_hold_numbers(write):
    message = refusal(write("date,a\n2020-01-01,1\n2020-01-02,2..5\n"), columns=["a"])
    assert "line 3: column 'a' must hold numbers, got '2..5'" in message


def test_columns_asked_for_come_in_the_order_asked_for(write):
    assert read_panel(write(WIDE), columns=["b", "a", "b"]).ids == ("b", "a")


def test_an_unknown_column_is_refused_with_the_nearest_name(write):
    path = write(WIDE.replace("a,b", "HUFL,HULL"))
    assert "did you mean 'HUFL'" in refusal(path, columns=["HUFFL"])
    assert "choose among 'HUFL', 'HULL'" in refusal(path, columns=["zzz"])
    assert "did you mean 'date'" in refusal(path, time_column="dat")


def test_the_time_column_may_have_any_name_and_place(write):
    text = "a,when,b\n1,2020-01-01,3\n2,2020-01-02,4\n"
    assert read_panel(write(text)).ids == ("a", "b")
    assert read_panel(write(text), time_column="when").freq == "D"


@pytest.mark.parametrize(
    ("digits", "unit"), [("", "seconds"), ("000", "milliseconds"), ("000000", "microseconds"), ("0" * 9, "nanoseconds")]
)
def test_a_time_column_of_numbers_is_time_since_1970(write, digits, unit):
    panel = read_panel(write(f"time,a\n1467331200{digits},1\n1467334800{digits},2\n"))  # date -u -d @1467331200
    assert (panel.starts, panel.freq) == (("2016-07-01T00:00:00",), "h")
    assert panel.notes == (f"column 'time' read as {unit} since 1970",)


@pytest.mark.parametrize("numbers", [(1, 2), (20160701, 20160702), (1467331200, 1467334800000), ("", 1.5)])
def test_a_time_column_of_other_numbers_is_refused(write, numbers):
    assert "must be text such as" in refusal(write("time,a\n{},1\n{},2\n".format(*numbers)))


def test_a_time_since_1970_must_not_be_missing(write):
    assert "line 3: a timestamp must be like" in refusal(write("unix,a\n1467331200,1\n,2\n1467338400,2\n"))


def test_the_time_once_more_as_a_number_is_no_series(write):
    for header in ("unix,date,a", "date,unix,a"):
        first = ("1467331200,2016-07-01,5", "2016-07-01,1467331200,5")[header[0] == "d"]
        second = ("1467417600,2016-07-02,6", "2016-07-02,1467417600,6")[header[0] == "d"]
        assert read_panel(write(f"{header}\n{first}\n{second}\n")).ids == ("a",)
    both = write("date,unix,a\n2016-07-01,1467331200,5\n2016-07-02,1467417600,6\n")
    assert read_panel(both).notes == ("columns not read, the time once more: 'unix'",)
    assert read_panel(both, columns=["unix"]).ids == ("unix",)


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


def test_time_zones_are_converted_to_utc_with_a_note(write):
    text = "date,a\n2020-03-29T01:00+01:00,1\n2020-03-29T03:00+02:00,2\n2020-03-29T04:00+02:00,3\n"
    panel = read_panel(write(text))  # the hour that summer time skips is no gap
    assert panel.starts == ("2020-03-29T00:00:00",)
    assert series_of(panel) == {"a": [1, 2, 3]}
    assert panel.notes == ("timestamps in column 'date' converted to UTC",)


@pytest.mark.parametrize(
    ("first", "second", "start"),
    [("01/02/2020", "01/03/2020", "2020-01-02"), ("30/01/2020", "31/01/2020", "2020-01-30"),
     ("12/01/2020", "13/01/2020", "2020-01-12")],
)  # fmt: skip
def test_dates_that_are_not_iso_are_told(write, first, second, start):
    panel = read_panel(write(f"date,a\n{first},1\n{second},2\n"))
    assert panel.freq == "D"
    assert panel.starts == (f"{start}T00:00:00",)
    assert panel.notes == (f"timestamps in column 'date' are not ISO: '{first}' read as {start}",)


def test_one_row_has_no_frequency(write):
    panel = read_panel(write("date,a\n2020-01-01,1\n"))
    assert (panel.freq, panel.lengths.tolist()) == (None, [1])
    assert panel.notes == ("one row a series: frequency unknown",)


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
def test_a_csv_that_holds_no_series_is_refused(write, text, message):
    assert message in refusal(write(text))


def test_text_that_is_not_utf8_is_refused(tmp_path):
    path = tmp_path / "file.csv"
    path.write_bytes("date,Wärme\n2020-01-01,1\n".encode("latin-1"))
    assert "must be UTF-8" in refusal(path)


# long CSV


LONG = "unique_id,ds,y\nx,2020-01-02,2\ny,2020-01-05,7\nx,2020-01-01,1\nx,2020-01-04,4\ny,2020-01-06,8\n"


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


def test_long_columns_that_are_not_read_are_told(write):
    panel = read_panel(write("id,time,value,place\nx,2020-01-01,1,Bonn\nx,2020-01-02,2,Bonn\n"))
    assert panel.notes == ("columns not read: 'place'",)


def test_columns_choose_the_ids_of_a_long_file(write):
    assert series_of(read_panel(write(LONG), columns=["y"])) == {"y": [7, 8]}
    assert "did you mean" not in refusal(write(LONG), columns=["zzz"])


def test_a_long_file_with_another_time_column_is_still_long(write):
    text = LONG.replace("ds", "when")
    assert read_panel(write(text), time_column="when").ids == ("x", "y")


def test_one_id_may_not_have_two_rows_at_one_time_but_two_ids_may(write):
    text = "id,time,value\nx,2020-01-01,1\ny,2020-01-01,1\nx,2020-01-02,1\ny,2020-01-02,1\n"
    assert len(read_panel(write(text))) == 2
    assert "line 6" in refusal(write(text + "x,2020-01-02,9\n"))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (",2020-01-07,9", "line 7: every row needs an id"),
        ("y,2020-01-07,abc", "line 7: column 'y' must hold numbers, got 'abc'"),
        ("y,soon,9", "line 7: a timestamp must be like"),
        ("z,2020-01-07,", "'z' has none"),
    ],
)
def test_a_wrong_long_row_is_refused(write, line, message):
    assert message in refusal(write(LONG + line + "\n"))


def test_a_file_read_as_long_must_have_the_columns(write):
    assert "needs a column with the id, named id or" in refusal(write(WIDE), format="long-csv")


def test_a_long_file_may_be_read_as_wide(write):
    assert read_panel(write("id,time,y\n5,2020-01-01,1\n6,2020-01-02,2\n"), format="wide-csv").ids == ("id", "y")


# parquet


def test_a_wide_parquet_file_reads_like_its_csv(write, tmp_path):
    csv = write(WIDE)
    frame = pd.read_csv(csv, parse_dates=["date"])
    frame.to_parquet(tmp_path / "file.parquet")
    assert read_panel(tmp_path / "file.parquet").content_hash == read_panel(csv).content_hash


def test_a_parquet_file_indexed_by_time_reads_alike(write, tmp_path):
    frame = pd.read_csv(write(WIDE), parse_dates=["date"], index_col="date")
    frame.to_parquet(tmp_path / "file.parquet")
    assert series_of(read_panel(tmp_path / "file.parquet")) == {"a": [1, 2, 3], "b": [10, 20, 30]}


def test_a_long_parquet_file_reads_like_its_csv(write, tmp_path):
    csv = write(LONG)
    pd.read_csv(csv).to_parquet(tmp_path / "file.parquet")
    assert read_panel(tmp_path / "file.parquet").content_hash == read_panel(csv).content_hash


def test_parquet_integers_with_missing_values_and_zones_are_read(tmp_path):
    frame = pd.DataFrame(
        {"date": pd.date_range("2020-01-01", periods=3, tz="Europe/Berlin"), "a": pd.array([1, None, 3], "Int64")}
    )
    frame.to_parquet(tmp_path / "file.parquet")
    panel = read_panel(tmp_path / "file.parquet")
    np.testing.assert_array_equal(panel.series(0), [1, NAN, 3])
    assert panel.starts == ("2019-12-31T23:00:00",)


def test_a_file_that_is_no_parquet_is_refused(write):
    assert "not a readable parquet file" in refusal(write("date,a\n", "file.parquet"))


def test_a_parquet_row_is_named_by_its_number(tmp_path):
    frame = pd.DataFrame({"date": ["2020-01-01", "oops"], "a": [1, 2]})
    frame.to_parquet(tmp_path / "file.parquet")
    assert "row 1: a timestamp" in refusal(tmp_path / "file.parquet")


# JSON Lines


def test_json_lines_have_one_series_a_line(write):
    text = (
        '{"id": "x", "sequence": [1, null, 3.5], "start": "2020-01-01", "freq": "H"}\n\n'
        '{"id": "y", "target": [4], "start": "2020-02-01T06:00", "freq": "h"}\n'
    )
    panel = read_panel(write(text, "corpus.jsonl"))
    assert panel.ids == ("x", "y")
    np.testing.assert_array_equal(panel.series(0), [1, NAN, 3.5])
    assert panel.starts == ("2020-01-01T00:00:00", "2020-02-01T06:00:00")
    assert (panel.freq, panel.name, panel.notes) == ("h", "corpus", ())


def test_a_bare_sequence_is_called_by_its_line(write):
    panel = read_panel(write('{"sequence": [1, 2]}\n{"sequence": [3]}\n', "x.jsonl"))
    assert series_of(panel) == {"1": [1, 2], "2": [3]}
    assert (panel.starts, panel.freq) == ((None, None), None)


def test_columns_choose_the_ids_of_json_lines(write):
    path = write('{"id": "xx", "sequence": [1]}\n{"id": "yy", "sequence": [3]}\n', "x.jsonl")
    assert series_of(read_panel(path, columns=["yy"])) == {"yy": [3]}
    assert "did you mean 'yy'" in refusal(path, columns=["yyy"])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"id": "b", "sequence": [1,', "line 2: a line must be one JSON object"),
        ("[1, 2]", "line 2: a line must be a JSON object like"),
        ('{"id": "b", "values": [1]}', "line 2: a series needs 'sequence' or 'target', got ['id', 'values']"),
        ('{"id": "b", "sequence": [1, "x"]}', "line 2: 'sequence' must be a list of numbers"),
        ('{"id": "b", "sequence": {"0": 1}}', "line 2: 'sequence' must be a list of numbers"),
        ('{"id": "b", "sequence": [[1], [2]]}', "line 2: 'sequence' must be a flat list"),
        ('{"id": "b", "sequence": [[1], [2, 3]]}', "line 2: 'sequence' must be a list of numbers"),
        ('{"id": "b", "sequence": [null]}', "line 2: 'sequence' must be a flat list with at least one number"),
        ('{"id": "b", "sequence": []}', "line 2: 'sequence' must be a flat list with at least one number"),
        ('{"id": "a", "sequence": [1], "freq": "h"}', "line 2: each series needs its own id, and 'a'"),
        ('{"id": "b", "sequence": [1], "freq": "x"}', "line 2: 'freq' must be a pandas offset like h"),
        ('{"id": "b", "sequence": [1], "freq": "D"}', "line 2: all series must have one freq, got D here and h"),
        ('{"id": "b", "sequence": [1], "freq": "h", "start": "soon"}', "line 2: 'start' must be a timestamp"),
    ],
)
def test_a_malformed_json_line_is_refused_by_its_number(write, line, message):
    path = write(json.dumps({"id": "a", "sequence": [1], "freq": "h"}) + "\n" + line + "\n", "x.jsonl")
    assert message in refusal(path)


def test_infinite_values_in_json_lines_are_told(write):
    panel = read_panel(write('{"sequence": [1, Infinity, 1e99]}\n', "x.jsonl"))
    np.testing.assert_array_equal(panel.series(0), [1, NAN, NAN])
    assert panel.notes == ("2 infinite values in line 1 read as missing",)


# folders, and files that cannot be read at all


def test_a_folder_gives_every_column_of_every_table_in_it(write, tmp_path):
    write(WIDE, "two.csv")
    write(WIDE.replace(",a,b", ",a,c"), "one.csv")
    pd.read_csv(tmp_path / "two.csv").to_parquet(tmp_path / "three.parquet")
    write("not a table", "README.md")
    write(WIDE, ".hidden.csv")
    panel = read_panel(tmp_path)
    assert panel.ids == ("one/a", "one/c", "three/a", "three/b", "two/a", "two/b")
    assert panel.name == tmp_path.name
    assert read_panel(tmp_path, columns=["two/b"]).ids == ("two/b",)
    assert "did you mean" in refusal(tmp_path, columns=["two/bb"])


def test_a_folder_tells_the_notes_of_each_file(write, tmp_path):
    write(WIDE + "2020-01-01 04:00,5,50\n", "gap.csv")
    assert read_panel(tmp_path).notes[0].startswith("gap.csv: 1 missing rows")


def test_a_folder_of_two_frequencies_is_refused(write, tmp_path):
    write(WIDE, "hourly.csv")
    write("date,a\n2020-01-01,1\n2020-01-02,2\n", "daily.csv")
    with pytest.raises(DataError, match=r"hourly\.csv: all files of a folder .* got h here and D in daily\.csv"):
        read_panel(tmp_path)


def test_a_folder_with_one_series_in_two_files_is_refused(write, tmp_path):
    pd.read_csv(write(WIDE, "a.csv")).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(DataError, match="'a/a' is in two files"):
        read_panel(tmp_path)


def test_an_empty_folder_is_refused(tmp_path):
    assert "must hold .csv or .parquet files" in refusal(tmp_path)


def test_a_missing_file_is_refused_with_the_nearest_name(write, tmp_path):
    write(WIDE, "ETTh1.csv")
    assert "did you mean 'ETTh1.csv'" in refusal(tmp_path / "ETTh2.csv")
    assert "check the path" in refusal(tmp_path / "nowhere" / "x.csv")


def test_an_unknown_format_is_refused_with_the_nearest_name(write):
    assert "did you mean 'parquet'" in refusal(write(WIDE), format="parket")


def test_a_suffix_that_tells_no_format_is_refused(write):
    path = write(WIDE, "file.dat")
    assert all(name in refusal(path) for name in FORMATS)
    assert len(read_panel(path, format="wide-csv")) == 2
