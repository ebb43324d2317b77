"""How far Moirai's quantiles, estimated from few draws, move what an evaluation measures, and what they cost.

    uv run python -m tests.benchmarks.bench_quantiles [--data FILE]

Of the validation windows, with the bundled model: MAE of the median and WQL from so many draws, ten times each, beside
20,000 draws. Independent draws are what uni2ts takes, 100 of them.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

import tune  # noqa: F401  (sets what torch reads when it is imported)
from data.readers.panel_reader import read_panel
from data.samples.bundled import SAMPLES
from data.task.task import ForecastTask, TaskSpec
from trainables.base import QUANTILE_LEVELS
from trainables.moirai.checkpoint import load_moirai
from trainables.moirai.mixture import Prediction
from trainables.moirai.network import FixedPatchMoirai

PATCH, ROUNDS, REFERENCE = 32, 10, 20_000
WAYS = [("independent", 100), ("systematic", 100), ("systematic", 50), ("systematic", 25), ("systematic", 10)]


def independent(prediction: Prediction, count: int) -> Tensor:
    """(…, levels), of draws that know nothing of each other, as `torch.quantile` takes them."""
    draws = torch.cat([prediction.sample(1) for _ in range(count)], dim=-1)
    return torch.quantile(draws, torch.tensor(QUANTILE_LEVELS), dim=-1).movedim(0, -1)


def systematic(prediction: Prediction, count: int) -> Tensor:
    return prediction.quantiles(QUANTILE_LEVELS, count)


def measures(quantiles: Tensor, target: Tensor) -> np.ndarray:
    """MAE of the median and mean weighted quantile loss, of standardised (…) targets."""
    error = target[..., None] - quantiles
    levels = torch.tensor(QUANTILE_LEVELS)
    pinball = torch.maximum(levels * error, (levels - 1) * error)
    median = error[..., QUANTILE_LEVELS.index(0.5)].abs()
    return np.array([median.mean().item(), (2 * pinball.mean() / target.abs().mean()).item()])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default=str(SAMPLES["sample"]))
    spec = TaskSpec(context_length=512, prediction_length=96, train_stride=64, eval_stride=64, scale="standard")
    task = ForecastTask(read_panel(parser.parse_args().data), spec)
    network = FixedPatchMoirai(load_moirai("moirai-tiny"), PATCH).requires_grad_(False)
    batch = task.gather("val", torch.device("cpu")).batch(torch.arange(min(64, len(task.val))))
    standardised = network.standardise(batch.context)
    prediction = network.predict(network.encode(standardised.values, 96 // PATCH))
    target = ((batch.target - standardised.loc) / standardised.scale).unflatten(1, (-1, PATCH))
    torch.manual_seed(0)
    exact = measures(systematic(prediction, REFERENCE), target)
    print(f"{len(batch.ids)} windows; with {REFERENCE} draws MAE {exact[0]:.4f}, WQL {exact[1]:.4f}")
    print("| draws | MAE, mean error | MAE, spread | WQL, mean error | WQL, spread | ms |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, count in WAYS:
        way: Callable[[Prediction, int], Tensor] = {"independent": independent, "systematic": systematic}[name]
        found, seconds = [], []
        for _ in range(ROUNDS):
            started = time.perf_counter()
            quantiles = way(prediction, count)
            seconds.append(time.perf_counter() - started)
            found.append(measures(quantiles, target) / exact - 1)
        mean, spread = np.mean(found, axis=0) * 100, np.std(found, axis=0, ddof=1) * 100
        figures = f"{mean[0]:+.2f} % | {spread[0]:.2f} % | {mean[1]:+.2f} % | {spread[1]:.2f} %"
        print(f"| {count} {name} | {figures} | {min(seconds) * 1e3:.1f} |")


if __name__ == "__main__":
    main()
