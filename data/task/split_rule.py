"""The names of the split protocols: a text becomes a rule, and a rule writes itself as its shortest text."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from typing import Literal

from data.errors import TaskError, near_names

_FORMS = (  # 'rows:N' has no test part: not to search
    "'ratio' (or 'time'), 'ratio:7:1:2', 'series', 'series:8:1:1@3', 'ett' or 'date:2017-07-01,2017-11-01'"
)
_KINDS = ("ratio", "time", "series", "ett", "date")
_USUAL_SHARES = (8, 1, 1)


@dataclass(frozen=True)
class SplitRule:
    """A named way to cut a panel.

    shares: the whole-number shares of train, validation and test, in lowest terms ('ratio': of each series' rows,
    'series': of the files).
    dates: TRAIN_END and VAL_END as ISO timestamps without a zone ('date' alone).
    train_rows: how many rows of each series come before validation, which has the rest ('rows' alone).
    seed: which files go to which part ('series' alone).
    """

    kind: Literal["ratio", "series", "ett", "date", "rows"]
    shares: tuple[int, int, int] = _USUAL_SHARES
    dates: tuple[str, str] | None = None
    train_rows: int = 0
    seed: int = 0

    def __str__(self) -> str:
        """Return the text that `parse_split` reads back as this rule."""
        if self.kind == "date" and self.dates is not None:
            return "date:" + ",".join(self.dates)
        if self.kind == "rows":
            return f"rows:{self.train_rows}"
        shares = "" if self.shares == _USUAL_SHARES else ":" + ":".join(map(str, self.shares))
        return f"{self.kind}{shares}" + (f"@{self.seed}" if self.seed else "")


def parse_split(text: str) -> SplitRule:
    """Read a split's name.

    'ratio' is 8:1:1, 'ratio:7:1:2' any other shares, and 'time' another name for it; 'series' gives whole files to
    train, validation and test, 8:1:1 of them, 'series:7:1:2' in other shares, and 'series@3' or 'series:7:1:2@3'
    draws them with seed 3 instead of 0; 'ett' is 12, 4 and 4 months of 30 days;
    'date:TRAIN_END,VAL_END' trains before the first date, validates before the second, tests from there on;
    'rows:N' validates from row N of each series to its end, and tests nothing.
    Raises TaskError for anything else, with the nearest name.
    """
    kind, _, rest = text.strip().partition(":")
    if kind.partition("@")[0] == "series":
        named, at, seed = text.strip().partition("@")
        shares = named.removeprefix("series").removeprefix(":")
        return SplitRule("series", shares=_parse_shares(text, shares), seed=_parse_seed(text, seed) if at else 0)
    if kind in ("ratio", "time"):
        return SplitRule("ratio", shares=_parse_shares(text, rest))
    if kind == "ett" and not rest:
        return SplitRule("ett")
    if kind == "date":
        return SplitRule("date", dates=_parse_dates(text, rest))
    if kind == "rows" and rest.isdecimal():
        return SplitRule("rows", train_rows=int(rest))
    raise TaskError(f"--split must be {_FORMS}, got {text!r}{near_names(kind, _KINDS) or '; choose one of these'}")


def _parse_shares(text: str, rest: str) -> tuple[int, int, int]:
    """Read 'a:b:c' as shares in lowest whole terms, so that 0.8:0.1:0.1 is 8:1:1; nothing is 8:1:1 too."""
    if not rest:
        return _USUAL_SHARES
    try:
        train, val, test = (Fraction(part) for part in rest.split(":"))
        valid = min(train, val, test) > 0
    except (ValueError, ZeroDivisionError):
        valid = False
    if not valid:
        kind = "series" if text.strip().startswith("series") else "ratio"
        raise TaskError(f"--split {kind} needs three shares above 0, got {text!r}; write it like '{kind}:7:1:2'")
    whole = math.lcm(train.denominator, val.denominator, test.denominator)
    shares = int(train * whole), int(val * whole), int(test * whole)
    factor = math.gcd(*shares)
    return shares[0] // factor, shares[1] // factor, shares[2] // factor


def _parse_seed(text: str, seed: str) -> int:
    """Read what follows the '@' of 'series@3'."""
    if not (seed.isascii() and seed.isdecimal()):
        raise TaskError(
            f"--split series needs a whole number as seed after '@', got {text!r}; write it like 'series@3'"
        )
    return int(seed)


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
