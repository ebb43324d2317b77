"""Parquet, wide and long: read like its CSV."""

from __future__ import annotations

import numpy as np
import pandas as pd

from data.readers.panel_reader import read_panel
from tests.data.readers.series_files import LONG, NAN, WIDE, rejection, series_of


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
    assert (panel.starts, panel.freq) == (("2020-01-01T00:00:00",), "D")  # days are days of Berlin's calendar


def test_a_file_that_is_no_parquet_is_rejected(write):
    assert "not a readable parquet file" in rejection(write("date,a\n", "file.parquet"))


def test_a_parquet_row_is_named_by_its_number(tmp_path):
    frame = pd.DataFrame({"date": ["2020-01-01", "oops"], "a": [1, 2]})
    frame.to_parquet(tmp_path / "file.parquet")
    assert "row 1: a timestamp" in rejection(tmp_path / "file.parquet")
