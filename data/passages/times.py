"""The times of passages: a column of text to days and seconds, all rows at once, impossible dates rejected.

pyarrow's own `strptime` takes 2023-02-30 for March 2nd and the second 60 for the next minute, and knows one format a
call; here every row may have its own, at a third of the cost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Places = NDArray[np.int64]  # positions in the column's text

FIRST_YEAR, END_YEAR = 1900, 2200
SECONDS_A_DAY = 86_400

_MONTHS = np.arange(f"{FIRST_YEAR}-01", f"{END_YEAR}-02", dtype="datetime64[M]")
_MONTH_STARTS = _MONTHS.astype("datetime64[D]").astype(np.int32)
_MONTH_LENGTHS = np.diff(_MONTH_STARTS)
_ZERO, _DASH, _SLASH, _COLON, _DOT, _COMMA, _PLUS = b"0-/:.,+"
_SPACE, _TAB, _T, _Z = b" \tTZ"
_MOST_BLANKS, _MOST_DIGITS = 8, 12


@dataclass(frozen=True)
class Times:
    """The times of a column's rows, as the clock on the wall showed them.

    valid: (rows,). day: (rows,) int32, days since 1970-01-01. second: (rows,) int32, of the day.
    zoned: how many named a zone, which was cut off. Where not valid, day and second mean nothing.
    """

    valid: Mask
    day: NDArray[np.int32]
    second: NDArray[np.int32]
    zoned: int


def parse_passage_times(column: pa.BinaryArray) -> Times:
    """Read times like 2023-12-01 06:49:01, 2023/12/1 0:00:01 and 2023-12-01T06:49, (rows,).

    Numbers may lack their leading zero, seconds may be absent; a fraction of a second and a zone are cut off.
    """
    offsets = np.frombuffer(column.buffers()[1], np.int32)[column.offset : column.offset + len(column) + 1]
    text = np.frombuffer(column.buffers()[2] or b"\0", np.uint8)
    return _Scan(text if len(text) else np.zeros(1, np.uint8), offsets.astype(np.int64)).times()


class _Scan:
    """Walks through all rows at once, a place in each; a row that leaves its own text ends behind its end."""

    def __init__(self, text: Bytes, offsets: Places) -> None:
        self.text = text
        self.place, self.end = offsets[:-1].copy(), offsets[1:]
        self.valid = np.ones(len(self.end), dtype=np.bool_)

    def times(self) -> Times:
        self._skip_blanks()
        year = self._year()
        self._expect(_DASH, _SLASH)
        month = self._number()
        self._expect(_DASH, _SLASH)
        day = self._number()
        self._expect(_SPACE, _T)
        self._skip_blanks()
        second = self._number().astype(np.int32) * 3600
        self.valid &= second < SECONDS_A_DAY
        self._expect(_COLON)
        second += self._sixty() * np.int32(60)
        second += self._seconds()
        zoned = self._tails()
        return Times(self.valid, self._day(year, month, day), second, zoned)

    def _byte(self, ahead: int = 0) -> Bytes:
        found: Bytes = self.text.take(self.place + ahead if ahead else self.place, mode="clip")
        return found

    def _digit(self, ahead: int = 0) -> Bytes:
        return self._byte(ahead) - np.uint8(_ZERO)  # not a digit = above 9, also where it wraps

    def _skip_blanks(self) -> None:
        for _ in range(_MOST_BLANKS):
            blank = _is_one_of(self._byte(), _SPACE, _TAB) & (self.place < self.end)
            if not blank.any():
                return
            self.place += blank

    def _expect(self, *marks: int) -> None:
        self.valid &= _is_one_of(self._byte(), *marks)
        self.place += 1

    def _year(self) -> NDArray[np.int32]:
        year = np.zeros(len(self.end), dtype=np.int32)
        for ahead in range(4):
            digit = self._digit(ahead)
            self.valid &= digit < 10
            year = year * np.int32(10) + digit
        self.place += 4
        return year

    def _number(self, *, is_last: bool = False) -> Bytes:
        """Read one digit or two; after the last number the next row's text may begin."""
        first, second = self._digit(), self._digit(1)
        self.valid &= first < 10
        longer = second < 10
        if is_last:
            longer &= self.place + 1 < self.end
        self.place += 1
        self.place += longer
        return np.where(longer, first * np.uint8(10) + second, first)

    def _sixty(self) -> Bytes:
        number = self._number(is_last=True)
        self.valid &= number < 60
        return number

    def _seconds(self) -> Bytes:
        """Read ':07', or nothing where no colon follows the minutes."""
        absent = (self._byte() != _COLON) | (self.place >= self.end)
        if not absent.any():
            self.place += 1
            return self._sixty()
        at, minutes = self.place.copy(), self.valid.copy()
        self.place += 1
        seconds = self._sixty()
        self.place = np.where(absent, at, self.place)
        self.valid = np.where(absent, minutes, self.valid)
        return np.where(absent, np.uint8(0), seconds)

    def _tails(self) -> int:
        """Check that every row ends here, or after a fraction, a zone and blanks; return how many name a zone."""
        rows = np.flatnonzero(self.valid & (self.place < self.end))
        self.valid &= self.place <= self.end
        if not len(rows):
            return 0
        tail = _Scan(self.text, np.zeros(len(rows) + 1, np.int64))
        tail.place, tail.end = self.place[rows], self.end[rows]
        tail._skip_fraction()
        zoned = tail._skip_zone()
        tail._skip_blanks()
        tail.valid &= tail.place == tail.end
        self.valid[rows] = tail.valid
        return int((zoned & tail.valid).sum())

    def _skip_fraction(self) -> None:
        running = _is_one_of(self._byte(), _DOT, _COMMA) & (self.place < self.end)
        fraction, self.place = running, self.place + running
        for digits in range(_MOST_DIGITS):
            running = running & (self._digit() < 10) & (self.place < self.end)
            if digits == 0:
                self.valid &= running | ~fraction
            if not running.any():
                return
            self.place += running

    def _skip_zone(self) -> Mask:
        """Pass over Z, +08:00, +0800 or +08; return which rows have one."""
        inside = self.place < self.end
        utc = _is_one_of(self._byte(), _Z) & inside
        shifted = _is_one_of(self._byte(), _PLUS, _DASH) & inside & (self._digit(1) < 10) & (self._digit(2) < 10)
        self.place += utc + 3 * shifted
        shifted_minutes = shifted & (self.place < self.end)
        self.place += shifted_minutes & _is_one_of(self._byte(), _COLON)
        shifted_minutes &= (self._digit() < 10) & (self._digit(1) < 10)
        self.place += 2 * shifted_minutes
        return utc | shifted

    def _day(self, year: NDArray[np.int32], month: Bytes, day: Bytes) -> NDArray[np.int32]:
        self.valid &= (year >= FIRST_YEAR) & (year < END_YEAR) & (month >= 1) & (month <= 12) & (day >= 1)
        number = (year - np.int32(FIRST_YEAR)) * np.int32(12) + month - np.int32(1)
        self.valid &= day <= _MONTH_LENGTHS.take(number, mode="clip")
        found: NDArray[np.int32] = _MONTH_STARTS.take(number, mode="clip") + day - np.int32(1)
        return found


def _is_one_of(found: Bytes, *marks: int) -> Mask:
    match: Any = found == marks[0]
    for mark in marks[1:]:
        match |= found == mark
    return np.asarray(match, dtype=np.bool_)
