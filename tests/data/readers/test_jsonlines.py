"""The specification of data/readers/jsonlines.py: one series a line."""

from __future__ import annotations

import json

import numpy as np
import pytest

from data.readers.panel_reader import read_panel
from tests.data.readers.series_files import NAN, rejection, series_of


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
    assert "did you mean 'yy'" in rejection(path, columns=["yyy"])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"id": "b", "sequence": [1,', "line 2: a line must be one JSON object"),
        ("[1, 2]", "line 2: a line must be a JSON object like"),
        ('{"id": "b", "values": [1]}', "line 2: a series needs 'sequence' or 'target', got ['id', 'values']"),
        ('{"id": "b", "sequence": [1, "x"]}', "line 2: 'sequence' must be a list of numbers"),
        ('{"id": "b", "sequence": {"0": 1}}', "line 2: 'sequence' must be a list of numbers"),
        ('{"id": "b", "sequence": [[[1]], [[2]]]}', "line 2: 'sequence' must be a list with at least one number"),
        ('{"id": "b", "sequence": [[1], [2, 3]]}', "line 2: 'sequence' must be a list of numbers"),
        ('{"id": "b", "sequence": [null]}', "line 2: 'sequence' must be a list with at least one number"),
        ('{"id": "b", "sequence": []}', "line 2: 'sequence' must be a list with at least one number"),
        ('{"id": "a", "sequence": [1], "freq": "h"}', "line 2: each series needs its own id, and 'a'"),
        ('{"id": "b", "sequence": [1], "freq": "x"}', "line 2: 'freq' must be a pandas offset like h"),
        ('{"id": "b", "sequence": [1], "freq": "D"}', "line 2: all series must have one freq, got D here and h"),
        ('{"id": "b", "sequence": [1], "freq": "h", "start": "soon"}', "line 2: 'start' must be a timestamp"),
    ],
)
def test_a_malformed_json_line_is_refused_by_its_number(write, line, message):
    path = write(json.dumps({"id": "a", "sequence": [1], "freq": "h"}) + "\n" + line + "\n", "x.jsonl")
    assert message in rejection(path)


def test_infinite_values_in_json_lines_are_reported(write):
    panel = read_panel(write('{"sequence": [1, Infinity, -Infinity]}\n', "x.jsonl"))
    np.testing.assert_array_equal(panel.series(0), [1, NAN, NAN])
    assert panel.notes == ("2 infinite values in line 1 read as missing",)


@pytest.mark.parametrize(("start", "freq"), [("1677-09-22", "BMS"), ("2262-04-11", "YE"), ("1677-09-21 12:00", "MS")])
def test_a_period_that_begins_or_ends_where_no_time_can_be_counted_is_named(write, start, freq):
    path = write(f'{{"sequence": [1, 2], "start": "{start}", "freq": "{freq}"}}\n', "x.jsonl")
    assert "times must lie between 1677 and 2262" in rejection(path)
