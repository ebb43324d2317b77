"""Files that are odd but right, each with the series that must be read from it."""

from __future__ import annotations

import bz2
import csv
import decimal
import gzip
import io
import json
import lzma
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.fuzz.workbook import workbook

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia")
STEPS = ("s", "min", "15min", "h", "6h", "D", "7D", "MS", "ME", "QS-JAN")
_PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
}
_NAMES = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), max_size=12).map(lambda t: f"s{t}e")
# a number that float32 holds exactly, so that what is read must be equal
_VALUES = st.integers(-(2**20), 2**20).map(lambda n: n / 4) | st.floats(width=32, allow_nan=False, allow_infinity=False)


@dataclass(frozen=True)
class Series:
    """Series over one grid of times. values: (n_series, rows), NaN = missing."""

    times: pd.DatetimeIndex
    ids: tuple[str, ...]
    values: NDArray[np.float64]
    step: str = "h"

    def frame(self) -> pd.DataFrame:
        return pd.DataFrame(self.values.T, columns=list(self.ids))


@dataclass(frozen=True)
class SeriesFile:
    """A file, how it must be asked to be read, and the series that it holds."""

    name: str
    content: bytes
    series: Series
    options: dict[str, Any] = field(default_factory=dict)
    timed: bool = True


@st.composite
def series(draw: st.DrawFn, *, rows: int = 40, zoned: bool = False) -> Series:
    """Draw series; zoned: over times with a zone, in steps below a day."""
    step = draw(st.sampled_from(STEPS[:5] if zoned else STEPS))
    year = draw(st.integers(1972, 2037) if zoned else st.integers(1700, 2200) | st.integers(1990, 2030))
    start = pd.Timestamp(year, draw(st.sampled_from((1, 2, 3, 10, 12))), draw(st.integers(1, 28)))
    if zoned:
        start = start.tz_localize(draw(st.sampled_from(ZONES)), ambiguous=True, nonexistent="shift_forward")
    times = pd.date_range(start, periods=draw(st.integers(4, rows)), freq=step)
    ids = draw(st.lists(_NAMES, min_size=1, max_size=4, unique_by=lambda name: name.strip().lower()))
    columns = [draw(_column(len(times))) for _ in ids]
    return Series(times, tuple(ids), np.array(columns, dtype=np.float64), step)


@st.composite
def _column(draw: st.DrawFn, rows: int) -> list[float]:
    cells = draw(st.lists(_VALUES | st.just(float("nan")), min_size=rows, max_size=rows))
    return cells if any(cell == cell for cell in cells) else [0.25, *cells[1:]]


@st.composite
def wide_csv(draw: st.DrawFn) -> SeriesFile:
    zoned = draw(st.booleans())
    found = draw(series(zoned=zoned))
    separator, ending = draw(st.sampled_from(",;\t|")), draw(st.sampled_from(("\n", "\r\n")))
    comma = separator != "," and draw(st.booleans())
    stamps = _stamps(draw, found.times)
    missing = draw(st.sampled_from(("", "NaN", "NA", "null")))
    text = io.StringIO()
    writer = csv.writer(
        text,
        delimiter=separator,
        lineterminator=ending,
        quoting=draw(st.sampled_from((csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC))),
    )
    writer.writerow(["date", *found.ids])
    for row, stamp in enumerate(stamps):
        cells = [_cell(value, missing, comma=comma) for value in found.values[:, row]]
        writer.writerow([stamp, *cells])
    ids = tuple(name.strip() for name in found.ids)
    options = {"decimal": ","} if comma else {}
    encoding = draw(st.sampled_from(("utf-8", "utf-8-sig", "utf-16")))
    pack = draw(st.sampled_from(sorted(_PACKERS)))
    raw = _PACKERS[pack](text.getvalue().encode(encoding))
    return SeriesFile(f"wide.csv{pack}", raw, Series(found.times, ids, found.values, found.step), options)


@st.composite
def long_csv(draw: st.DrawFn) -> SeriesFile:
    found = draw(series())
    ids = tuple(name.strip() for name in found.ids)
    stamps = _stamps(draw, found.times)
    lines = [
        [name, stamp, _cell(value, "", comma=False)]
        for name, values in zip(ids, found.values, strict=True)
        for stamp, value in zip(stamps, values, strict=True)
    ]
    if draw(st.booleans()):  # by time instead of by series
        lines.sort(key=lambda line: stamps.index(line[1]))
    text = io.StringIO()
    writer = csv.writer(text, quoting=draw(st.sampled_from((csv.QUOTE_MINIMAL, csv.QUOTE_ALL))))
    writer.writerow(
        draw(st.sampled_from((("id", "time", "value"), ("unique_id", "ds", "y"), ("Series", "Date", "Target"))))
    )
    writer.writerows(lines)
    return SeriesFile("long.csv", text.getvalue().encode(), Series(found.times, ids, found.values, found.step))


@st.composite
def json_lines(draw: st.DrawFn) -> SeriesFile:
    found = draw(series())
    key = draw(st.sampled_from(("sequence", "target")))
    ascii_only, spaces = draw(st.booleans()), draw(st.sampled_from(("", " ", "\t")))
    lines = []
    for name, values in zip(found.ids, found.values, strict=True):
        cells = [None if np.isnan(value) else value for value in values.tolist()]
        record = {"id": name, key: cells, "start": str(found.times[0]), "freq": found.step}
        lines.append(spaces + json.dumps(record, ensure_ascii=ascii_only) + spaces)
    text = "\n".join(lines) + draw(st.sampled_from(("", "\n", "\n\n \n")))
    pack = draw(st.sampled_from(sorted(_PACKERS)))
    raw = _PACKERS[pack](text.encode(draw(st.sampled_from(("utf-8", "utf-8-sig")))))
    return SeriesFile(f"lines.jsonl{pack}", raw, found)


@st.composite
def parquet(draw: st.DrawFn) -> SeriesFile:
    found = draw(series(zoned=draw(st.booleans())))
    frame = found.frame()
    kinds = [draw(st.sampled_from(("double", "float", "integer", "decimal", "text"))) for _ in found.ids]
    unit = draw(st.sampled_from(("s", "ms", "us", "ns")))
    times = pa.array(found.times.as_unit("ns")).cast(pa.timestamp(unit, tz=_zone(found.times)))
    columns = [_arrow_column(frame[name], kind) for name, kind in zip(found.ids, kinds, strict=True)]
    table = pa.Table.from_arrays([times, *columns], names=["date", *found.ids])
    if draw(st.booleans()):
        metadata = draw(st.sampled_from((b"", b"{}", b"not json", b'{"a": [1]}')))
        table = table.replace_schema_metadata({"spark.version": b"3", "other": metadata})
    out = io.BytesIO()
    pq.write_table(
        table,
        out,
        row_group_size=draw(st.sampled_from((1, 3, 1000, 10**7))),
        compression=draw(st.sampled_from(("none", "snappy", "gzip", "zstd", "brotli", "lz4"))),
        use_dictionary=draw(st.booleans()),
        version=draw(st.sampled_from(("1.0", "2.4", "2.6"))) if unit != "ns" else "2.6",
        data_page_version=draw(st.sampled_from(("1.0", "2.0"))),
    )
    return SeriesFile("table.parquet", out.getvalue(), found)


def _zone(times: pd.DatetimeIndex) -> str | None:
    return None if times.tz is None else str(times.tz)


def _arrow_column(column: pd.Series, kind: str) -> pa.Array:
    """Return a column of one type, where that holds all its values; as doubles else."""
    known = column.dropna()
    doubles = pa.array(column, from_pandas=True)
    if kind == "float":
        return doubles.cast(pa.float32())
    if kind == "integer" and (known % 1 == 0).all() and (known.abs() < 2**31).all():
        return pa.array([None if np.isnan(v) else int(v) for v in column], pa.int32())
    if kind == "decimal" and (known * 4 % 1 == 0).all() and (known.abs() < 2**31).all():
        return pa.array([None if np.isnan(v) else decimal.Decimal(str(v)) for v in column], pa.decimal128(20, 3))
    if kind == "text":
        return pa.array([None if np.isnan(v) else repr(v) for v in column], pa.string())
    return doubles


@st.composite
def parquet_of_lists(draw: st.DrawFn) -> SeriesFile:
    found = draw(series())
    rows = {
        "item_id": list(found.ids),
        "start": [found.times[0].to_pydatetime()] * len(found.ids),
        "freq": [found.step] * len(found.ids),
        "target": [[None if np.isnan(v) else v for v in values] for values in found.values.tolist()],
    }
    out = io.BytesIO()
    pq.write_table(pa.table(rows), out, row_group_size=draw(st.sampled_from((1, 100))))
    return SeriesFile("lists.parquet", out.getvalue(), found)


@st.composite
def excel(draw: st.DrawFn) -> SeriesFile:
    found = draw(series(rows=12))
    rows: list[list[object]] = [["date", *found.ids]]
    for stamp, values in zip(found.times, found.values.T, strict=True):
        rows.append([str(stamp), *(None if np.isnan(v) else v for v in values.tolist())])
    return SeriesFile("book.xlsx", workbook(rows), found)


@st.composite
def tsf(draw: st.DrawFn) -> SeriesFile:
    found = draw(series())
    known = {"h": "hourly", "D": "daily", "15min": "15_minutes"}
    step = found.step if found.step in known else "D"
    times = pd.date_range(found.times[0].normalize().replace(day=1), periods=len(found.times), freq=step)
    head = "@relation r\n@attribute series_name string\n@attribute start_timestamp date\n"
    head += f"@frequency {known[step]}\n@missing true\n@equallength true\n@data\n"
    lines = []
    for i, values in enumerate(found.values.tolist()):
        text = ",".join("?" if np.isnan(value) else repr(value) for value in values)
        lines.append(f"T{i}:{times[0]:%Y-%m-%d %H-%M-%S}:{text}\n")
    ids = tuple(f"T{i}" for i in range(len(found.ids)))
    return SeriesFile("monash.tsf", (head + "".join(lines)).encode(), Series(times, ids, found.values, step))


@st.composite
def zipped(draw: st.DrawFn) -> SeriesFile:
    """A zip file that holds one CSV file."""
    inner = draw(wide_csv().filter(lambda file: file.name == "wide.csv"))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(draw(st.sampled_from(("wide.csv", "a/b/c.txt", "../up.csv", "/abs.csv"))), inner.content)
    return SeriesFile("wide.csv.zip", out.getvalue(), inner.series, inner.options)


def right_files() -> st.SearchStrategy[SeriesFile]:
    """Draw a file of any format."""
    return st.one_of(
        wide_csv(), long_csv(), json_lines(), parquet(), parquet_of_lists(), excel(), tsf(), zipped(), wide_csv()
    )


def _stamps(draw: st.DrawFn, times: pd.DatetimeIndex) -> list[str]:
    """Write timestamps in one format that can be read in one way."""
    formats = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y/%m/%d %H:%M:%S", "%d %b %Y %H:%M:%S"]
    if times.tz is not None:
        return [stamp.isoformat() for stamp in times]
    if (times == times.normalize()).all():
        formats += ["%Y-%m-%d", "%Y%m%d", "%d-%b-%Y"]
    if times[0].year >= 1980 and times[-1].year < 2100 and draw(st.booleans()):
        unit = draw(st.sampled_from((1, 1000)))
        return [str(int(stamp.timestamp()) * unit) for stamp in times]
    format = draw(st.sampled_from(formats))
    return [stamp.strftime(format) for stamp in times]


def _cell(value: float, missing: str, *, comma: bool) -> str:
    text = missing if np.isnan(value) else repr(float(value))
    return text.replace(".", ",") if comma else text
