"""Trains what bench_search.py searches: moirai-tiny on ETTh1, at the twelve points of moirai-grid, and at a table of
strategies, batch sizes and rates.

uv run python tests/benchmarks/search_curves.py --to curves.json --data ETTh1.csv
"""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import sys
import tempfile
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[2]))

import tune  # noqa: F401  (sets what torch reads when it is imported)
from data.readers.panel_reader import read_panel
from data.task.task import ForecastTask, TaskSpec
from search_spaces.library import load_space
from tests.benchmarks.trust_runs import run

STRATEGIES = ("head_only", "freeze_ffn", "full")
BATCHES = (32, 64)
RATES = tuple(5e-6 * 200 ** (i / 8) for i in range(9))  # 5e-6 to 1e-3
EPOCHS = 10


def train(task: ForecastTask, hyper: dict[str, object], folder: Path, seed: int) -> dict[str, object]:
    """Train a trial to the end of its epochs, whatever patience would say, and return its losses from epoch 0 on."""
    whole = {"patch_size": 16, **hyper, "pretrained": "moirai-tiny", "patience": hyper["epochs"]}
    trial = run("moirai", task, whole, folder / str(seed), seed=seed)
    losses = [report.scores.val_loss for report in trial.history]
    print(hyper, [None if x is None else round(x, 4) for x in losses], flush=True)
    return {**hyper, "losses": losses, "warmup_epochs": trial.history[-1].warmup_epochs}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True, help="ETTh1.csv")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    spec = TaskSpec(
        context_length=256, prediction_length=96, split="ett", train_stride=63, eval_stride=96, scale="standard"
    )
    task = ForecastTask(read_panel(arguments.data), spec)
    folder = Path(tempfile.mkdtemp())
    grid = [train(task, dict(point), folder, i) for i, point in enumerate(load_space("moirai-grid").initial_points)]
    table = [
        {"strategy": strategy, "batch_size": batch, "lr": lr, "epochs": EPOCHS, "warmup_steps": 20}
        for strategy, batch, lr in itertools.product(STRATEGIES, BATCHES, RATES)
    ]
    curves = [train(task, point, folder, len(grid) + i) for i, point in enumerate(table)]
    shutil.rmtree(folder)
    arguments.to.write_text(json.dumps({"grid": grid, "table": curves}))


if __name__ == "__main__":
    main()
