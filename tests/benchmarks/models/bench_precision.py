"""Whether bf16 changes who wins: the same trials in fp32 and in bf16, and the order of both leaderboards.

    uv run python tests/benchmarks/models/bench_precision.py [--device cuda]

Twelve trials of four epochs of the bundled tiny Moirai on the bundled sample. A CPU computes the same products in bf16
as a card does, though no faster.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

import torch
from scipy.stats import kendalltau

import tune  # noqa: F401  (sets what torch reads when it is imported)
from tests.gpu.one_trial import make_trial

RATES = (5e-6, 2e-5, 5e-5, 1e-4)
STRATEGIES = ("head_only", "freeze_ffn", "full")


def best_loss(folder: Path, device: torch.device, precision: str, strategy: str, lr: float) -> tuple[float, float]:
    """A trial's val_loss at epoch 0 and at its best epoch."""
    with mock.patch("trainables.trial.checks.check_precision"):
        trial = make_trial(folder, device, precision=precision, strategy=strategy, lr=lr, epochs=4)
    initial = report = trial.step()
    while report.stopped_by is None:
        report = trial.step()
    assert initial.scores.val_loss is not None
    assert report.best_so_far is not None
    return initial.scores.val_loss, report.best_so_far


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    device = torch.device(parser.parse_args().device)
    print("| strategy | lr | fp32 | bf16 | difference |\n|---|---|---:|---:|---:|")
    found: dict[str, list[float]] = {"fp32": [], "bf16": []}
    start: dict[str, float] = {}
    with TemporaryDirectory() as root:
        for strategy in STRATEGIES:
            for lr in RATES:
                for precision, values in found.items():
                    folder = Path(root) / precision / f"{strategy}-{lr:g}"
                    start[precision], value = best_loss(folder, device, precision, strategy, lr)
                    values.append(value)
                plain, half = found["fp32"][-1], found["bf16"][-1]
                print(f"| {strategy} | {lr:g} | {plain:.4f} | {half:.4f} | {half - plain:+.4f} |", flush=True)
    gains = [start["fp32"] - value for value in found["fp32"]]
    print(f"\nzero-shot {start['fp32']:.4f} and {start['bf16']:.4f}; gains up to {max(gains):.4f}")
    print(f"order: Kendall's tau {kendalltau(found['fp32'], found['bf16']).statistic:.3f}")


if __name__ == "__main__":
    main()
