"""The split: ratio, whole series, ETT months and dates."""

from __future__ import annotations

import numpy as np
import pytest

from data.errors import TaskError
from data.panel import Panel
from data.task.split import normalization_ends, parse_split, split_panel


def panel_of(*lengths, starts=None, freq=None):
    """A panel with one series of zeros for each length."""
    return Panel.from_series("p", {f"s{i}": np.zeros(n) for i, n in enumerate(lengths)}, starts=starts, freq=freq)


def bounds(panel, text):
    """train_end, val_end and test_end of each series."""
    split = split_panel(panel, parse_split(text))
    assert split.train_end.dtype == split.val_end.dtype == split.test_end.dtype == np.int64
    return list(zip(split.train_end.tolist(), split.val_end.tolist(), split.test_end.tolist(), strict=True))


@pytest.mark.parametrize("text", [
    "ratio", "ratio:7:1:2", "ett", "date:2017-07-01T00:00:00,2017-11-01T12:00:00", "rows:5",
    "series", "series@3", "series:7:1:2", "series:7:1:2@12",
])  # fmt: skip
def test_a_rule_writes_itself_as_it_is_read(text):
    assert str(parse_split(text)) == text


@pytest.mark.parametrize(
    ("text", "shortest"),
    [
        ("ratio:8:1:1", "ratio"),
        ("ratio:0.8:0.1:0.1", "ratio"),
        ("ratio:70:10:20", "ratio:7:1:2"),
        ("time", "ratio"),
        ("time:7:1:2", "ratio:7:1:2"),
        ("series:8:1:1", "series"),
        (" series:0.8:0.1:0.1@0 ", "series"),
        ("series:14:2:4@03", "series:7:1:2@3"),
        (" ett ", "ett"),
        ("date:2017-07-01, 2017-11-01", "date:2017-07-01T00:00:00,2017-11-01T00:00:00"),
        ("date:2017-07-01T02:00+02:00,2017-11-01", "date:2017-07-01T00:00:00,2017-11-01T00:00:00"),
    ],
)
def test_equal_rules_have_one_text(text, shortest):
    assert str(parse_split(text)) == shortest
    assert parse_split(text) == parse_split(shortest)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rato", "did you mean 'ratio'"),
        ("serie", "did you mean 'series'"),
        ("", "choose one of these"),
        ("ratio@3", "split must be"),
        ("ett@3", "split must be"),
        ("series:8:1", "split series needs three shares above 0.*'series:7:1:2'"),
        ("series:8:1:0@2", "split series needs three shares above 0"),
        ("series@", "whole number as seed after '@', got 'series@'.*'series@3'"),
        ("series@-1", "whole number as seed"),
        ("series:8:1:1@x", "whole number as seed"),
        ("ett:3", "split must be"),
        ("ratio:8:1", "three shares above 0"),
        ("ratio:8:0:2", "three shares above 0"),
        ("ratio:a:b:c", "three shares above 0"),
        ("ratio:1/0:1:1", "three shares above 0"),
        ("date:2017-07-01", "two dates"),
        ("date:yesterday,2017-11-01", "ISO timestamp, got 'yesterday'"),
        ("date:2017-11-01,2017-07-01", "TRAIN_END must be before VAL_END"),
    ],
)
def test_what_is_no_rule_is_rejected(text, message):
    with pytest.raises(TaskError, match=message):
        parse_split(text)


def test_ratio_floors_train_and_test_and_gives_validation_the_rest():
    # 109 rows: floor(87.2) = 87, floor(10.9) = 10, so validation has 12
    assert bounds(panel_of(100, 109), "ratio") == [(80, 90, 100), (87, 99, 109)]


def test_ratio_is_exact_where_floats_lose_a_row():
    assert int(100 * 0.29) == 28  # the trap
    assert bounds(panel_of(100), "ratio:29:1:70") == [(29, 30, 100)]


def files_of(panel, text):
    """The files of each part, a part's series being wholly its own."""
    split = split_panel(panel, parse_split(text))
    of_part = {"train": set(), "val": set(), "test": set()}
    for name, rows, *ends in zip(panel.ids, panel.lengths, split.train_end, split.val_end, split.test_end, strict=True):
        part = {(rows, rows, rows): "train", (0, rows, rows): "val", (0, 0, rows): "test"}[tuple(ends)]
        of_part[part].add(name.partition("/")[0])
    return of_part


def corpus_of(n_files, columns="ab"):
    """A panel of files f00, f01, ... with these columns, all of another length."""
    ids = [f"f{i:02d}/{column}" for i in range(n_files) for column in columns]
    return Panel.from_series("corpus", {name: np.zeros(10 + i) for i, name in enumerate(ids)})


@pytest.mark.parametrize(
    ("n_files", "text", "counts"),
    [
        (10, "series", (8, 1, 1)),
        (100, "series", (80, 10, 10)),
        (12, "series", (10, 1, 1)),  # floor(1.2) each, train the rest
        (29, "series", (25, 2, 2)),
        (3, "series", (1, 1, 1)),
        (4, "series", (2, 1, 1)),
        (10, "series:6:2:2", (6, 2, 2)),
        (3, "series:1:1:98", (1, 1, 1)),
        (4, "series:1:98:1", (1, 2, 1)),  # floor(3.92) and the one of test would leave none to train
    ],
)
def test_series_gives_whole_files_to_the_parts(n_files, text, counts):
    found = files_of(corpus_of(n_files), text)
    assert tuple(map(len, found.values())) == counts
    assert len(set.union(*found.values())) == n_files


def test_the_seed_draws_the_files_whatever_the_order_of_the_series():
    panel = corpus_of(30)
    backwards = Panel.from_series("b", {name: np.zeros(5) for name in reversed(panel.ids)})
    assert files_of(panel, "series") == files_of(backwards, "series")
    draws = [files_of(panel, f"series@{seed}") for seed in range(4)]
    assert files_of(panel, "series@0") == files_of(panel, "series") == draws[0]
    assert len({frozenset(draw["test"]) for draw in draws}) > 1


def test_a_series_outside_a_folder_is_its_own_file():
    assert tuple(map(len, files_of(panel_of(9, 9, 9, 9, 9), "series").values())) == (3, 1, 1)


def test_two_files_cannot_be_split_by_series():
    with pytest.raises(TaskError, match=r"needs three files.*corpus has 2; bring more files, or take --split time"):
        split_panel(corpus_of(2), parse_split("series"))


def test_a_series_without_train_rows_is_scaled_by_its_first_eight_tenths():
    panel = panel_of(100, 109, 99)  # of 109, floor(87.2)
    rule = parse_split("series")
    split = split_panel(panel, rule)
    expected = [
        rows if end else tenths for rows, end, tenths in zip((100, 109, 99), split.train_end, (80, 87, 79), strict=True)
    ]
    assert normalization_ends(panel, rule, split).tolist() == expected
    late = parse_split("rows:0")  # no rule but series gives a scale to what has no train row
    assert normalization_ends(panel, late, split_panel(panel, late)).tolist() == [0, 0, 0]


def test_ett_hourly_is_twelve_four_and_four_months_of_thirty_days():
    # 12 * 30 * 24 = 8640, 16 * 30 * 24 = 11520, 20 * 30 * 24 = 14400; the rest is unused
    assert bounds(panel_of(17420, 14400, freq="h"), "ett") == [(8640, 11520, 14400)] * 2


def test_ett_fifteen_minutes_has_four_times_the_rows():
    assert bounds(panel_of(69680, freq="15min"), "ett") == [(34560, 46080, 57600)]


@pytest.mark.parametrize("freq", [None, "D", "30min", "MS", "7h"])
def test_ett_refuses_other_frequencies(freq):
    with pytest.raises(TaskError, match=rf"hourly or 15-minute.*{freq}"):
        split_panel(panel_of(99999, freq=freq), parse_split("ett"))


def test_ett_says_how_many_rows_it_needs():
    with pytest.raises(TaskError, match=r"needs 14400 rows.*'s1' of p has 14399"):
        split_panel(panel_of(14400, 14399, freq="h"), parse_split("ett"))


def test_dates_cut_each_series_at_its_own_rows():
    # s0 starts on the 1st: 2 whole days train, 1 validates. s1 starts a day later and ends sooner.
    panel = panel_of(100, 60, starts=["2020-01-01T00:00:00", "2020-01-02T00:00:00"], freq="h")
    assert bounds(panel, "date:2020-01-03,2020-01-04") == [(48, 72, 100), (24, 48, 60)]


def test_a_date_between_rows_leaves_the_row_before_it_in_the_earlier_part():
    panel = panel_of(10, starts=["2020-01-01"], freq="D")
    assert bounds(panel, "date:2020-01-03T12:00,2020-01-05") == [(3, 4, 10)]


def test_dates_work_on_calendar_months():
    panel = panel_of(24, starts=["2020-01-01"], freq="MS")
    assert bounds(panel, "date:2021-01-01,2021-07-01") == [(12, 18, 24)]


def test_a_series_wholly_on_one_side_of_a_date_has_an_empty_part():
    panel = panel_of(10, 3, starts=["2020-01-01", "2020-01-08"], freq="D")
    assert bounds(panel, "date:2020-01-05,2020-01-07") == [(4, 6, 10), (0, 0, 3)]


@pytest.mark.parametrize("dates", ["2019-12-01,2020-01-05", "2020-01-05,2020-01-11", "2020-01-01,2020-01-05"])
def test_dates_outside_the_data_are_refused_with_its_range(dates):
    panel = panel_of(10, starts=["2020-01-01"], freq="D")
    with pytest.raises(TaskError, match=r"runs from 2020-01-01 00:00:00 to 2020-01-10 00:00:00"):
        split_panel(panel, parse_split(f"date:{dates}"))


@pytest.mark.parametrize("facts", [{"freq": "D"}, {"starts": ["2020-01-01"]}])
def test_dates_need_timestamps(facts):
    with pytest.raises(TaskError, match="needs timestamps"):
        split_panel(panel_of(10, **facts), parse_split("date:2020-01-03,2020-01-05"))
