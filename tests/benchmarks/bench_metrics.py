"""Measures what the error measures cost beside the forecasts that they are of, in one run.

    python tests/benchmarks/bench_metrics.py [--model moirai-tiny] [--batch-size 256] [--threads 2]

Forecast and measures take turns, batch after batch, so that a noisy machine troubles both. The ratio is that of the
best rounds, which a busy neighbour troubles least.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[2]))

from data.metrics import ForecastErrors
from data.readers.panel_reader import read_panel
from data.samples.bundled import SAMPLES
from data.task.task import ForecastTask, TaskSpec
from trainables.base import QUANTILE_LEVELS
from trainables.trial.evaluation import INTERVAL_LEVELS
from tune.forecasts.forecaster import Forecaster, open_checkpoint

CONTEXT_LENGTH, PREDICTION_LENGTH, ROUNDS = 512, 96, 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="moirai-tiny")
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    spec = TaskSpec(context_length=CONTEXT_LENGTH, prediction_length=PREDICTION_LENGTH, split="rows:0", eval_stride=8)
    task = ForecastTask(read_panel(SAMPLES["sample"]), spec, parts=("val",))
    forecaster = Forecaster(open_checkpoint(arguments.model).load(task, torch.device("cpu")), "none")
    scaled, units = (ForecastErrors(len(task.panel), PREDICTION_LENGTH) for _ in range(2))
    batch = next(task.gather("val").batches(arguments.batch_size))
    forecasts, measures = [], []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        forecast = forecaster.forecast(batch)
        forecasts.append(time.perf_counter() - started)
        started = time.perf_counter()
        point, target = (task.unscale(values, batch.series) for values in (forecast.point, batch.target))
        quantiles = None if forecast.quantiles is None else task.unscale(forecast.quantiles, batch.series)
        units.update(point, target, batch.series, quantiles=quantiles, levels=QUANTILE_LEVELS)
        ends = None if forecast.quantiles is None else forecast.quantiles[:, [0, -1]]
        scaled.update(forecast.point, batch.target, batch.series, quantiles=ends, levels=INTERVAL_LEVELS)
        measures.append(time.perf_counter() - started)
    started = time.perf_counter()
    task.past_seasonal_error("val")
    scale = (time.perf_counter() - started) * arguments.batch_size / len(task.val)
    print(f"{arguments.model}, batch {arguments.batch_size}, context {CONTEXT_LENGTH}, prediction {PREDICTION_LENGTH}")
    print(f"forecast {min(forecasts) * 1e3:.1f} ms, measures {min(measures) * 1e3:.1f} ms, scales {scale * 1e3:.2f} ms")
    print(f"measures / forecast: {(min(measures) + scale) / min(forecasts):.1%}")


if __name__ == "__main__":
    main()
