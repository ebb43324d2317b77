"""The specification of data/readers/panel_reader.py: a folder of tables, and paths and formats that cannot be read."""

from __future__ import annotations

import pandas as pd
import pytest

from data.errors import DataError
from data.readers.panel_reader import FORMATS, read_panel
from tests.data.readers.series_files import LONG, WIDE, rejection


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
    assert "did you mean" in rejection(tmp_path, columns=["two/bb"])


def test_a_folder_tells_the_notes_of_each_file(write, tmp_path):
    write(WIDE + "2020-01-01 04:00,5,50\n", "gap.csv")
    assert read_panel(tmp_path).notes[0].startswith("gap.csv: 1 missing rows")


def test_a_folder_of_two_frequencies_is_rejected(write, tmp_path):
    write(WIDE, "hourly.csv")
    write("date,a\n2020-01-01,1\n2020-01-02,2\n", "daily.csv")
    with pytest.raises(DataError, match=r"hourly\.csv: all files of a folder .* got h here and D in daily\.csv"):
        read_panel(tmp_path)


def test_a_folder_with_one_series_in_two_files_is_rejected(write, tmp_path):
    pd.read_csv(write(WIDE, "a.csv")).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(DataError, match="'a/a' is in two files"):
        read_panel(tmp_path)


def test_an_empty_folder_is_rejected(tmp_path):
    assert "must hold .csv or .parquet files" in rejection(tmp_path)


def test_a_missing_file_is_refused_with_the_nearest_name(write, tmp_path):
    write(WIDE, "ETTh1.csv")
    assert "did you mean 'ETTh1.csv'" in rejection(tmp_path / "ETTh2.csv")
    assert "check the path" in rejection(tmp_path / "nowhere" / "x.csv")


def test_an_unknown_format_is_refused_with_the_nearest_name(write):
    assert "did you mean 'parquet'" in rejection(write(WIDE), format="parket")


def test_a_suffix_that_tells_no_format_is_rejected(write):
    path = write(WIDE, "file.dat")
    assert all(name in rejection(path) for name in FORMATS)
    assert len(read_panel(path, format="wide-csv")) == 2


@pytest.mark.parametrize("name", ["rot13", "base64", "hex", "zlib", "no-such", "utf\0"])
def test_an_encoding_of_something_else_than_text_is_rejected(write, name):
    with pytest.raises(DataError, match="--encoding must be one that Python knows"):
        read_panel(write(WIDE), encoding=name)


@pytest.mark.parametrize(("option", "flag"), [("columns", "--columns"), ("id_columns", "--id-columns")])
def test_an_empty_list_of_columns_is_rejected(write, option, flag):
    with pytest.raises(DataError, match=f"{flag} must name"):
        read_panel(write(LONG), **{option: ()})
