"""Every forecast of an evaluation in a file, its picture, and memory that does not grow with the number of series."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from tests.paths import REPOSITORY
from tests.tune.forecasts.measured import SHORT, TOY, A, B, Export, Jsonl
from tune.forecasts.evaluation_plot import plot_evaluation
from tune.forecasts.files import Tables, writer
from tune.forecasts.forecaster import open_checkpoint
from tune.forecasts.many import plan_forecasts
from tune.forecasts.request import ForecastRequest
from tune.forecasts.saved import saving
from tune.forecasts.side_by_side import SideBySide, evaluate_side_by_side

READ: dict[str, Callable[[Path], pd.DataFrame]] = {
    ".csv": pd.read_csv,
    ".parquet": pd.read_parquet,
    ".json": lambda file: pd.DataFrame(json.loads(file.read_text())),
    ".jsonl": lambda file: pd.DataFrame([json.loads(line) for line in file.read_text().splitlines()]),
}


@pytest.fixture
def folder(export: Export, jsonl: Jsonl) -> Path:
    return export(jsonl(a=A, b=B, start="2024-01-01 00:00:00", freq="h"), split="rows:0", **SHORT)


def evaluated(path: Path, *names: str, batch_size: int | None = None) -> SideBySide:
    request = ForecastRequest(names[0], trust=TOY, gpus=0)
    with saving(path, has_several=len(names) > 1) as sink:
        return evaluate_side_by_side(request, names, batch_size=batch_size, sink=sink)


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".json", ".jsonl"])
@pytest.mark.parametrize("batch_size", [1, 3, None])
def test_every_windows_forecast_is_in_the_file(
    folder: Path, tmp_path: Path, suffix: str, batch_size: int | None
) -> None:
    """The last value of two and 1 more, twice, from rows 2 and 4 on."""
    path = tmp_path / f"out{suffix}"
    evaluated(path, str(folder), batch_size=batch_size)
    found = READ[suffix](path)
    assert found.columns.tolist() == ["series", "origin", "time", "step", "forecast", "actual"]
    assert found["series"].tolist() == ["a"] * 4 + ["b"] * 4
    assert found["origin"].tolist() == [f"2024-01-01 0{hour}:00:00" for hour in (2, 2, 4, 4)] * 2
    assert found["time"].tolist() == [f"2024-01-01 0{hour}:00:00" for hour in (2, 3, 4, 5)] * 2
    assert found["forecast"].tolist() == [5.0, 5.0, 13.0, 13.0, 6.0, 6.0, 6.0, 6.0]
    assert found["actual"].tolist() == [*A[2:], *B[2:]]


def test_memory_that_runs_out_writes_no_forecast_twice(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second batch of three does not fit, so all is done again, a window at once."""
    model = open_checkpoint(str(folder), TOY).model_class
    forecast, calls = model.forecast, iter([False, True])

    def small_alone(self, batch):  # type: ignore[no-untyped-def]
        if next(calls, False):
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forecast(self, batch)

    monkeypatch.setattr(model, "forecast", small_alone)
    found = evaluated(tmp_path / "out.csv", str(folder), batch_size=3)
    assert found.evaluations[0].batch_size == 1
    assert len(pd.read_csv(tmp_path / "out.csv")) == 8


def test_two_checkpoints_have_a_column_and_the_same_figures_as_the_evaluation(folder: Path, tmp_path: Path) -> None:
    """One with quantiles, one without: NaN there."""
    found = evaluated(tmp_path / "out.parquet", str(folder), "moirai-tiny")
    table = pd.read_parquet(tmp_path / "out.parquet")
    assert table["checkpoint"].tolist() == [str(folder)] * 8 + ["moirai-tiny"] * 8
    assert table["q0.1"].isna().tolist() == [True] * 8 + [False] * 8
    own = table[table["checkpoint"] == "moirai-tiny"]
    units = found.evaluations[1].units
    assert (own["forecast"] - own["actual"]).abs().mean() == pytest.approx(units.mae)
    inside = (own["q0.1"] <= own["actual"]) & (own["actual"] <= own["q0.9"])
    assert inside.mean() == pytest.approx(units.coverage)
    assert own["q0.5"].tolist() == own["forecast"].tolist()


def test_what_is_interrupted_leaves_no_file(folder: Path, tmp_path: Path) -> None:
    def interrupted() -> None:
        with saving(tmp_path / "out.json", has_several=False) as sink:
            evaluate_side_by_side(ForecastRequest(str(folder), trust=TOY, gpus=0), [str(folder)], sink=sink)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not list(tmp_path.glob("*out*"))


@pytest.mark.parametrize(("suffix", "panels"), [(".svg", 4), (".png", 4)])
def test_a_picture_of_an_evaluation_is_drawn(folder: Path, tmp_path: Path, suffix: str, panels: int) -> None:
    found = evaluated(tmp_path / "out.csv", str(folder), "moirai-tiny")
    plot_evaluation(found, tmp_path / f"out{suffix}")
    content = (tmp_path / f"out{suffix}").read_bytes()
    if suffix == ".svg":
        assert content.count(b'id="axes_') == panels
    else:
        assert content[:8] == b"\x89PNG\r\n\x1a\n"


def peak(work: Callable[[], object]) -> int:
    """Bytes that Python and numpy hold at most while they work, beyond what they held before."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def many_series(path: Path, count: int) -> Path:
    values = np.random.default_rng(0).normal(100, 9, (count, 10)).round(1).tolist()
    lines = [{"id": f"s{i}", "sequence": row, "start": "2024-01-01", "freq": "h"} for i, row in enumerate(values)]
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


def test_memory_does_not_grow_with_the_number_of_series(export: Export, jsonl: Jsonl, tmp_path: Path) -> None:
    """Of 500 and of 2000 series, forecast and written in parts: all at once, the peak of the second is four times
    the first's."""
    folder = export(jsonl(a=A), context_length=2, prediction_length=48, split="rows:0")
    peaks = []
    for count in (500, 2000):
        data = str(many_series(tmp_path / f"{count}.jsonl", count))
        plan = plan_forecasts(ForecastRequest(str(folder), trust=TOY, data=data, gpus=0))
        tables = Tables(plan)

        def write() -> None:
            with writer(tmp_path / "out.parquet") as add:
                for block in plan.blocks():  # noqa: B023
                    add(tables.of(block))  # noqa: B023

        peaks.append(peak(write))
        assert len(pd.read_parquet(tmp_path / "out.parquet", columns=["step"])) == count * 48
    assert peaks[1] < 1.2 * peaks[0] + 2**20, peaks


PEAK = """
import resource, sys
from pathlib import Path
import torch, tune.forecasts.side_by_side, tune.forecasts.files
from data.readers.panel_reader import read_panel
from tune.cli.main import main
if len(sys.argv) == 2:
    panel = read_panel(Path(sys.argv[1]))
else:
    try:
        main()
    except SystemExit as ended:
        assert not ended.code, ended.code
sys.stderr.write(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}")
"""


def resident(*arguments: object) -> float:
    """The most that a process had in memory, in MiB."""
    command = [sys.executable, "-c", PEAK, *map(str, arguments)]
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return int(ended.stderr.split("peak ")[1]) / 1024


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_hundred_thousand_series_take_no_more_memory_than_reading_them(
    export: Export, jsonl: Jsonl, tmp_path: Path
) -> None:
    folder = export(jsonl(a=A, start="2024-01-01", freq="h"), context_length=12, prediction_length=12, split="rows:0")
    count, rows = 100_000, 40
    data = pd.DataFrame(
        {
            "id": np.repeat([f"s{i}" for i in range(count)], rows),
            "time": np.tile(pd.date_range("2024-01-01", periods=rows, freq="h"), count),
            "value": np.random.default_rng(0).normal(100, 9, count * rows).round(2),
        }
    )
    data.to_parquet(tmp_path / "many.parquet", index=False)
    asked = (folder, "--trust", TOY, "--data", tmp_path / "many.parquet", "--gpus", 0)
    lengths = ("--context-length", 12, "--prediction-length", 12)
    read = resident(tmp_path / "many.parquet")
    predicted = resident("predict", *asked, "--to", tmp_path / "out.parquet")
    measured = resident("evaluate", *asked, *lengths, "--save-forecasts", tmp_path / "all.parquet")
    assert len(pd.read_parquet(tmp_path / "out.parquet", columns=["step"])) == count * 12
    assert len(pd.read_parquet(tmp_path / "all.parquet", columns=["step"])) == count * 2 * 12
    assert predicted < read + 100
    assert measured < read + 300  # nine sums of each window, twice, and of each series
