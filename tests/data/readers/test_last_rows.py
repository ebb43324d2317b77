"""Of each series of a file, the last rows: the most recent ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data.errors import DataError
from data.panel import Panel
from data.readers.last_rows import last_rows
from data.readers.panel_reader import read_panel


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def test_the_last_rows_are_taken_with_their_times_and_the_note_counts_the_rest(tmp_path: Path) -> None:
    rows = [f"2024-01-01 {hour:02}:00,{hour},{hour * 10}" for hour in range(24)]
    panel = read_panel(write(tmp_path / "day.csv", "date,a,b", *rows), max_rows_per_file=3)
    assert [panel.in_units(i).tolist() for i in range(2)] == [[21, 22, 23], [210, 220, 230]]
    assert panel.starts == ("2024-01-01T21:00:00",) * 2
    assert panel.freq == "h"
    assert panel.notes[0] == (
        "the last 3 rows of each series taken, as --max-rows-per-file says; 42 earlier ones left out"
    )


def test_a_file_that_has_no_more_rows_is_as_without_the_option(tmp_path: Path) -> None:
    file = write(tmp_path / "day.csv", "date,a", "2024-01-01,1", "2024-01-02,2", "2024-01-03,3")
    panel = read_panel(file, max_rows_per_file=3)
    assert (panel.content_hash, panel.notes) == (read_panel(file).content_hash, read_panel(file).notes)


def test_of_a_long_file_each_series_keeps_its_own_last_rows(tmp_path: Path) -> None:
    lines = [f"{name},2024-01-{day:02},{day}" for name, days in (("x", 9), ("y", 4)) for day in range(1, days + 1)]
    panel = read_panel(write(tmp_path / "long.csv", "id,date,value", *lines), max_rows_per_file=2)
    assert {name: panel.in_units(i).tolist() for i, name in enumerate(panel.ids)} == {"x": [8, 9], "y": [3, 4]}
    assert panel.starts == ("2024-01-08T00:00:00", "2024-01-03T00:00:00")


def test_it_counts_for_every_file_of_a_folder(tmp_path: Path) -> None:
    for name, days in (("a", 5), ("b", 3)):
        write(tmp_path / f"{name}.csv", "date,v", *(f"2024-01-{day:02},{day}" for day in range(1, days + 1)))
    panel = read_panel(tmp_path, max_rows_per_file=2)
    assert panel.lengths.tolist() == [2, 2]
    assert panel.starts == ("2024-01-04T00:00:00", "2024-01-02T00:00:00")


def test_a_series_that_ended_before_is_left_out_and_a_file_of_them_rejected(tmp_path: Path) -> None:
    panel = Panel.from_series("p", {"a": [1, 2, 3], "b": [1, np.nan, np.nan]}, starts=[None, None])
    kept = last_rows(panel, 2)
    assert kept.ids == ("a",)
    assert kept.notes[-1] == "1 series without a value in these rows left out"
    with pytest.raises(DataError, match="--max-rows-per-file 1: no series has a value in its last 1 rows"):
        last_rows(Panel.from_series("p", {"b": [1, np.nan]}), 1)


def test_months_on_their_31st_begin_where_that_day_is(tmp_path: Path) -> None:
    """Of six months to June, the last five would begin on 29 February, and go on with the 29th."""
    days = ("2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30", "2024-05-31", "2024-06-30")
    panel = Panel.from_series("p", {"a": np.arange(6)}, starts=["2024-01-31T00:00:00"], freq="MS")
    assert last_rows(panel, 5).starts == ("2024-03-31T00:00:00",)
    assert last_rows(panel, 5).in_units(0).tolist() == [2, 3, 4, 5]
    read = read_panel(write(tmp_path / "m.csv", "date,a", *(f"{d},{i}" for i, d in enumerate(days))))
    assert last_rows(read, 2).in_units(0).tolist() == [4, 5]


@pytest.mark.parametrize("most", [0, -3])
def test_none_of_the_rows_is_a_mistake(tmp_path: Path, most: int) -> None:
    file = write(tmp_path / "day.csv", "date,a", "2024-01-01,1", "2024-01-02,2")
    with pytest.raises(DataError, match="max_rows_per_file"):
        read_panel(file, max_rows_per_file=most)
