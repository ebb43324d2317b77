"""Makes a month of passage records from a seed, as real exports look: rhythms, a holiday, an outage, and bad rows."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
from numpy.typing import NDArray

from data.errors import DataError, UserError

SAMPLE_SEED = 20231201
COLUMNS = ("XH", "KKMC", "FXLX", "GCSJ", "HPHM", "CDBH")  # number, site, direction, time, plate (a hash), lane
DAYS, HOLIDAY = 31, 21  # of December 2023, from 0; the 1st is a Friday
OUTAGE_SITE, OUTAGE_DAY, OUTAGE_SLOTS = 6, 11, slice(9 * 12, 16 * 12)  # CP007 on the 12th, 9 to 16 h
BAD_ONE_IN = 2_000  # one row in so many is bad, of each kind

_SLOTS, _SLOT_SECONDS = 288, 300  # of a day
_CHUNK_ROWS = 200_000
_MOST_SITES = 99
_MOST_ROWS = 10**10  # half a terabyte
_NAMES = (
    *("东岭", "西河", "南桥", "北关", "长坪", "白石", "清溪", "云山", "古城", "新店"),
    *("大湾", "青龙", "石门", "平安", "红旗", "双河", "金沙", "龙泉", "柳林"),
)
_UNKNOWN_NAME, _LATE_DAY = "测试卡口", "2023-11-30"
_DIRECTIONS = pa.array(["1", "2", "3", ""])
_BAD_TIMES = pa.array(["2023-12-32 08:00:00", "2023/2/30 7:15:00", "", "NULL"])
_HEX = np.frombuffer(b"0123456789ABCDEF", np.uint8)
_PLATE_LENGTH = 12

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SamplePassages:
    """What was written, and how many rows are bad in each way, as `Tally` names them."""

    files: tuple[Path, ...]
    site_map: Path
    rows: int
    bad: dict[str, int]


@dataclass(frozen=True)
class _Dialect:
    """How one file is written; `slashes` has no leading zeros: 2023/12/1 0:00:01."""

    encoding: str
    slashes: bool
    joint: str = " "
    quoting: str = "none"


_DIALECTS = (
    _Dialect("utf-8-sig", slashes=True),
    _Dialect("utf-8", slashes=False),
    _Dialect("utf-8", slashes=False, joint="T", quoting="needed"),
    _Dialect("gbk", slashes=True),
)
_KINDS = ("unmapped_site", "bad_direction", "bad_time", "outside_period")


def write_sample_passages(
    out: Path,
    *,
    rows: int,
    seed: int = SAMPLE_SEED,
    n_sites: int = len(_NAMES),
    n_files: int = 8,
    progress: Callable[[int], None] | None = None,
) -> SamplePassages:
    """Write December 2023 at n_sites checkpoints as out/csv/*.csv, and their map out/sites.csv.

    Each file has some of the days. In turn they are UTF-8 with a BOM, without, with every text quoted, and GBK; times
    are 2023/12/1 0:00:01, 2023-12-01 00:00:01 and with a T. Every third site has two raw names. One row in BAD_ONE_IN
    is bad in each of four ways. Equal arguments give equal bytes; memory does not depend on rows.
    progress: called with the rows written so far.
    Raises UserError for sizes that make no month, DataError if the folder cannot be written or holds other CSV files.
    """
    if not BAD_ONE_IN <= rows <= _MOST_ROWS or not 1 <= n_sites <= _MOST_SITES or not 1 <= n_files <= DAYS:
        raise UserError(
            f"a sample needs {BAD_ONE_IN:,} to {_MOST_ROWS:,} rows, 1 to {_MOST_SITES} sites and 1 to {DAYS} files, "
            f"got {rows:,}, {n_sites} and {n_files}; change them"
        )
    spans = np.array_split(np.arange(DAYS), n_files)
    files = [out / "csv" / f"passages_{span[0] + 1:02d}-{span[-1] + 1:02d}.csv" for span in spans]
    month = _Month(np.random.default_rng(seed), rows, n_sites)
    try:
        _make_folder(out / "csv", files)
        _write_map(out / "sites.csv", n_sites)
        for i, (path, span) in enumerate(zip(files, spans, strict=True)):
            month.write(path, span, _DIALECTS[i % len(_DIALECTS)], progress)
    except OSError as error:
        raise DataError(f"{out}: the folder cannot be written ({error.strerror}); give another with --out") from error
    return SamplePassages(tuple(files), out / "sites.csv", rows, dict.fromkeys(_KINDS, rows // BAD_ONE_IN))


def _make_folder(folder: Path, files: list[Path]) -> None:
    """Make the folder; reject one with CSV files that would be read besides ours."""
    folder.mkdir(parents=True, exist_ok=True)
    others = sorted({path.name for path in folder.glob("*.csv")} - {path.name for path in files})
    if others:
        raise DataError(
            f"{folder}: no other CSV file may lie beside the sample, and {others[0]} does; give another --out"
        )


def _raw_names(site: int) -> list[str]:
    """Return the names under which a site's rows come."""
    again = site // len(_NAMES)
    name = _NAMES[site % len(_NAMES)] + (f"{again + 1}号" if again else "")
    return [f"{name}检查站", f"{name}公安检查站"] if site % 3 == 0 else [f"{name}检查站"]


def _write_map(path: Path, n_sites: int) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["name", "id"])
        writer.writerows([name, f"CP{site + 1:03d}"] for site in range(n_sites) for name in _raw_names(site))


class _Month:
    """Draws rows and writes them, a chunk at a time."""

    def __init__(self, rng: np.random.Generator, rows: int, n_sites: int) -> None:
        self.rng, self.written = rng, 0
        rates = _rates(rng, n_sites)
        drawn = rng.multinomial(rows, (rates / rates.sum()).ravel())
        self.counts: Ints = drawn.reshape(DAYS, _SLOTS, n_sites * 2)
        n_bad = rows // BAD_ONE_IN
        self.bad = rng.choice(rows, size=(len(_KINDS), n_bad), replace=False)  # row numbers, by kind
        names = [_raw_names(site) for site in range(n_sites)]
        self.names = pa.array([name for each in names for name in each] + [_UNKNOWN_NAME])
        self.n_names = np.array([len(each) for each in names])
        self.first_name = np.cumsum(self.n_names) - self.n_names

    def write(self, path: Path, days: Ints, dialect: _Dialect, progress: Callable[[int], None] | None) -> None:
        """Write one file."""
        options = pa_csv.WriteOptions(include_header=False, quoting_style=dialect.quoting)
        texts = _Texts(dialect)
        with path.open("wb") as file:
            file.write((",".join(COLUMNS) + "\n").encode(dialect.encoding))
            for slots in self._chunks(days):
                sink = pa.BufferOutputStream()
                pa_csv.write_csv(self._table(slots, texts), sink, options)
                text = sink.getvalue().to_pybytes()
                file.write(text.decode("utf-8").encode("gbk") if dialect.encoding == "gbk" else text)
                if progress is not None:
                    progress(self.written)

    def _chunks(self, days: Ints) -> Iterator[Ints]:
        """Yield runs of slots, numbered from the month's first, with few enough rows."""
        slots = np.arange(days[0] * _SLOTS, (days[-1] + 1) * _SLOTS)
        before = np.cumsum(self.counts.reshape(len(self.counts) * _SLOTS, -1)[slots].sum(axis=1)) // _CHUNK_ROWS
        yield from np.split(slots, np.flatnonzero(np.diff(before)) + 1)

    def _table(self, slots: Ints, texts: _Texts) -> pa.Table:
        """Draw the rows of some slots, in order of time."""
        counts = self.counts.reshape(DAYS * _SLOTS, -1)[slots]
        cell = np.repeat(np.arange(counts.size), counts.ravel())
        n = len(cell)
        moment = slots[cell // counts.shape[1]] * _SLOT_SECONDS + self.rng.integers(0, _SLOT_SECONDS, size=n)
        order = np.argsort(moment, kind="stable")
        moment, series = moment[order], cell[order] % counts.shape[1]
        day, second = np.divmod(moment, _SLOTS * _SLOT_SECONDS)
        site, direction = np.divmod(series, 2)
        other_name = (self.rng.random(n) < 0.3) & (self.n_names[site] > 1)
        name = self.first_name[site] + other_name
        unmapped, bad_direction, bad_time, outside = (self._bad_places(kind, n) for kind in range(len(_KINDS)))
        name[unmapped] = len(self.names) - 1
        direction[bad_direction] = 2 + np.arange(len(bad_direction)) % 2
        day[outside] = DAYS
        columns = [
            pa.array(np.arange(self.written + 1, self.written + n + 1)),
            self.names.take(pa.array(name)),
            _DIRECTIONS.take(pa.array(direction)),
            _replace(texts.times(day, second), bad_time, _BAD_TIMES),
            _plates(self.rng, n),
            pa.array(self.rng.integers(1, 5, size=n)),
        ]
        self.written += n
        return pa.table(dict(zip(COLUMNS, columns, strict=True)))

    def _bad_places(self, kind: int, n: int) -> Ints:
        """Return where, in the next n rows, the bad ones of a kind are."""
        places = self.bad[kind] - self.written
        return np.sort(places[(places >= 0) & (places < n)])


class _Texts:
    """A dialect's spelling of times."""

    def __init__(self, dialect: _Dialect) -> None:
        dates = [f"2023-12-{day + 1:02d}" for day in range(DAYS)] + [_LATE_DAY]
        clocks = [f"{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}" for s in range(_SLOTS * _SLOT_SECONDS)]
        if dialect.slashes:
            dates = ["/".join(str(int(part)) for part in date.split("-")) for date in dates]
            clocks = [clock.removeprefix("0") for clock in clocks]
        self.dates, self.clocks, self.joint = pa.array(dates), pa.array(clocks), dialect.joint

    def times(self, day: Ints, second: Ints) -> pa.Array:
        return pc.binary_join_element_wise(
            self.dates.take(pa.array(day)), self.clocks.take(pa.array(second)), self.joint
        )


def _rates(rng: np.random.Generator, n_sites: int) -> Floats:
    """Draw how busy each slot is, (days, slots of a day, series): into the city in the morning, out in the evening."""
    hour = np.arange(_SLOTS) / 12
    morning, evening, afternoon = _peak(hour, 7.5, 0.9), _peak(hour, 17.6, 1.2), _peak(hour, 14.0, 3.5)
    working = np.stack([morning + 0.45 * evening, 0.4 * morning + evening]) + 0.3 * afternoon
    resting = np.stack([0.65 * afternoon, 0.75 * afternoon])  # (direction, slot)
    day = np.arange(DAYS)
    free = ((day + 4) % 7 >= 5) | (day == HOLIDAY)
    profile = np.where(free[:, None, None], resting, working) + 0.04  # (day, direction, slot)
    profile[HOLIDAY] *= 0.6
    size = rng.lognormal(0, 0.6, size=(n_sites, 2))
    weather = np.exp(rng.normal(0, 0.06, size=DAYS))
    rates: Floats = np.einsum("dfs,cf,d->dscf", profile, size, weather)  # (day, slot, site, direction)
    rates[OUTAGE_DAY, OUTAGE_SLOTS, min(OUTAGE_SITE, n_sites - 1)] = 0
    return rates.reshape(DAYS, _SLOTS, -1)


def _peak(hour: Floats, at: float, width: float) -> Floats:
    peak: Floats = np.exp(-0.5 * ((hour - at) / width) ** 2)
    return peak


def _replace(texts: pa.Array, places: Ints, others: pa.Array) -> pa.Array:
    """Put other texts, in turn, at these places (ascending)."""
    if not len(places):
        return texts
    mask = np.zeros(len(texts), dtype=np.bool_)
    mask[places] = True
    return pc.replace_with_mask(texts, pa.array(mask), others.take(pa.array(np.arange(len(places)) % len(others))))


def _plates(rng: np.random.Generator, n: int) -> Any:
    """Draw plates as they are exported: the first digits of a hash."""
    text = _HEX[rng.integers(0, 16, size=(n, _PLATE_LENGTH), dtype=np.uint8)]
    offsets = np.arange(0, n * _PLATE_LENGTH + 1, _PLATE_LENGTH, dtype=np.int32)
    return pa.StringArray.from_buffers(n, pa.py_buffer(offsets), pa.py_buffer(text.tobytes()))
