"""Trains the table that bench_search.py searches: moirai-tiny on ETTh1, a curve a strategy, batch size and rate.

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
from tests.benchmarks.trust_runs import run

STRATEGIES = ("head_only", "freeze_ffn", "full")
BATCHES = (32, 64)
RATES = tuple(5e-6 * 200 ** (i / 8) for i in range(9))  # 5e-6 to 1e-3
EPOCHS = 10


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
    curves = []
    for strategy, batch, lr in itertools.product(STRATEGIES, BATCHES, RATES):
        hyper = {"pretrained": "moirai-tiny", "patch_size": 16, "strategy": strategy, "lr": lr, "epochs": EPOCHS}
        hyper |= {"batch_size": batch, "warmup_steps": 20, "patience": EPOCHS}
        trial = run("moirai", task, hyper, folder / str(len(curves)), seed=len(curves))
        losses = [report.scores.val_loss for report in trial.history]
        curves.append({"strategy": strategy, "batch_size": batch, "lr": lr, "losses": losses})
        print(strategy, batch, f"{lr:.2g}", [None if x is None else round(x, 4) for x in losses], flush=True)
    shutil.rmtree(folder)
    arguments.to.write_text(json.dumps(curves))


if __name__ == "__main__":
    main()
