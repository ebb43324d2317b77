"""Measures the window gather beside a plain copy of the same bytes and a per-sample Python loop, in one run.

    python tests/benchmarks/bench_windows.py [--threads 2] [--batch-size 256] [--device cpu] [--rows 2000000]

The copy reads one block that stays in the cache, so it is the highest bound; the loop is what a dataset class with
__getitem__ and a collate does.
Ways take turns, round after round, so that a noisy machine troubles all of them. The ratio is that of the best
rounds, which a busy neighbour troubles least; the median stands beside it, to tell how busy the machine was.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[2]))

from data.panel import Panel
from data.task.task import ForecastTask, TaskSpec

CONTEXT_LENGTH, PREDICTION_LENGTH, ROUNDS = 512, 96, 40


def make_task(rows: int) -> ForecastTask:
    """Make a task over ten random series with `rows` rows in all."""
    rng = np.random.default_rng(0)
    series = {f"s{i}": rng.standard_normal(rows // 10, dtype=np.float32) for i in range(10)}
    spec = TaskSpec(context_length=CONTEXT_LENGTH, prediction_length=PREDICTION_LENGTH)
    return ForecastTask(Panel.from_series("random", series), spec)


def ways(task: ForecastTask, device: str, batch_size: int) -> dict[str, Callable[[torch.Tensor], object]]:
    """Return what is compared: each takes window numbers and makes one batch of them."""
    gather = task.gather("train", device)
    panel = torch.cat([gather._windows[0], gather._windows[1:, -1]])
    strided = panel.unfold(0, CONTEXT_LENGTH + PREDICTION_LENGTH, 1)
    starts = torch.from_numpy(task.train.starts).to(device)
    block = torch.randn(batch_size, CONTEXT_LENGTH + PREDICTION_LENGTH, device=device)
    values = task.panel.values

    def loop(ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        contexts, targets = [], []
        for start in task.train.starts[ids.cpu().numpy()].tolist():
            middle = start + CONTEXT_LENGTH
            contexts.append(torch.tensor(values[start:middle]))
            targets.append(torch.tensor(values[middle : middle + PREDICTION_LENGTH]))
        return torch.stack(contexts).to(device), torch.stack(targets).to(device)

    return {
        "copy of the same bytes": lambda _: block.clone(),
        "gather (index_select)": gather.batch,
        "unfold(...)[starts]": lambda ids: strided[starts[ids]],
        "per-sample Python loop": loop,
    }


def windows_a_second(way: Callable[[torch.Tensor], object], orders: list[torch.Tensor], device: str) -> float:
    """Time one way over the given batches of window numbers."""
    begun = time.perf_counter()
    for ids in orders:
        way(ids)
    if device != "cpu":
        torch.cuda.synchronize()
    return sum(map(len, orders)) / (time.perf_counter() - begun)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    task = make_task(options.rows)
    compared = ways(task, options.device, options.batch_size)
    generator = torch.Generator().manual_seed(0)
    rates: dict[str, list[float]] = {name: [] for name in compared}
    for _ in range(ROUNDS):
        order = torch.randperm(len(task.train), generator=generator)[: 100 * options.batch_size]
        batches = list(order.to(options.device).split(options.batch_size))
        for name, way in compared.items():
            few = batches[:5] if "loop" in name else batches
            rates[name].append(windows_a_second(way, few, options.device))
    report(rates, options)


def report(rates: dict[str, list[float]], options: argparse.Namespace) -> None:
    """Print each way's best and median rate and the ratio to the gather."""
    gather = max(rates["gather (index_select)"])
    window_bytes = 4 * (CONTEXT_LENGTH + PREDICTION_LENGTH)
    print(
        f"context {CONTEXT_LENGTH} + prediction {PREDICTION_LENGTH}, batch {options.batch_size}, "
        f"panel of {options.rows * 4 / 1e6:.1f} MB, {options.device}, {options.threads} threads, "
        f"torch {torch.__version__}"
    )
    for name, each in rates.items():
        best, median = max(each), statistics.median(each)
        print(
            f"{name:24s} best {best / 1e6:7.3f} (median {median / 1e6:7.3f}) M windows/s  "
            f"{best * window_bytes / 1e9:6.2f} GB/s written  gather is {gather / best:6.2f} x"
        )


if __name__ == "__main__":
    main()
