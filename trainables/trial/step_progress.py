"""Where a trial is inside an epoch: a small file in its folder, written now and then while it trains."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from data.errors import DamagedFileError
from data.files import read_object, replace_text

STALE_SECONDS = 60  # a worker that was killed leaves its file


@dataclass(frozen=True)
class StepProgress:
    """step: optimiser steps done of this stretch of `steps`, which ends at `epoch` with an evaluation.

    loss, gradient_norm: of the last step. step_seconds: the mean of a step's time since the last look.
    temperature: of the card, in degrees Celsius; None without one. is_waiting: for the card to cool down.
    """

    epoch: float
    step: int
    steps: int
    loss: float
    gradient_norm: float
    step_seconds: float
    temperature: float | None = None
    is_waiting: bool = False

    @property
    def seconds_left(self) -> float:
        """Until the evaluation."""
        return self.step_seconds * (self.steps - self.step)

    def write(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_text(file, json.dumps(asdict(self)), is_lasting=False)

    @classmethod
    def read(cls, file: Path) -> StepProgress | None:
        """Read what a worker wrote; None where no step is under way, or it cannot be read."""
        try:
            if time.time() - file.stat().st_mtime > STALE_SECONDS:
                return None
            return cls(**read_object(file))
        except (FileNotFoundError, DamagedFileError, TypeError):
            return None
