"""How far a trial is, in small files that a worker rewrites and whoever watches reads."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, Self

from data.errors import DamagedFileError
from data.files import read_object, replace_text


@dataclass(frozen=True)
class _Progress:
    """stale_seconds: after which a file says nothing any more: a worker that was killed leaves its own."""

    stale_seconds: ClassVar[float]

    def write(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_text(file, json.dumps(asdict(self)), is_lasting=False)

    @classmethod
    def read(cls, file: Path) -> Self | None:
        """Read what a worker wrote; None where nothing is under way, or it cannot be read."""
        try:
            if time.time() - file.stat().st_mtime > cls.stale_seconds:
                return None
            return cls(**read_object(file))
        except (FileNotFoundError, DamagedFileError, TypeError):
            return None


@dataclass(frozen=True)
class FeatureProgress(_Progress):
    """The frozen features that all trials share. title: what is computed; done of total windows, in so many seconds."""

    stale_seconds = 300

    title: str
    done: int
    total: int
    seconds: float

    @property
    def seconds_left(self) -> float:
        return self.seconds / self.done * (self.total - self.done)


@dataclass(frozen=True)
class StepProgress(_Progress):
    """Where a trial is inside an epoch.

    step: optimiser steps done of this stretch of `steps`, which ends at `epoch` with an evaluation.
    loss, gradient_norm: of the last step. step_seconds: the mean of a step's time since the last look.
    temperature: of the card, in degrees Celsius; None without one. is_waiting: for the card to cool down.
    """

    stale_seconds = 60

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
