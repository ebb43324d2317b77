"""Trials an hour and the best validation error after some minutes: foretune, and what one would use instead.

    uv run python tests/benchmarks/against/run.py [--minutes 5] [--neuralforecast PYTHON]

One after the other on the bundled sample: the default sweep's space in foretune, in Optuna around uni2ts, a process a
trial; and, where a Python with neuralforecast is given, its AutoNHITS and AutoMLP with as many trials as fit.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from data.samples.bundled import SAMPLES
from tune.records.journal import read_records
from tune.records.sweep_folder import SweepFolder
from tune.records.timeline import read_timeline

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Epoch:
    """One validation: seconds since the command, the trial, and its mean absolute error."""

    seconds: float
    trial: str
    mae: float


def foretune(minutes: float) -> list[Epoch]:
    with TemporaryDirectory() as folder:
        options = ("--trials", "10000", "--no-futility", "--name", "a", "--storage", folder, "--seed", "0")
        started = time.time()
        process = subprocess.Popen(
            [sys.executable, "-m", "tune", "sweep", *options], stdout=subprocess.DEVNULL, cwd=folder
        )
        time.sleep(60 * minutes)
        process.send_signal(signal.SIGINT)
        process.wait()
        sweep = SweepFolder(Path(folder) / "a")
        ends: dict[str, list[float]] = {}
        for span in read_timeline(sweep.timeline):
            if span.what == "evaluation":
                ends.setdefault(span.trial_id, []).append(span.end - started)
        return [
            Epoch(seconds, record.trial_id, float(report.scores.val_mae or "nan"))
            for record in read_records(sweep)
            for seconds, report in zip(ends.get(record.trial_id, []), record.trained, strict=False)
        ]


def lines_of(command: Sequence[str], limit: float) -> list[Epoch]:
    """Epochs that a command prints within so many minutes."""
    alone = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}  # our `data` is not another's
    environment = dict(os.environ) if command[0] == sys.executable else alone
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)
    try:
        text, _ = process.communicate(timeout=60 * limit)
    except subprocess.TimeoutExpired:
        process.kill()
        text, _ = process.communicate()
    rows = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return [Epoch(r["seconds"], str(r.get("trial", i)), r["mae"]) for i, r in enumerate(rows) if "mae" in r]


def line(name: str, epochs: Sequence[Epoch], minutes: float) -> str:
    parts = [minutes / 4, minutes / 2, minutes]
    best = [min((e.mae for e in epochs if e.seconds <= 60 * part), default=None) for part in parts]
    done = len({e.trial for e in epochs if e.seconds <= 60 * minutes})
    first = min((e.seconds for e in epochs), default=float("nan"))
    shown = " | ".join("–" if value is None else f"{value:.4f}" for value in best)
    return f"| {name} | {first:.0f} s | {done * 60 / minutes:.0f} | {shown} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--neuralforecast")
    parser.add_argument("--only", nargs="*", default=["foretune", "optuna", "process", "neuralforecast"])
    arguments = parser.parse_args()
    minutes = arguments.minutes
    loop = [sys.executable, str(HERE / "optuna_uni2ts.py"), "--minutes", str(minutes)]
    times = " | ".join(f"{part:g} min" for part in (minutes / 4, minutes / 2, minutes))
    print(f"| | first result | trials an hour | {times} |\n|---|---:|---:|---:|---:|---:|", flush=True)
    if "foretune" in arguments.only:
        print(line("foretune sweep", foretune(minutes), minutes), flush=True)
    if "optuna" in arguments.only:
        print(line("Optuna around uni2ts", lines_of(loop, minutes + 1), minutes), flush=True)
    if "process" in arguments.only:
        print(line("a process a trial", lines_of([*loop, "--each-in-a-process"], minutes + 1), minutes), flush=True)
    if arguments.neuralforecast and "neuralforecast" in arguments.only:
        for model in ("AutoNHITS", "AutoMLP"):
            command = [arguments.neuralforecast, str(HERE / "neuralforecast_auto.py"), "--data", str(SAMPLES["sample"])]
            found = lines_of([*command, "--model", model, "--trials", "4"], 4 * minutes)
            print(line(f"NeuralForecast {model}, 4 trials", found, minutes), flush=True)


if __name__ == "__main__":
    main()
