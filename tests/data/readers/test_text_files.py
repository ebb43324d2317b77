"""CSV as users have it: encodings, separators, comments, units, decimal marks, words for what is missing, ids."""

import numpy as np
import pytest

from data.readers.panel_reader import read_panel
from tests.data.readers.series_files import NAN, rejection, series_of

ROWS = 60


def wide(cells, *, header="time,y", separator=","):
    """Hourly rows with these cells."""
    body = [f"2024-01-{1 + i // 24:02} {i % 24:02}:00{separator}{cell}" for i, cell in enumerate(cells)]
    return "\n".join([header, *body]) + "\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "gbk"])
def test_a_name_in_chinese_is_read_in_each_encoding(tmp_path, encoding):
    path = tmp_path / "file.csv"
    path.write_bytes(wide(range(ROWS), header="时间,流量").encode(encoding))
    assert series_of(read_panel(path)) == {"流量": [*range(ROWS)]}


def test_latin_1_is_read_and_an_encoding_may_be_named(tmp_path):
    path = tmp_path / "file.csv"
    path.write_bytes(wide(range(ROWS), header="time,Kälte °C").encode("latin-1"))
    assert series_of(read_panel(path)) == {"Kälte °C": [*range(ROWS)]}
    assert series_of(read_panel(path, encoding="latin-1")) == {"Kälte °C": [*range(ROWS)]}
    assert "--encoding" in rejection(path, encoding="ascii")


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_each_separator_is_recognised(write, separator):
    path = write(wide(range(ROWS), header=f"time{separator}y", separator=separator))
    assert series_of(read_panel(path)) == {"y": [*range(ROWS)]}


@pytest.mark.parametrize(
    ("cells", "separator", "expected"),
    [
        (["0,5", "1,25", "-3,75", "1e3"], ";", [0.5, 1.25, -3.75, 1000]),
        (["1.234,5", "2.000,25", "12,5", "7"], ";", [1234.5, 2000.25, 12.5, 7]),
        (["1,234.5", "2,000.25", "12.5", "7"], ";", [1234.5, 2000.25, 12.5, 7]),
        (['"1,234,567"', '"2,000,000"', "7", "8"], ",", [1234567, 2000000, 7, 8]),
        (["1 234,5", "2 000,5", "3,5", "4"], ";", [1234.5, 2000.5, 3.5, 4]),
        (["1'234.5", "2'000.5", "3.5", "4"], ",", [1234.5, 2000.5, 3.5, 4]),
        (["\u22121.5", "2.5", "3", "4"], ",", [-1.5, 2.5, 3, 4]),
    ],
)
def test_decimal_marks_and_thousands_are_read_where_they_are_sure(write, cells, separator, expected):
    panel = read_panel(write(wide(cells * 5, header=f"time{separator}y", separator=separator)))
    np.testing.assert_allclose(panel.in_units(0), expected * 5, rtol=1e-6)


@pytest.mark.parametrize(("decimal", "expected"), [(",", [1.234, 5.678]), (".", [1234, 5678])])
def test_a_comma_before_three_digits_is_asked_about_and_the_remedy_works(write, decimal, expected):
    path = write(wide(["1,234", "5,678"] * 30, header="time;y", separator=";"))
    assert "--decimal" in rejection(path)
    np.testing.assert_allclose(read_panel(path, decimal=decimal).in_units(0), expected * 30, rtol=1e-6)


@pytest.mark.parametrize("word", ["NA", "null", "", "-", "?", "n/a", "N.A.", "#DIV/0!", "no data", "None"])
def test_a_word_for_a_missing_value_is_missing(write, word):
    cells = [*range(ROWS)]
    cells[7] = word
    values = read_panel(write(wide(cells))).in_units(0)
    assert np.flatnonzero(np.isnan(values)).tolist() == [7]
    assert np.delete(values, 7).tolist() == [i for i in range(ROWS) if i != 7]


def test_another_stray_word_is_named_with_its_line_and_never_costs_a_series(write):
    cells = [f"{i},{i}" for i in range(ROWS)]
    cells[40] = "40,ausgefallen"
    path = write(wide(cells, header="time,a,b"))
    message = rejection(path)
    assert "line 42" in message
    assert "'ausgefallen'" in message
    assert "--na" in message
    assert np.isnan(read_panel(path, na=("ausgefallen",)).in_units(1)[40])


def test_a_number_may_mean_missing(write):
    cells = [*range(ROWS)]
    cells[3] = -999
    assert np.isnan(read_panel(write(wide(cells)), na=("-999",)).in_units(0)[3])


def test_a_column_of_words_is_no_series_and_named_in_a_note(write):
    panel = read_panel(write(wide([f"{i},sunny" for i in range(ROWS)], header="time,y,weather")))
    assert panel.ids == ("y",)
    assert "'weather'" in " ".join(panel.notes)


def test_comments_units_and_an_empty_last_column_are_no_data(write):
    body = wide([f"{i}," for i in range(ROWS)], header="time,y,")
    header, first = body.split("\n", 1)
    panel = read_panel(write(f"# from a logger\n# of hall 3\n{header}\n,kW,\n{first}"))
    assert series_of(panel) == {"y": [*range(ROWS)]}
    assert len(panel.notes) == 3


def test_ids_are_text_as_written(write):
    ids = ["01", "1", "1.1", "1.10", "NA", "1e3", "nan", "true"]
    text = "unique_id,ds,y\n" + "".join(
        f"{name},2024-01-{1 + day:02},{100 * i + day}\n" for i, name in enumerate(ids) for day in range(9)
    )
    assert series_of(read_panel(write(text))) == {
        name: [100 * i + day for day in range(9)] for i, name in enumerate(ids)
    }


def test_several_columns_name_a_series_together(write):
    rows = [f"{shop},{item},2024-01-{1 + day:02},{day}" for shop in "ab" for item in ("x", "y") for day in range(9)]
    path = write("store,item,date,sales\n" + "\n".join(rows) + "\n")
    assert "--id-columns store,item" in rejection(path)
    panel = read_panel(path, id_columns=("store", "item"))
    assert series_of(panel) == {name: [*range(9)] for name in ("a/x", "a/y", "b/x", "b/y")}


@pytest.mark.parametrize("base", [1e9, 1e12, 123456789.0])
def test_a_small_variation_on_a_large_value_is_kept(write, base):
    values = base + 5 * np.sin(np.arange(ROWS))
    panel = read_panel(write(wide([repr(float(value)) for value in values])))
    assert np.abs(panel.in_units(0) - values).max() <= 1e-6 * (values.max() - values.min()) + np.spacing(base)


def test_a_value_beyond_float32_is_named(write):
    cells = [*range(ROWS)]
    cells[9] = "1e40"
    message = rejection(write(wide(cells)))
    assert "line 11" in message
    assert "1e+40" in message


def test_a_series_that_never_changes_and_one_that_is_stuck_are_noted(write):
    rows = [f"{i % 17},21.5,{i if i < 100 else 33.25}" for i in range(300)]
    text = "time,a,constant,stuck\n" + "".join(
        f"2024-01-{1 + i // 24:02} {i % 24:02}:00,{row}\n" for i, row in enumerate(rows)
    )
    notes = " ".join(read_panel(write(text)).notes)
    assert "1 series never change: 'constant'" in notes
    assert "'stuck' (rows 100 to 299)" in notes


def test_missing_at_the_start_stays_missing(write):
    values = read_panel(write(wide(["NA", *range(1, ROWS)]))).in_units(0)
    np.testing.assert_array_equal(values, [NAN, *range(1, ROWS)])


@pytest.mark.parametrize("columns", [1000, 5000])  # 18 and 90 kB
def test_a_long_header_is_read_whole(write, columns):
    names = [f"sensor number {i:04}" for i in range(columns)]
    text = wide([",".join(str(i) for _ in names) for i in range(3)], header=",".join(["time", *names]))
    assert read_panel(write(text)).ids == tuple(names)


def test_the_largest_number_of_float32_is_held_however_it_is_written(write):
    largest = 2.0**128 - 2.0**104
    text = "time;y\n2024-01-01;-3,4028234663852886e+38\n2024-01-02;0,5\n2024-01-03;3,4028234663852886e+38\n"
    assert series_of(read_panel(write(text))) == {"y": [-largest, 0.5, largest]}


def test_a_first_line_without_an_end_is_one_message(write):
    text = 'time,"' + "y" * 200_000 + "\n2024-01-01,1\n"
    assert "a CSV file needs a line of column names (field larger than field limit" in rejection(write(text))


def test_a_row_of_a_million_cells_is_one_message(write):
    text = "time,y\n2024-01-01," + "," * 10**6 + "\n"
    assert "Expected 2 fields in line 2, saw 1000002" in rejection(write(text))


def test_a_name_that_nobody_would_read_is_shortened_in_messages_and_notes(write):
    name = "n" * 20_000
    assert len(rejection(write(f"time,{name}\n2024-01-01,1\n2024-01-02,x\n"), columns=[name])) < 3000
    notes = read_panel(write(f"time,y,{name}\n2024-01-01,1,x\n2024-01-02,2,y\n")).notes
    assert len(notes) == 1
    assert len(notes[0]) < 1000


def test_a_column_of_words_such_as_now_is_no_time(write):
    panel = read_panel(write("word,y\nnow,1\ntoday,2\nnow,3\n"))
    assert panel.starts == (None,)
    assert series_of(panel) == {"y": [1, 2, 3]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("time;heat, °C\n2024-01-01;1,5\n2024-01-02;2,5\n2024-01-03;3,5\n", {"heat, °C": [1.5, 2.5, 3.5]}),
        ("time;a,b\n2024-01-01;1.5\n2024-01-02;2.5\n2024-01-03;3.5\n", {"a,b": [1.5, 2.5, 3.5]}),
        ("time,a;b\n2024-01-01,1.5\n2024-01-02,2.5\n2024-01-03,3.5\n", {"a;b": [1.5, 2.5, 3.5]}),
        ('time,"a;b;c"\n2024-01-01,1.5\n2024-01-02,2.5\n2024-01-03,3.5\n', {"a;b;c": [1.5, 2.5, 3.5]}),
        ("time|a;b,c\n2024-01-01|1.5\n2024-01-02|2.5\n2024-01-03|3.5\n", {"a;b,c": [1.5, 2.5, 3.5]}),
    ],
)
def test_a_name_may_hold_another_separator(write, text, expected):
    assert series_of(read_panel(write(text))) == expected
