"""The notes on passages: which rows were dropped, what they looked like, and what to correct."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from data.passages.counts import Tally
from data.passages.file import FileCount

_MOST_SHOWN = 5


def dropped_notes(files: list[FileCount], rows: Tally) -> Iterator[str]:
    """Note every kind of row that was dropped wherever its time lies, with examples."""
    unmapped: Counter[str] = sum((count.unmapped for count in files), Counter())
    directions: Counter[str] = sum((count.bad_directions for count in files), Counter())
    times = list(dict.fromkeys(text for count in files for text in count.bad_times))
    if rows.malformed:
        yield f"{_rows(rows.malformed)} dropped, with more or fewer cells than the header"
    if rows.unmapped_site:
        yield f"{_rows(rows.unmapped_site)} dropped, the site empty or not in the site map: {_top(unmapped)}"
    if rows.bad_direction:
        yield f"{_rows(rows.bad_direction)} dropped, the direction not wanted: {_top(directions)}"
    if rows.bad_time:
        yield f"{_rows(rows.bad_time)} dropped, the time unreadable or impossible: {_examples(times)}"
    if zoned := sum(count.zoned for count in files):
        yield f"{_rows(zoned)} with a zone in the time: cut off, the time taken as written"


def period_notes(rows: Tally, start: str, end: str, *, is_month: bool) -> Iterator[str]:
    """Note the rows that lie elsewhere in time."""
    if rows.outside_period:
        what = "the month with most passages" if is_month else "the period"
        yield f"{_rows(rows.outside_period)} dropped, outside {what}, {start} to {end}"


def empty_notes(ids: tuple[str, ...], values: NDArray[np.int64]) -> Iterator[str]:
    """Note the series without a passage; values: (n_series, n_buckets)."""
    empty = [name for name, total in zip(ids, values.sum(axis=1).tolist(), strict=True) if not total]
    if empty:
        yield f"{len(empty)} series without a passage, all 0: {_examples(empty)}"


def file_warnings(files: list[FileCount], twice: dict[tuple[int, int], int]) -> Iterator[str]:
    """Warn of rows that two files share, and of files that gave nothing."""
    for (first, later), n in sorted(twice.items()):
        yield (
            f"{files[first].path.name} and {files[later].path.name} hold the same {_rows(n)}, second for second over "
            f"whole hours of a site and direction, and both were counted: leave one of the files out, or cut these "
            f"rows from one"
        )
    for count in files:
        if count.swallowed:
            where = "" if count.odd_line is None else f"; line {count.odd_line} is the first with an odd number of them"
            yield (
                f"{count.path.name}: lines inside quotation marks that are no rows of their own: {count.swallowed:,}"
                f"{where}: if a mark was left open, correct it"
            )
        if not count.rows.read:
            yield f"{count.path.name} has no rows"
        elif not count.rows.used:
            yield f"{count.path.name} gave no passage: of its {_rows(count.rows.read)} none is usable"


def _rows(number: int) -> str:
    return f"{number:,} row{'' if number == 1 else 's'}"


def _top(counter: Counter[str]) -> str:
    """Name the commonest values and their rows."""
    shown = [f"{name!r} {n:,}" for name, n in counter.most_common(_MOST_SHOWN)]
    return ", ".join(shown) + (", ..." if len(counter) > _MOST_SHOWN else "")


def _examples(texts: list[str]) -> str:
    return ", ".join(map(repr, texts[:_MOST_SHOWN])) + (", ..." if len(texts) > _MOST_SHOWN else "")
