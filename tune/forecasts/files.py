"""Forecasts as a table, a line a point: CSV, Parquet, or JSON Lines, written block after block."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data.files import expand, safe_cell
from tune.forecasts.many import Block, ForecastPlan
from tune.forecasts.prediction import SeriesGrid
from tune.forecasts.scales import RequestError

SUFFIXES = (".csv", ".parquet", ".jsonl")
PICTURES = (".png", ".svg", ".pdf")


def check_target(flag: str, path: Path, suffixes: Sequence[str], data: str | None) -> None:
    """Reject, before any work, a file whose name does not say what it is to be, that cannot be written, or that is
    read; RequestError. data: as it was typed."""
    if path.suffix.lower() not in suffixes:
        raise RequestError(f"{flag} must end in {', '.join(suffixes)}, got {path.name!r}")
    if path.is_dir():
        raise RequestError(f"{flag} must name a file, and {path} is a folder")
    if not path.parent.is_dir():
        raise RequestError(f"{path.parent} must be a folder that there is; make it, or name another")
    if data is not None and path.resolve() == expand(data).resolve():
        raise RequestError(f"{flag} must not be the file that is read, {path}; name another")


def quantile_columns(plan: ForecastPlan) -> list[str]:
    return [f"q{level:.15g}" for level in plan.levels]


class Tables:
    """Makes a table of each block: series, origin, time, step, forecast, its quantiles, actual.

    origin is the time of the first point; times are row numbers where no time is known, as text where others of the
    series have times: a column has one type.
    """

    def __init__(self, plan: ForecastPlan) -> None:
        self.plan = plan
        panel, (forecast,) = plan.panel, np.nonzero((plan.origins >= 0).any(axis=0))
        timed = [panel.freq is not None and panel.starts[i] is not None for i in forecast]
        self.are_timed = all(timed)
        self._are_mixed = any(timed) and not self.are_timed
        self._times: dict[tuple[str | None, int], list[str] | list[int]] = {}

    def of(self, block: Block) -> pd.DataFrame:
        steps = self.plan.assignment.spec.prediction_length
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
            grid = SeriesGrid.of(self.plan.panel, i)
            times = grid.times(row, self.plan.assignment.spec.prediction_length)
            self._times[key] = [str(moment) for moment in times] if self._are_mixed else times
        return self._times[key]


@contextmanager
def writer(path: Path) -> Iterator[Callable[[pd.DataFrame], None]]:
    """Give what adds a table to a file, a link being followed; the file takes its name when all are in it."""
    path = path.resolve()
    unfinished = path.with_name(f".{path.name}.tmp")
    opened = {".csv": _csv, ".jsonl": _json_lines, ".parquet": _parquet}[path.suffix.lower()]
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
