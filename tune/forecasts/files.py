"""Forecasts as a table, a line a point: CSV, Parquet, JSON Lines or JSON, written block after block."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data.files import safe_cell
from data.panel import Panel
from tune.forecasts.many import Block
from tune.forecasts.prediction import SeriesGrid
from tune.forecasts.scales import RequestError

SUFFIXES = (".csv", ".parquet", ".jsonl", ".json")
MOST_TIMES = 4096  # of origins whose times are kept
PICTURES = (".png", ".svg", ".pdf")


class ForecastShape(Protocol):
    """What is known of forecasts before they are made: of which series, how many steps, at which levels."""

    @property
    def panel(self) -> Panel: ...
    @property
    def levels(self) -> tuple[float, ...]: ...
    @property
    def steps(self) -> int: ...
    @property
    def series(self) -> NDArray[np.int64]: ...


def check_target(flag: str, path: Path, suffixes: Sequence[str]) -> None:
    """Reject, before any work, a file whose name does not say what it is to be, or that cannot be written."""
    if path.suffix.lower() not in suffixes:
        raise RequestError(f"{flag} must end in {', '.join(suffixes)}, got {path.name!r}")
    if path.is_dir():
        raise RequestError(f"{flag} must name a file, and {path} is a folder")
    if not path.parent.is_dir():
        raise RequestError(f"{path.parent} must be a folder that there is; make it, or name another")


def quantile_columns(plan: ForecastShape) -> list[str]:
    return [f"q{level:.15g}" for level in plan.levels]


class Tables:
    """Makes a table of each block: series, origin, time, step, forecast, its quantiles, actual.

    origin is the time of the first point; times are row numbers where no time is known, as text where others of the
    series have times: a column has one type.
    """

    def __init__(self, plan: ForecastShape) -> None:
        self.plan = plan
        panel = plan.panel
        timed = [panel.freq is not None and panel.starts[i] is not None for i in plan.series.tolist()]
        self.are_timed = all(timed)
        self._are_mixed = any(timed) and not self.are_timed
        self._times: dict[tuple[str | None, int], list[str] | list[int]] = {}

    def of(self, block: Block) -> pd.DataFrame:
        steps = self.plan.steps
        times = [self._times_of(int(i), int(row)) for i, row in zip(block.series, block.rows, strict=True)]
        columns: dict[str, Any] = {
            "series": np.repeat(np.array([self.plan.panel.ids[i] for i in block.series], dtype=object), steps),
            "origin": np.repeat(np.array([each[0] for each in times], dtype=object), steps),
            "time": np.array([moment for each in times for moment in each], dtype=object),
            "step": np.tile(np.arange(1, steps + 1), len(times)),
            "forecast": block.point.ravel(),
            **{name: block.quantiles[:, q].ravel() for q, name in enumerate(quantile_columns(self.plan))},
            "actual": block.actual.ravel(),
        }
        return pd.DataFrame(columns)

    def _times_of(self, i: int, row: int) -> list[str] | list[int]:
        key = self.plan.panel.starts[i], row
        if key not in self._times:
            if len(self._times) >= MOST_TIMES:
                self._times.clear()
            grid = SeriesGrid.of(self.plan.panel, i)
            times = grid.times(row, self.plan.steps)
            self._times[key] = [str(moment) for moment in times] if self._are_mixed else times
        return self._times[key]


@contextmanager
def writer(path: Path) -> Iterator[Callable[[pd.DataFrame], None]]:
    """Give what adds a table to a file, a link being followed; the file takes its name when all are in it."""
    path = path.resolve()
    unfinished = path.with_name(f".{path.name}.tmp")
    opened = {".csv": _csv, ".jsonl": _json_lines, ".json": _json, ".parquet": _parquet}[path.suffix.lower()]
    try:
        with opened(unfinished) as add:
            yield add
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def _csv(path: Path) -> Iterator[Callable[[pd.DataFrame], None]]:
    with path.open("w", encoding="utf-8", newline="") as file:

        def add(table: pd.DataFrame) -> None:
            safe = table.assign(series=table["series"].map(safe_cell))
            safe.to_csv(file, index=False, header=file.tell() == 0, lineterminator="\n")

        yield add


@contextmanager
def _json_lines(path: Path) -> Iterator[Callable[[pd.DataFrame], None]]:
    with path.open("w", encoding="utf-8", newline="\n") as file:

        def add(table: pd.DataFrame) -> None:
            file.write(table.to_json(orient="records", lines=True, force_ascii=False, double_precision=15))

        yield add


@contextmanager
def _json(path: Path) -> Iterator[Callable[[pd.DataFrame], None]]:
    """One list of objects, a line each."""
    with path.open("w", encoding="utf-8", newline="\n") as file:

        def add(table: pd.DataFrame) -> None:
            text = table.to_json(orient="records", lines=True, force_ascii=False, double_precision=15)
            lines = text.rstrip("\n").replace("\n", ",\n")  # a line break within a value is written \\n
            file.write(f"{',' if file.tell() else '['}\n{lines}")

        yield add
        file.write("\n]\n" if file.tell() else "[]\n")


@contextmanager
def _parquet(path: Path) -> Iterator[Callable[[pd.DataFrame], None]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    opened: list[Any] = []

    def add(table: pd.DataFrame) -> None:
        converted = pa.Table.from_pandas(table, preserve_index=False)
        if not opened:
            opened.append(pq.ParquetWriter(path, converted.schema))
        opened[0].write_table(converted)

    try:
        yield add
    finally:
        for file in opened:
            file.close()
