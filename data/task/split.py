"""The split: which rows of each series train, validate and test."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.errors import TaskError
from data.panel import Panel
from data.task.split_rule import SplitRule, parse_split

__all__ = ["Split", "SplitRule", "normalization_ends", "parse_split", "split_panel"]

_ETT_DAYS = (12 * 30, 4 * 30, 4 * 30)  # train, validation, test
_ETT_ROWS_A_DAY = (24, 96)


@dataclass(frozen=True)
class Split:
    """Row bounds of each series, (n_series,) int64, counted from the series' own first row.

    Train windows lie wholly in [0, train_end); validation targets in [train_end, val_end), test targets in
    [val_end, test_end). The contexts of validation and test reach back over the bound.
    A series that is wholly one part's has rows in that part alone: (rows, rows, rows) trains, (0, rows, rows)
    validates, (0, 0, rows) tests; its first context lies in its own first rows.
    """

    train_end: NDArray[np.int64]
    val_end: NDArray[np.int64]
    test_end: NDArray[np.int64]


def split_panel(panel: Panel, rule: SplitRule) -> Split:
    """Cut every series of the panel by the rule.

    ratio: train gets floor(rows * share), test floor(rows * share), validation the rest, in exact arithmetic
    (Autoformer's custom dataset class cuts its files so: int(n * 0.7), int(n * 0.2) and the rest).
    series: every file is wholly train, validation or test, with all its series. A series' file is its id up to the
    first '/', and the whole id where there is none. Validation and test get floor(files * share), one at least,
    train the rest; which they are is drawn by the rule's seed from the sorted names.
    ett: the first 12, next 4 and next 4 months of 30 days; what follows is unused.
    Source: Zhou et al. 2021 (Informer), arXiv:2012.07436; Time-LLM data_loader.py Dataset_ETT_hour.
    Raises TaskError if the panel has not the frequency, rows, dates or files that the rule needs.
    """
    if rule.kind == "ratio":
        return _split_ratio(panel, rule)
    if rule.kind == "series":
        return _split_series(panel, rule)
    if rule.kind == "ett":
        return _split_ett(panel)
    if rule.kind == "rows":
        train_end = np.minimum(rule.train_rows, panel.lengths)
        return Split(train_end, panel.lengths, panel.lengths)
    return _split_date(panel, rule)


def normalization_ends(panel: Panel, rule: SplitRule, split: Split) -> NDArray[np.int64]:
    """Return how many first rows of each series its scale is taken from, (n_series,) int64: its train rows.

    Under 'series' a validation or test series has none, and its own train part is its first 8/10, rounded down.
    """
    if rule.kind != "series":
        return split.train_end
    return np.where(split.train_end > 0, split.train_end, panel.lengths * 8 // 10)


def _split_ratio(panel: Panel, rule: SplitRule) -> Split:
    """Cut by shares, in whole numbers: floats would lose a row now and then."""
    rows = panel.lengths
    whole = sum(rule.shares)
    train_end = rows * rule.shares[0] // whole
    return Split(train_end, rows - rows * rule.shares[2] // whole, rows)


def _split_series(panel: Panel, rule: SplitRule) -> Split:
    """Give whole files to the parts."""
    names, file_of = np.unique([name.partition("/")[0] for name in panel.ids], return_inverse=True)
    n_files = len(names)
    if n_files < 3:
        raise TaskError(
            f"--split {rule} needs three files, one for each of train, validation and test, but {panel.name} has "
            f"{n_files}; bring more files, or take --split time"
        )
    drawn = np.random.default_rng(rule.seed).permutation(n_files)
    n_val, n_test = _held_out(n_files, rule.shares)
    part = np.zeros(n_files, dtype=np.int64)  # 0 train, 1 validation, 2 test
    part[drawn[:n_val]] = 1
    part[drawn[n_val : n_val + n_test]] = 2
    of_series, rows = part[file_of], panel.lengths
    return Split(np.where(of_series == 0, rows, 0), np.where(of_series <= 1, rows, 0), rows)


def _held_out(n_files: int, shares: tuple[int, int, int]) -> tuple[int, int]:
    """Return how many of three or more files validate and test: one at least, and one at least is left to train."""
    whole = sum(shares)
    n_val, n_test = (max(1, n_files * share // whole) for share in shares[1:])
    if n_val + n_test < n_files:
        return n_val, n_test
    return (n_val - 1, n_test) if n_val > n_test else (n_val, n_test - 1)


def _split_ett(panel: Panel) -> Split:
    """Cut by the months of the ETT protocol."""
    a_day = _rows_a_day(panel.freq)
    if a_day not in _ETT_ROWS_A_DAY:
        raise TaskError(
            f"--split ett needs hourly or 15-minute series, but {panel.name} has freq {panel.freq}; "
            "use 'ratio' or 'date'"
        )
    train_end, val_end, test_end = np.cumsum([days * a_day for days in _ETT_DAYS])
    short = int(np.argmin(panel.lengths))
    if panel.lengths[short] < test_end:
        raise TaskError(
            f"--split ett needs {test_end} rows a series (20 months of 30 days, {a_day} rows a day), but "
            f"series {panel.ids[short]!r} of {panel.name} has {panel.lengths[short]}; use 'ratio' or 'date'"
        )
    return Split(*(np.full(len(panel), end, dtype=np.int64) for end in (train_end, val_end, test_end)))


def _rows_a_day(freq: str | None) -> int | None:
    """Return how many rows of this frequency a day holds, None if that is unknown or no whole number."""
    import pandas as pd  # half a second, and only two of the rules ask for it

    if freq is None:
        return None
    try:
        step = pd.Timedelta(pd.tseries.frequencies.to_offset(freq))  # type: ignore[arg-type]  # a Tick, or rejected
    except ValueError:
        return None
    rows, rest = divmod(pd.Timedelta(days=1).value, step.value)
    return rows if not rest else None


def _split_date(panel: Panel, rule: SplitRule) -> Split:
    """Cut by dates: a row belongs to the part in which its own timestamp lies."""
    import pandas as pd

    from data.frequencies import stamps

    if panel.freq is None or None in panel.starts:
        raise TaskError(f"--split {rule} needs timestamps of one frequency, but {panel.name} has none; use 'ratio'")
    assert rule.dates is not None
    rows = panel.lengths
    starts = [start for start in panel.starts if start is not None]
    longest: dict[str, int] = {}
    for start, length in zip(starts, rows.tolist(), strict=True):
        longest[start] = max(length, longest.get(start, 0))
    grids = {start: stamps(start, panel.freq, 0, n) for start, n in longest.items()}
    first, last = min(grid[0] for grid in grids.values()), max(grid[-1] for grid in grids.values())
    train_date, val_date = (pd.Timestamp(date) for date in rule.dates)
    if train_date <= first or val_date > last:
        raise TaskError(
            f"--split {rule}: both dates must lie inside the data, but {panel.name} runs from {first} to "
            f"{last}; choose TRAIN_END and VAL_END between these"
        )
    ends = {start: grid.searchsorted([train_date, val_date]) for start, grid in grids.items()}
    bounds = np.array([ends[start] for start in starts], dtype=np.int64)  # (n_series, 2)
    return Split(np.minimum(bounds[:, 0], rows), np.minimum(bounds[:, 1], rows), rows)
