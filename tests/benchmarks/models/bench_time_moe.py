"""What a training step of Time-MoE costs here beside the operations of the published modelling code.

    uv run python tests/benchmarks/models/bench_time_moe.py [--device cuda]

Both sides run in turn in one process on the same windows; the best of the rounds counts. Random weights in the widths
of the published TimeMoE-50M with three of its twelve layers, and the bundled tiny model.
"""

from __future__ import annotations

import argparse
import copy

import torch

import tune  # noqa: F401  (sets what torch reads when it is imported)
from tests.benchmarks.models.in_turn import compare
from tests.trainables.time_moe.plain import made_plain
from trainables.time_moe.config import TimeMoeConfig
from trainables.time_moe.modeling import TimeMoeForPrediction
from trainables.time_moe.trainable import load_time_moe


def published_widths() -> TimeMoeForPrediction:
    torch.manual_seed(1)
    config = TimeMoeConfig(num_hidden_layers=3)
    config._attn_implementation = "sdpa"
    return TimeMoeForPrediction(config)


def bench(name: str, model: TimeMoeForPrediction, batch: int, steps: int, device: torch.device) -> None:
    ours = model.to(device).train()
    theirs = made_plain(copy.deepcopy(model))
    values, labels = torch.randn(2, batch, steps, device=device)

    def step(of: TimeMoeForPrediction) -> None:
        of.zero_grad()
        of(values, labels=labels).loss.backward()

    compare(f"{name}, {batch} windows of {steps} steps", lambda: step(ours), lambda: step(theirs), device)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    torch.set_num_threads(arguments.threads)
    print(f"torch {torch.__version__} on {device}, {torch.get_num_threads()} threads")
    for steps, batch in ((256, 8), (1024, 4)):
        bench("time-moe-tiny (64 wide, 4 layers, 4 experts)", load_time_moe("time-moe-tiny"), batch, steps, device)
    for steps, batch in ((512, 2), (1024, 2)):
        bench("50M's widths (384 wide, 3 layers, 8 experts)", published_widths(), batch, steps, device)


if __name__ == "__main__":
    main()
