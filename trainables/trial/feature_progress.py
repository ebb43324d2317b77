"""How far a trial is with the frozen features that all trials share, in a small file beside them."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from data.errors import DamagedFileError
from data.files import read_object, replace_text

STALE_SECONDS = 300  # a worker that was killed leaves its file


@dataclass(frozen=True)
class FeatureProgress:
    """title: what is computed; done of total windows, in so many seconds."""

    title: str
    done: int
    total: int
    seconds: float

    @property
    def seconds_left(self) -> float:
        return self.seconds / self.done * (self.total - self.done)

    def write(self, file: Path) -> None:
        replace_text(file, json.dumps(asdict(self)), is_lasting=False)

    @classmethod
    def read(cls, file: Path) -> FeatureProgress | None:
        """Read what a worker wrote; None where nothing is being computed, or it cannot be read."""
        try:
            if time.time() - file.stat().st_mtime > STALE_SECONDS:
                return None
            return cls(**read_object(file))
        except (FileNotFoundError, DamagedFileError, TypeError):
            return None
