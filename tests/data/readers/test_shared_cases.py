"""Inputs collected outside the project, where they are at hand: each is read right, or rejected with its remedy."""

import numpy as np
import pandas as pd
import pytest

from data.readers.panel_reader import read_panel
from tests.data.readers.series_files import rejection
from tests.paths import SHARED

CASES = SHARED / "cases" / "data"
pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="needs the collected inputs")

# file, frequency, start; every value of the first series is its row number.
ROW_NUMBERS = [
    ("dayfirst.csv", "h", "2024-01-01"),
    ("ampm.csv", "h", "2024-01-01"),
    ("str0_id_long.csv", "h", "2024-01-01"),
    ("year_int.csv", "YS-JAN", "1900-01-01"),
    ("freq_B.csv", "B", "2015-01-01"),
    ("freq_BME.csv", "BME", "2015-01-30"),
    ("gbk.csv", "h", "2024-01-01"),
    ("comments.csv", "h", "2024-01-01"),
    ("trailing_comma.csv", "h", "2024-01-01"),
]
STARTS = [
    ("dayfirst_month.csv", "MS", "2010-01-01"),
    ("tz_daily.csv", "D", "2023-01-01"),
    ("tz_month.csv", "MS", "2000-01-01"),
    ("yyyymmddhh_700.csv", "h", "2024-01-01"),
    ("mid_month.csv", "MS", "2010-02-15"),
    ("j_epoch.jsonl", "h", "2024-01-01"),
    ("pq_idx_dupname.parquet", "h", "2024-01-01"),
    ("pq_period.parquet", "MS", "2000-01-01"),
]
REMEDIES = [
    ("dayfirst_ambig.csv", "--date-format '%d/%m/%Y'", {"date_format": "%d/%m/%Y"}, "D", 12),
    ("dayfirst_month12.csv", "--date-format '%d/%m/%Y'", {"date_format": "%d/%m/%Y"}, "MS", 12),
    ("two_freqs_long.csv", "--freq h --resample", {"freq": "D", "resample": "mean"}, "D", 9),
    ("jitter.csv", "--freq h --resample mean", {"freq": "h", "resample": "mean"}, "h", 200),
    ("dst_autumn_naive.csv", "--timezone Europe/Berlin", {"timezone": "Europe/Berlin"}, "h", 72),
    ("long_two_keys.csv", "--id-columns store,item", {"id_columns": ("store", "item")}, "h", 200),
]


@pytest.mark.parametrize(("file", "freq", "start"), ROW_NUMBERS)
def test_a_case_of_row_numbers(file, freq, start):
    panel = read_panel(CASES / file)
    assert (panel.freq, pd.Timestamp(panel.starts[0])) == (freq, pd.Timestamp(start))
    values = panel.in_units(0)
    assert values[~np.isnan(values)].tolist() == [*range(int((~np.isnan(values)).sum()))]


@pytest.mark.parametrize(("file", "freq", "start"), STARTS)
def test_a_case_of_times(file, freq, start):
    panel = read_panel(CASES / file)
    assert (panel.freq, pd.Timestamp(panel.starts[0])) == (freq, pd.Timestamp(start))


@pytest.mark.parametrize(("file", "remedy", "options", "freq", "rows"), REMEDIES)
def test_a_case_that_is_asked_about_and_its_remedy(file, remedy, options, freq, rows):
    assert remedy in rejection(CASES / file)
    panel = read_panel(CASES / file, **options)
    assert (panel.freq, int(panel.lengths[0])) == (freq, rows)


@pytest.mark.parametrize(
    ("file", "ids"),
    [
        ("str0_id_long.csv", ("001", "002")),
        ("merge_lead0.csv", ("01", "1")),
        ("merge_float.csv", ("1.1", "1.10")),
        ("namibia.csv", ("NA", "DE", "FR")),
        ("deccomma.csv", ("a", "b")),
        ("qmark.csv", ("a", "b")),
        ("datetime_val.parquet", ("b",)),
        ("pq_list.parquet", ("a", "b")),
    ],
)
def test_a_case_of_ids(file, ids):
    assert read_panel(CASES / file).ids == ids


@pytest.mark.parametrize(("file", "column"), [("big.csv", "y"), ("bigoffset.csv", "a"), ("meter.csv", "wh")])
def test_a_case_of_large_values_keeps_its_variation(file, column):
    values = pd.read_csv(CASES / file)[column].to_numpy(np.float64)
    panel = read_panel(CASES / file)
    assert np.abs(panel.in_units(0) - values).max() <= 1e-6 * (values.max() - values.min())


def test_cases_of_missing_words():
    values = read_panel(CASES / "na_strings.csv").in_units(0)
    written = pd.read_csv(CASES / "na_strings.csv", na_values=["-"])["y"].to_numpy(np.float64)
    np.testing.assert_array_equal(values, written)


def test_a_case_of_decimal_commas():
    assert read_panel(CASES / "semi_decimal_comma.csv").in_units(0)[:3].tolist() == [0.5, 1.5, 2.5]


@pytest.mark.parametrize("file", ["freqbig.jsonl", "freq0.jsonl", "bignum.jsonl"])
def test_an_absurd_case_is_one_message(file):
    message = rejection(CASES / file)
    assert "line 1" in message
    assert len(message.splitlines()) == 1
