"""The learning rate over optimiser steps: a warm-up that works, then constant, cosine, linear or one cycle."""

from __future__ import annotations

import math
from dataclasses import dataclass

ONECYCLE_START, ONECYCLE_END = 25.0, 1e4


@dataclass(frozen=True)
class Schedule:
    """kind: constant, cosine, linear or onecycle; steps are optimiser steps; min_lr_ratio is the floor over nominal.

    onecycle rises from a 25th of the nominal rate by a half cosine over the warm-up, and falls by another to the floor,
    or to a 10,000th of where it began.
    Source: Smith & Topin 2017, arXiv:1708.07120; numbers as in torch's OneCycleLR, which reaches its peak at update
    warmup_steps - 1 too.
    """

    kind: str
    warmup_steps: int
    total_steps: int
    min_lr_ratio: float = 0.0

    def factor(self, step: int) -> float:
        """Return learning rate / nominal rate for update number `step`, counted from 0.

        Update k of a warm-up of w steps runs at (k + 1) / w, so none is wasted at rate 0 and update w - 1 is nominal.
        """
        if self.kind == "onecycle":
            return self._one_cycle(step)
        if step < self.warmup_steps:
            return (step + 1) / self.warmup_steps
        return self.min_lr_ratio + (1 - self.min_lr_ratio) * self._decay(step)

    def _one_cycle(self, step: int) -> float:
        start = 1 / ONECYCLE_START
        peak = self.warmup_steps - 1
        if step <= peak:
            return _cosine(start, 1.0, step / max(1, peak))
        floor = max(self.min_lr_ratio, start / ONECYCLE_END)
        return _cosine(1.0, floor, min(1.0, (step - peak) / max(1, self.total_steps - 1 - peak)))

    def _decay(self, step: int) -> float:
        if self.kind == "constant":
            return 1.0
        progress = (step - self.warmup_steps) / max(1, self.total_steps - self.warmup_steps)
        progress = min(1.0, progress)
        return 1 - progress if self.kind == "linear" else 0.5 * (1 + math.cos(math.pi * progress))


def _cosine(first: float, last: float, progress: float) -> float:
    """Go from first to last by half a cosine; progress from 0 to 1."""
    return last + (first - last) * 0.5 * (1 + math.cos(math.pi * progress))
