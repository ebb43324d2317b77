"""Timestamps as text: every way to read a whole column, each in one format."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pandas as pd

from data.frequencies import within_years

SAMPLE = 200  # values that a format must fit before the whole column is tried
NOT_ISO = "are not ISO"

_ZONE = re.compile(r"(?:\s?(?:Z|UTC|GMT)|\s?[+-]\d\d(?::?\d\d)?)$", re.IGNORECASE)
_CLOCK = re.compile(r"\d{1,2}:\d\d|\d\s?[AaPp]\.?[Mm]\b")
_MIDNIGHT_AT_THE_END = r"[ T]24:00(?::00(?:\.0+)?)?$"

# What a date may look like, and the formats that this allows; S is any one separator.
_DATES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"\d{4}S\d{1,2}S\d{1,2}", ("%YS%mS%d",)),
    (r"\d{1,2}S\d{1,2}S\d{4}", ("%mS%dS%Y", "%dS%mS%Y")),
    (r"\d{1,2}S\d{1,2}S\d{2}", ("%mS%dS%y", "%dS%mS%y", "%yS%mS%d")),
    (r"\d{1,2}S[A-Za-z]{3}S\d{4}", ("%dS%bS%Y",)),
    (r"\d{1,2}S[A-Za-z]{3,}S\d{4}", ("%dS%BS%Y",)),
    (r"\d{1,2}S[A-Za-z]{3}S\d{2}", ("%dS%bS%y",)),
    (r"\d{1,2}[A-Za-z]{3}\d{4}", ("%d%b%Y",)),
    (r"[A-Za-z]{3} \d{1,2}, \d{4}", ("%b %d, %Y",)),
    (r"[A-Za-z]{3,} \d{1,2}, \d{4}", ("%B %d, %Y",)),
    (r"\d{4}S\d{1,2}", ("%YS%m",)),
    (r"\d{1,2}S\d{4}", ("%mS%Y",)),
    (r"\d{4}M\d{1,2}", ("%YM%m",)),
    (r"[A-Za-z]{3}S\d{4}", ("%bS%Y",)),
    (r"[A-Za-z]{3,}S\d{4}", ("%BS%Y",)),
    (r"\d{4}S[A-Za-z]{3}", ("%YS%b",)),
)
_SEPARATORS = "/-. "
_TIMES: tuple[tuple[str, str], ...] = (
    ("", ""),
    (r"\d{1,2}:\d\d", "%H:%M"),
    (r"\d{1,2}:\d\d:\d\d", "%H:%M:%S"),
    (r"\d{1,2}:\d\d:\d\d\.\d+", "%H:%M:%S.%f"),
    (r"\d{1,2}:\d\d [AaPp][Mm]", "%I:%M %p"),
    (r"\d{1,2}:\d\d[AaPp][Mm]", "%I:%M%p"),
    (r"\d{1,2}:\d\d:\d\d [AaPp][Mm]", "%I:%M:%S %p"),
    (r"\d{1,2} [AaPp][Mm]", "%I %p"),
)
_JOINTS = (" ", "T", ":", ", ")
_DIGITS = {4: "%Y", 6: "%Y%m", 8: "%Y%m%d", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_DIGIT_NAMES = {"%Y": "yyyy", "%m": "mm", "%d": "dd", "%H": "HH", "%M": "MM", "%S": "SS"}
_YEARS = range(1700, 2262)
_Signs = dict[str | int, int | str | None]
_QUARTER = r"(?:(?P<y1>\d{4})[-/ ]?Q(?P<q1>[1-4])|Q(?P<q2>[1-4])[-/ ]?(?P<y2>\d{4}))"
_WEEK = r"\d{4}-?W\d\d"


@dataclass(frozen=True, eq=False)
class Reading:
    """One way to read a column.

    utc: (rows,) datetime64[ns, UTC]; where no zone is written, the wall time as if it were UTC. NaT = does not fit.
    wall: (rows,) datetime64[ns], as on the writer's clock. zoned: whether the text names its offset from UTC.
    format: of strptime, or what the text is ('ISO').
    """

    utc: pd.Series
    wall: pd.Series
    format: str
    zoned: bool = False

    @property
    def fits(self) -> bool:
        """Whether every value was read."""
        return not self.utc.isna().any()

    @property
    def is_iso(self) -> bool:
        return self.format == "ISO"


def readings(text: pd.Series) -> list[Reading]:
    """Return every way to read a column of text, in order of preference; of none that fits, the nearest alone.

    text: (rows,) str, without missing values. ISO 8601 comes first, and excludes all others if any value is ISO.
    """
    text, a_day = _without_hour_24(text.str.strip())
    found = list(_all_readings(text))
    fitting = [reading for reading in found if reading.fits]
    chosen = fitting or sorted(found, key=lambda reading: int(reading.utc.isna().sum()))[:1]
    return [_later(reading, a_day) for reading in chosen]


def read_format(text: pd.Series, format: str) -> Reading:
    """Read a column as strptime would; NaT where that fails."""
    text, a_day = _without_hour_24(text.str.strip())
    return _later(_parse(text, format), a_day)


def _later(reading: Reading, days: pd.Series) -> Reading:
    """Return a reading with days added; DataError where that is past the last of them."""
    with within_years("24:00 on the last of these days does not", "or write 23:59"):
        return replace(reading, utc=reading.utc + days, wall=reading.wall + days)


def digit_reading(digits: pd.Series) -> Reading | None:
    """Read a column of digits as a year, yyyymm, yyyymmdd, yyyymmddHH, and so on; None if it is not all of one form."""
    lengths = digits.str.len()
    format = _DIGITS.get(int(lengths.iloc[0])) if lengths.nunique() == 1 else None
    if format is None or not digits.str[:4].astype(int).isin(_YEARS).all():
        return None
    reading = _parse(digits, format)
    return reading if reading.fits else None


def digit_name(format: str) -> str:
    """Return 'yyyymmddHH' for '%Y%m%d%H'."""
    return "".join(_DIGIT_NAMES[part] for part in re.findall("%.", format))


def _all_readings(text: pd.Series) -> Iterator[Reading]:
    iso = _iso(text)
    if iso.utc.notna().any():
        yield iso
        return
    if text.str.fullmatch(_QUARTER).all():
        yield _quarters(text)
        return
    if text.str.fullmatch(_WEEK).all():
        weeks = text.str.replace("-", "") + "-1"
        yield Reading(*_both(pd.to_datetime(weeks, format="%GW%V-%u", errors="coerce")), "ISO week")
        return
    text = _in_digits(text)
    iso = _iso(text)
    if iso.fits:
        yield iso
        return
    for format in _formats(text):
        if _parse(text.iloc[:SAMPLE], format).fits:
            yield _parse(text, format)
        elif not _parse(text.iloc[:1], format).utc.isna().any():
            yield _parse(text, format)  # to say where it ends to fit
    yield iso


def _iso(text: pd.Series) -> Reading:
    """Read ISO 8601, with or without an offset; NaT where that fails."""
    utc = pd.to_datetime(text, format="ISO8601", errors="coerce", utc=True)
    zoned = bool(text.iloc[:SAMPLE].str.contains(_ZONE).any()) and bool(text.str.contains(":").any())
    if not zoned:
        return Reading(utc, utc.dt.tz_localize(None), "ISO")
    wall = pd.to_datetime(text.str.replace(_ZONE, "", regex=True), format="ISO8601", errors="coerce", utc=True)
    return Reading(utc, wall.dt.tz_localize(None), "ISO", zoned=True)


def _parse(text: pd.Series, format: str) -> Reading:
    """Read one format of strptime; NaT where that fails."""
    utc = pd.to_datetime(text, format=format, errors="coerce", utc=True)
    if not format.endswith("%z"):
        return Reading(utc, utc.dt.tz_localize(None), format)
    plain = text.str.replace(_ZONE, "", regex=True)
    wall = pd.to_datetime(plain, format=format.removesuffix("%z").rstrip(), errors="coerce")
    return Reading(utc, wall, format, zoned=True)


def _both(times: pd.Series) -> tuple[pd.Series, pd.Series]:
    return times.dt.tz_localize("UTC"), times


def _formats(text: pd.Series) -> list[str]:
    """Return the formats that the first value allows; of a column where midnight is written without a clock, those of
    a value that has one."""
    first = str(text.iloc[0])
    zone = _ZONE.search(first) if _CLOCK.search(first) else None
    body, tail = (first[: zone.start()], "%z") if zone else (first, "")
    if zone and zone.group().startswith(" "):
        tail = " %z"
    return [format + tail for pattern, formats in _patterns() if pattern.fullmatch(body) for format in formats]


@functools.cache
def _patterns() -> tuple[tuple[re.Pattern[str], tuple[str, ...]], ...]:
    """Return what a timestamp may look like, and the formats that each allows: more than `re` would remember."""
    found = []
    for (shape, dates), separator, (clock, time), joint in itertools.product(_DATES, _SEPARATORS, _TIMES, _JOINTS):
        if ("S" not in shape and separator != _SEPARATORS[0]) or (not time and joint != _JOINTS[0]):
            continue  # the same once more
        pattern = shape.replace("S", re.escape(separator)) + (re.escape(joint) + clock if time else "")
        formats = tuple(d.replace("S", separator) + (joint + time if time else "") for d in dates)
        found.append((re.compile(pattern), formats))
    return tuple(found)


def _in_digits(text: pd.Series) -> pd.Series:
    """Write Chinese dates with signs, days without a clock as their midnights where others have one, AM for a.m."""
    if text.str.contains("年").any():
        signs: _Signs = {
            "年": "-",
            "月": "-",
            "日": " ",
            "时": ":",
            "時": ":",
            "分": ":",
            "秒": "",
        }
        text = text.str.translate(str.maketrans(signs)).str.replace(r"[-:\s]+$", "", regex=True)
        text = text.str.replace(r"\s+", " ", regex=True)
        text = text.str.replace(r"( \d{1,2})$", r"\1:00", regex=True)
        text = text.str.replace(r"\b(\d)\b", r"0\1", regex=True)
    text = text.str.replace(r"\b([ap])\.?m\.?$", r"\1m", regex=True, case=False)
    clocked = text.str.contains(_CLOCK)
    if clocked.any() and not clocked.all():
        first = str(text[clocked].iloc[0])
        if not re.search(r"[AaPp][Mm]$", first):
            midnight = " 00:00:00" if re.search(r":\d\d:\d\d", first) else " 00:00"
            text = text.where(clocked, text + midnight)
    return text


def _without_hour_24(text: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Write 24:00 as 00:00; return also what must be added, a day where that was done."""
    late = text.str.contains(_MIDNIGHT_AT_THE_END, regex=True)
    if late.any():
        text = text.where(~late, text.str.replace(r"24(:00(?::00(?:\.0+)?)?)$", r"00\1", regex=True))
    return text, pd.to_timedelta(late.astype(int), unit="D")


def _quarters(text: pd.Series) -> Reading:
    """Read 2024Q1, 2024-Q1 or Q1 2024 as the quarter's first day."""
    parts = text.str.extract(_QUARTER)
    year, quarter = parts["y1"].fillna(parts["y2"]), parts["q1"].fillna(parts["q2"]).astype(int)
    first = year + "-" + (3 * quarter - 2).astype(str)
    return Reading(*_both(pd.to_datetime(first, format="%Y-%m", errors="coerce")), "quarter")
