"""Two ways of doing the same, round after round in turn, so that a busy machine troubles both."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch

ROUNDS = 8


def seconds(work: Callable[[], object], device: torch.device) -> float:
    started = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started


def compare(name: str, ours: Callable[[], object], theirs: Callable[[], object], device: torch.device) -> None:
    """Print both sides' best of the rounds, and their ratio."""
    pairs = [(seconds(ours, device), seconds(theirs, device)) for _ in range(ROUNDS)]
    best = [min(side) for side in zip(*pairs, strict=True)]
    middle = statistics.median(a / b for a, b in pairs)
    print(
        f"{name}: {best[0] * 1e3:.1f} ms against {best[1] * 1e3:.1f} ms, ratio {best[0] / best[1]:.2f} "
        f"(median of {ROUNDS} rounds {middle:.2f})",
        flush=True,
    )
