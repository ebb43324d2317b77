"""Owns the split: which rows of each series train, validate and test, and the names of the protocols."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from data.errors import TaskError, near_names
from data.panel import Panel

_FORMS = "'ratio', 'ratio:7:1:2', 'ett' or 'date:2017-07-01,2017-11-01'"  # 'rows:N' has no test part: not to search
_KINDS = ("ratio", "ett", "date")
_ETT_DAYS = (12 * 30, 4 * 30, 4 * 30)  # train, validation, test
_ETT_ROWS_A_DAY = (24, 96)


@dataclass(frozen=True)
class SplitRule:
    """A named way to cut every series of a panel.

    shares: the whole-number shares of train, validation and test, in lowest terms ('ratio' alone).
    dates: TRAIN_END and VAL_END as ISO timestamps without a zone ('date' alone).
    train_rows: how many rows of each series come before validation, which has the rest ('rows' alone).
    """

    kind: Literal["ratio", "ett", "date", "rows"]
    shares: tuple[int, int, int] = (8, 1, 1)
    dates: tuple[str, str] | None = None
    train_rows: int = 0

    def __str__(self) -> str:
        """Return the text that `parse_split` reads back as this rule."""
        if self.kind == "date" and self.dates is not None:
            return "date:" + ",".join(self.dates)
        if self.kind == "ratio" and self.shares != (8, 1, 1):
            return "ratio:" + ":".join(map(str, self.shares))
        if self.kind == "rows":
            return f"rows:{self.train_rows}"
        return self.kind


@dataclass(frozen=True)
class Split:
    """Row bounds of each series, (n_series,) int64, counted from the series' own first row.

    Train windows lie wholly in [0, train_end); validation targets in [train_end, val_end), test targets in
    [val_end, test_end). The contexts of validation and test reach back over the bound.
    """

    train_end: NDArray[np.int64]
    val_end: NDArray[np.int64]
    test_end: NDArray[np.int64]


def parse_split(text: str) -> SplitRule:
    """Read a split's name.

    'ratio' is 8:1:1, 'ratio:7:1:2' any other shares; 'ett' is 12, 4 and 4 months of 30 days;
    'date:TRAIN_END,VAL_END' trains before the first date, validates before the second, tests from there on;
    'rows:N' validates from row N of each series to its end, and tests nothing.
    Raises TaskError for anything else, with the nearest name.
    """
    kind, _, rest = text.strip().partition(":")
    if kind == "ratio":
        return SplitRule("ratio", shares=_parse_shares(text, rest)) if rest else SplitRule("ratio")
    if kind == "ett" and not rest:
        return SplitRule("ett")
    if kind == "date":
        return SplitRule("date", dates=_parse_dates(text, rest))
    if kind == "rows" and rest.isdecimal():
        return SplitRule("rows", train_rows=int(rest))
    raise TaskError(f"--split must be {_FORMS}, got {text!r}{near_names(kind, _KINDS) or '; choose one of these'}")


def split_panel(panel: Panel, rule: SplitRule) -> Split:
    """Cut every series of the panel by the rule.

    ratio: train gets floor(rows * share), test floor(rows * share), validation the rest, in exact arithmetic
    (Autoformer's custom dataset class cuts its files so: int(n * 0.7), int(n * 0.2) and the rest).
    ett: the first 12, next 4 and next 4 months of 30 days; what follows is unused.
    Source: Zhou et al. 2021 (Informer), arXiv:2012.07436; Time-LLM data_loader.py Dataset_ETT_hour.
    Raises TaskError if the panel has not the frequency, rows or dates that the rule needs.
    """
    if rule.kind == "ratio":
        return _split_ratio(panel, rule)
    if rule.kind == "ett":
        return _split_ett(panel)
    if rule.kind == "rows":
        train_end = np.minimum(rule.train_rows, panel.lengths)
        return Split(train_end, panel.lengths, panel.lengths)
    return _split_date(panel, rule)


def _parse_shares(text: str, rest: str) -> tuple[int, int, int]:
    """Read 'a:b:c' as shares in lowest whole terms, so that 0.8:0.1:0.1 is 8:1:1."""
    try:
        train, val, test = (Fraction(part) for part in rest.split(":"))
        valid = min(train, val, test) > 0
    except (ValueError, ZeroDivisionError):
        valid = False
    if not valid:
        raise TaskError(f"--split ratio needs three shares above 0, got {text!r}; write it like 'ratio:7:1:2'")
    whole = math.lcm(train.denominator, val.denominator, test.denominator)
    shares = int(train * whole), int(val * whole), int(test * whole)
    factor = math.gcd(*shares)
    return shares[0] // factor, shares[1] // factor, shares[2] // factor


def _parse_dates(text: str, rest: str) -> tuple[str, str]:
    """Read 'TRAIN_END,VAL_END'; a date with a zone is taken to UTC, as the readers do with timestamps."""
    parts = [part.strip() for part in rest.split(",")]
    if len(parts) != 2:
        raise TaskError(f"--split date needs two dates, got {text!r}; write it like 'date:2017-07-01,2017-11-01'")
    first, second = (_parse_date(part) for part in parts)
    if not first < second:
        raise TaskError(f"--split date: TRAIN_END must be before VAL_END, got {text!r}; swap or change them")
    return first.isoformat(), second.isoformat()


def _parse_date(text: str) -> datetime:
    """Read one ISO timestamp as a naive one."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise TaskError(
            f"--split date must be an ISO timestamp, got {text!r}; write it like 2017-07-01 or 2017-07-01T12:00"
        ) from error
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)


def _split_ratio(panel: Panel, rule: SplitRule) -> Split:
    """Cut by shares, in whole numbers: floats would lose a row now and then."""
    rows = panel.lengths
    whole = sum(rule.shares)
    train_end = rows * rule.shares[0] // whole
    return Split(train_end, rows - rows * rule.shares[2] // whole, rows)


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
        step = pd.Timedelta(pd.tseries.frequencies.to_offset(freq))  # type: ignore[arg-type]  # a Tick, or refused
    except ValueError:
        return None
    rows, rest = divmod(pd.Timedelta(days=1).value, step.value)
    return rows if not rest else None


def _split_date(panel: Panel, rule: SplitRule) -> Split:
    """Cut by dates: a row belongs to the part in which its own timestamp lies."""
    import pandas as pd

    if panel.freq is None or None in panel.starts:
        raise TaskError(f"--split {rule} needs timestamps, but {panel.name} has none; use 'ratio'")
    assert rule.dates is not None
    rows = panel.lengths
    starts = [start for start in panel.starts if start is not None]
    longest: dict[str, int] = {}
    for start, length in zip(starts, rows.tolist(), strict=True):
        longest[start] = max(length, longest.get(start, 0))
    grids = {start: pd.date_range(start, periods=n, freq=panel.freq) for start, n in longest.items()}
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
