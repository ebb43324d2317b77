"""How time and memory grow with trials, with series and with rows.

    uv run python tests/benchmarks/bench_growth.py [trials] [series] [rows] [--largest 100000000]

Trials: what a trial costs the process that drives a sweep, its memory, and what looking at the sweep costs then (no
model trains and no Ray runs, see bench_records.py). Series and rows: a file is read, a task made of it and a first
batch taken; beside it pyarrow reads the same file. Every line comes from a process of its own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil

TRIALS = (10, 100, 1_000)
SERIES, ROWS_EACH = (1, 100, 10_000, 100_000), 300
ROWS = (10**4, 10**5, 10**6, 10**7, 10**8)
MOST_ROWS_CSV = 10**7  # more come as Parquet
COLUMNS = 10


@contextmanager
def clock(seconds: dict[str, float], name: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - started


def memory_mb() -> int:
    return int(psutil.Process().memory_info().rss / 1e6)


def peak_mb() -> int:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def with_trials(trials: int) -> dict[str, float]:
    """Drive so many trials of six epochs, then look at them as the commands do."""
    from tests.benchmarks.bench_records import Driver
    from tune.leaderboard.leaderboard import Leaderboard
    from tune.records.journal import read_records
    from tune.report.page import write_report
    from tune.sweep import Sweep

    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        driver = Driver.of(Path(folder), trials, "random")
        driver.run_trial(0, 6)
        before = memory_mb()
        started = time.process_time()
        for number in range(1, trials):
            driver.run_trial(number, 6)
        seconds["driver, ms a trial"] = (time.process_time() - started) / (trials - 1) * 1e3
        seconds["more memory, MB"] = memory_mb() - before
        sweep = Sweep.open(Path(folder), "many")
        seconds["study, KB a trial"] = sweep.folder.study.stat().st_size / trials / 1e3
        with clock(seconds, "read journal, s"):
            read_records(sweep.folder)
        with clock(seconds, "leaderboard, s"):
            board: Leaderboard = sweep.leaderboard()
        with clock(seconds, "advice, s"):
            sweep.advice(board)
        with clock(seconds, "report, s"):
            write_report(sweep.folder, board, sweep.spec)
        seconds["report, MB"] = sweep.folder.report.stat().st_size / 1e6
        with clock(seconds, "resume: search, s"):
            _again(sweep, trials)
    return seconds


def _again(sweep: object, trials: int) -> None:
    from search_spaces.library import load_space
    from tune.ray_backend.search import StudySearch
    from tune.records.journal import Journal

    StudySearch(Journal(sweep.folder), load_space("quickstart"), searcher="random", seed=0, trials=trials)


def with_series(count: int) -> dict[str, float]:
    """So many series of 300 hours, one below the other in a CSV file."""
    import pandas as pd

    values = np.random.default_rng(0).normal(size=(count, ROWS_EACH)).round(4)
    times = pd.date_range("2024-01-01", periods=ROWS_EACH, freq="h").strftime("%Y-%m-%d %H:%M:%S")
    frame = pd.DataFrame(
        {
            "item_id": np.repeat([f"s{i}" for i in range(count)], ROWS_EACH),
            "timestamp": np.tile(times, count),
            "target": values.ravel(),
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "long.csv"
        frame.to_csv(file, index=False)
        del frame, values
        return measure(file, context=96, prediction=24, rows=count * ROWS_EACH)


def with_rows(rows: int) -> dict[str, float]:
    """Ten columns over so many values in all; CSV, and Parquet for the largest."""
    import pandas as pd

    length = rows // COLUMNS
    data = {f"c{i}": np.random.default_rng(i).normal(size=length).round(4).astype("float32") for i in range(COLUMNS)}
    index = pd.date_range("1800-01-01", periods=length, freq="min", unit="s")
    frame = pd.DataFrame({"timestamp": index, **data})
    with tempfile.TemporaryDirectory() as folder:
        if rows > MOST_ROWS_CSV:
            file = Path(folder) / "wide.parquet"
            frame.to_parquet(file, index=False)
        else:
            file = Path(folder) / "wide.csv"
            frame.to_csv(file, index=False)
        del frame, data
        return measure(file, context=512, prediction=96, rows=rows)


def measure(file: Path, *, context: int, prediction: int, rows: int) -> dict[str, float]:
    """In a process that has made nothing yet: read, plan, a first batch; and what a worker maps."""
    command = [sys.executable, __file__, "--measure", str(file), str(context), str(prediction)]
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return {"values": rows, "file, MB": file.stat().st_size / 1e6, **json.loads(ended.stdout.splitlines()[-1])}


def measure_here(file: Path, context: int, prediction: int) -> dict[str, float]:
    import pyarrow.csv
    import pyarrow.parquet
    import torch

    import tune  # noqa: F401  (sets what torch reads when it is imported)
    from data.panel import Panel
    from data.readers.panel_reader import read_panel
    from data.task.task import ForecastTask, TaskSpec

    read: Callable[[Path], object] = pyarrow.csv.read_csv if file.suffix == ".csv" else pyarrow.parquet.read_table
    seconds: dict[str, float] = {}
    before = memory_mb()
    with clock(seconds, "read, s"):
        panel = read_panel(file)
    seconds["peak of it, MB"] = peak_mb() - before
    with clock(seconds, "pyarrow, s"):
        read(file)
    seconds["read / pyarrow"] = seconds["read, s"] / seconds["pyarrow, s"]
    with tempfile.TemporaryDirectory() as folder:
        panel.save(Path(folder) / "data")
        spec = TaskSpec(context_length=context, prediction_length=prediction, scale="standard")
        with clock(seconds, "task, s"):
            task = ForecastTask(panel, spec)
        with clock(seconds, "first batch, s"):
            task.gather("train", torch.device("cpu")).batch(torch.arange(min(32, len(task.train))))
        seconds["train windows"] = len(task.train)
        del panel, task
        with clock(seconds, "worker maps, s"):
            mapped = Panel.load(Path(folder) / "data")
        seconds["panel, MB"] = mapped.values.nbytes / 1e6
    return seconds


def table(title: str, rows: list[dict[str, float]], sizes: tuple[int, ...]) -> None:
    print(f"\n{title}")
    names = list(rows[0])
    print("| " + " | ".join([title.split(":")[0], *names]) + " |")
    print("|" + "---:|" * (len(names) + 1))
    for size, row in zip(sizes, rows, strict=False):
        print("| " + " | ".join([f"{size:,}", *(f"{row[name]:,.3g}" for name in names)]) + " |", flush=True)


def one(kind: str, size: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--one", kind, str(size)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        sys.exit(ended.stderr)
    return json.loads(ended.stdout.splitlines()[-1])


def main() -> None:
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure_here(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))))
        return
    if sys.argv[1:2] == ["--one"]:
        kinds = {"trials": with_trials, "series": with_series, "rows": with_rows}
        print(json.dumps(kinds[sys.argv[2]](int(sys.argv[3]))))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", default=["trials", "series", "rows"])
    parser.add_argument("--largest", type=int, default=10**8)
    arguments = parser.parse_args()
    for kind, sizes in (("trials", TRIALS), ("series", SERIES), ("rows", ROWS)):
        if kind in arguments.kinds:
            wanted = tuple(size for size in sizes if size <= arguments.largest)
            table(kind, [one(kind, size) for size in wanted], wanted)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    main()
