"""The learning rate over optimiser steps: a warm-up that works, then constant, cosine or linear, to a floor."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule:
    """kind: constant, cosine or linear; steps are optimiser steps; min_lr_ratio is the floor over the nominal rate."""

    kind: str
    warmup_steps: int
    total_steps: int
    min_lr_ratio: float = 0.0

    def factor(self, step: int) -> float:
        """Return learning rate / nominal rate for update number `step`, counted from 0.

        Update k of a warm-up of w steps runs at (k + 1) / w, so none is wasted at rate 0 and update w - 1 is nominal.
        """
        if step < self.warmup_steps:
            return (step + 1) / self.warmup_steps
        return self.min_lr_ratio + (1 - self.min_lr_ratio) * self._decay(step)

    def _decay(self, step: int) -> float:
        if self.kind == "constant":
            return 1.0
        progress = (step - self.warmup_steps) / max(1, self.total_steps - self.warmup_steps)
        progress = min(1.0, progress)
        return 1 - progress if self.kind == "linear" else 0.5 * (1 + math.cos(math.pi * progress))
