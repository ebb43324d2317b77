"""A folder as a corpus: which files are taken, what is filled, what is skipped, and the notes on it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from data.errors import DataError
from data.read_options import ReadOptions
from data.readers.folder_reader import read_folder
from data.readers.panel_reader import read_panel
from tests.data.readers.series_files import NAN, series_of


def table(values, name="a", time="date", freq="D"):
    """A CSV text of one series; an empty string is an empty cell."""
    times = pd.date_range("2020-01-01", periods=len(values), freq=freq)
    rows = [f"{moment},{value}\n" for moment, value in zip(times, values, strict=True)]
    return f"{time},{name}\n" + "".join(rows)


@pytest.fixture
def write(tmp_path):
    """Write files into the folder, whose path is returned."""

    def write_texts(**texts):
        for stem, text in texts.items():
            (tmp_path / f"{stem}.csv").write_text(text, encoding="utf-8")
        return tmp_path

    return write_texts


def corpus(folder, **options):
    """The folder read as a corpus."""
    columns = options.pop("columns", None)
    return read_folder(folder, clean=True, options=ReadOptions(columns=columns), **options)


def test_a_corpus_is_filled_and_the_count_told_by_file(write):
    panel = corpus(write(x=table([1, "", 3, "inf"]), y=table([4, 5]), z=table(["", 7])))
    assert series_of(panel) == {"x/a": [1, 2, 3, 3], "y/a": [4, 5], "z/a": [7, 7]}
    assert panel.freq == "D"
    assert panel.notes[0] == "3 missing or infinite values interpolated in 2 of 3 files: x.csv 2, z.csv 1"


def test_rows_missing_from_the_time_grid_are_interpolated_too(write):
    panel = corpus(write(x="date,a\n2020-01-01,1\n2020-01-02,2\n2020-01-03,3\n2020-01-05,5\n"))
    assert series_of(panel) == {"x/a": [1, 2, 3, 4, 5]}
    assert panel.notes[0].startswith("1 missing or infinite values interpolated")


def test_a_plain_folder_is_neither_filled_nor_forgiving(write):
    panel = read_panel(write(x=table([1, "", 3])))
    np.testing.assert_array_equal(panel.series(0), [1, NAN, 3])
    with pytest.raises(DataError, match=r"y\.csv: a file of series must not be empty"):
        read_panel(write(y=""))


TIME_NAMES = (
    *("date", "Date", "DATETIME", "DateTime", "date_time", "Date Time", "timestamp", "utc_timestamp"),
    *("time", "ds", "时间", "日期", ""),  # the last is an index without a name
)


@pytest.mark.parametrize("name", TIME_NAMES)
def test_the_time_column_is_found_under_its_usual_names(write, name):
    panel = corpus(write(x=table([1, 2, 3], time=name, freq="h")))
    assert (panel.ids, panel.starts, panel.freq, panel.notes) == (("x/a",), ("2020-01-01T00:00:00",), "h", ())


def test_long_tables_may_name_their_time_in_chinese(write):
    panel = corpus(write(x="id,时间,value\nm,2020-01-01,1\nm,2020-01-02,2\nn,2020-01-01,3\nn,2020-01-02,4\n"))
    assert series_of(panel) == {"x/m": [1, 2], "x/n": [3, 4]}


def test_files_that_are_no_series_are_skipped_and_named_with_the_reason(write):
    folder = write(
        good=table([1, 2, 3]),
        empty="",
        text="name,city\nx,y\n",
        twice="date,a\n2020-01-01,1\n2020-01-01,2\n",
    )
    (folder / "broken.parquet").write_bytes(b"no")
    panel = corpus(folder)
    assert panel.ids == ("good/a",)
    (note,) = panel.notes
    assert note.startswith("4 of 5 files skipped: broken.parquet (not a readable parquet file")
    assert "empty.csv (a file of series must not be empty)" in note
    assert "text.csv (without a time column all columns must hold numbers, but 'name' begins with 'x')" in note
    assert "twice.csv (line 3: a series must have one row a timestamp" in note


def test_every_skipped_file_is_named_the_first_five_with_the_reason(write):
    panel = corpus(write(good=table([1, 2]), **{f"bad{i}": "" for i in range(7)}))
    reasons = ", ".join(f"bad{i}.csv (a file of series must not be empty)" for i in range(5))
    assert panel.notes[0] == f"7 of 8 files skipped: {reasons}; and bad5.csv, bad6.csv"


def test_files_and_series_without_enough_good_values_are_left_out(write):
    # min_rows 3: short has 2 rows, holed 2 finite values of 4; of both, one column has 4 and the other 1
    both = "date,a,b,c\n" + "".join(f"2020-01-0{day},{day},{'' if day > 1 else 9},\n" for day in range(1, 5))
    panel = corpus(write(both=both, short=table([1, 2]), holed=table([1, "", "inf", 4])), min_rows=3)
    assert series_of(panel) == {"both/a": [1, 2, 3, 4]}
    assert panel.notes == (
        "2 of 3 files skipped: holed.csv (a series needs 3 good values, and the most that one has is 2), "
        "short.csv (a series needs 3 good values, and the most that one has is 2)",
        "2 series with fewer than 3 good values left out: both/b, both/c",
    )


def test_columns_of_text_are_left_out_and_told_once_for_many_files(write):
    city = "date,a,city\n2020-01-01,1,Bonn\n2020-01-02,2,Bonn\n"
    panel = corpus(write(**{f"x{i}": city for i in range(7)}))
    assert len(panel) == 7
    assert panel.notes == (
        "x0.csv, x1.csv, x2.csv, x3.csv, x4.csv and 2 more: column 'city' dropped: 'Bonn' in line 2 is not a number",
    )


def test_files_of_numbers_alone_and_of_other_frequencies_may_come_together(write):
    panel = corpus(write(x=table([1, 2], freq="h"), y=table([1, 2], freq="D"), z="u,v\n1,2\n3,4\n"))
    assert panel.ids == ("x/a", "y/a", "z/u", "z/v")
    assert panel.freq is None
    assert panel.starts == ("2020-01-01T00:00:00", "2020-01-01T00:00:00", None, None)
    told = "different ones: h (1 series), D (1 series), unknown (2 series)"
    assert panel.notes[-1].endswith(told)
    assert corpus(write(), columns=["y/a"]).freq == "D"


def test_the_first_files_by_name_are_taken_and_the_others_counted(write):
    folder = write(c=table([3, 3]), a=table([1, 1]), b="")
    panel = corpus(folder, max_files=2)
    assert panel.ids == ("a/a",)
    assert panel.notes[0] == "2 of 3 files taken, the first by name, as --max-files says"
    assert panel.notes[1].startswith("1 of 2 files skipped: b.csv")
    assert read_panel(folder, max_files=1).ids == ("a/a",)
    with pytest.raises(DataError, match="--max-files must be 1 or more, got 0"):
        read_panel(folder, max_files=0)


def test_a_name_in_two_files_is_taken_from_the_first(write):
    folder = write(a=table([1, 2]))
    pd.DataFrame({"date": ["2020-01-01", "2020-01-02"], "a": [8, 9]}).to_parquet(folder / "a.parquet")
    panel = corpus(folder)
    assert series_of(panel) == {"a/a": [1, 2]}
    assert "a.parquet (series 'a/a' is in another file already)" in panel.notes[0]


def test_a_corpus_of_which_nothing_is_left_is_refused_with_the_reasons(write):
    folder = write(short=table([1, 2]), empty="")
    with pytest.raises(DataError) as rejection:
        corpus(folder, min_rows=10)
    message = str(rejection.value)
    assert message.startswith(f"{folder}: a corpus needs a file that can be read as series, and has none: ")
    assert "empty.csv (a file of series must not be empty)" in message
    assert "short.csv (a series needs 10 good values, and the most that one has is 2)" in message
    assert "bring others" in message


def test_a_single_file_is_cleaned_the_same_way(write):
    path = write(x="date,a,b\n2020-01-01,1,\n2020-01-02,,\n2020-01-03,3,\n") / "x.csv"
    panel = read_panel(path, clean=True)
    assert series_of(panel) == {"a": [1, 2, 3]}
    assert panel.notes == (
        "1 missing or infinite values interpolated",
        "1 series with fewer than 1 good values left out: b",
    )
    with pytest.raises(DataError, match=r"x\.csv: a series needs 4 good values, and the most that one has is 2"):
        read_panel(path, clean=True, min_rows=4)
