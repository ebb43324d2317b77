"""How far a trial is with what all trials share: prompts, a teacher's forecasts, a frozen part's states."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

from trainables.trial.frozen import FEATURES, PROGRESS_FILE
from tune.format import duration

SHARED_FOLDER = "shared"
STALE_SECONDS = 300  # a worker that was killed leaves its file


@dataclass(frozen=True)
class Preparation:
    """what is made; done of total windows in so many seconds."""

    what: str
    done: int
    total: int
    seconds: float

    @classmethod
    def read(cls, sweep: Path) -> Preparation | None:
        """Read what a worker tells; None where nothing is being made."""
        file = sweep / SHARED_FOLDER / FEATURES / PROGRESS_FILE
        try:
            if time.time() - file.stat().st_mtime > STALE_SECONDS:
                return None
            return cls(**json.loads(file.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None

    @property
    def seconds_left(self) -> float:
        return self.seconds / self.done * (self.total - self.done)

    def __str__(self) -> str:
        left = duration(self.seconds_left)
        return f"{self.what}: {self.done} of {self.total} windows, about {left} left, once for all trials"
