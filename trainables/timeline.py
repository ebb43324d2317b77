"""What a sweep's processes did from when to when: a line a stretch of time, in one file of the sweep."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Activity(StrEnum):
    """What takes time. The first are a trial's own, in its worker; the others are the sweep's."""

    SETUP = "set-up"
    FEATURES = "frozen features"
    INITIAL = "initial model"
    TRAINING = "training"
    EVALUATION = "evaluation"
    CHECKPOINT = "checkpoint"

    SESSION = "session"  # from the command to its end
    RAY_START = "Ray's start"
    RECORDING = "recording"
    CONCLUSION = "conclusion"


@dataclass(frozen=True)
class Timeline:
    """Where activities are written; trial_id: whose they are, none for the sweep's own.

    A line is written at the end of an activity, without waiting for the disk: a kill loses those that are under way.
    """

    file: Path
    trial_id: str = ""

    @contextmanager
    def of(self, activity: Activity) -> Iterator[None]:
        """Write down how long what happens inside takes."""
        start = time.time()
        try:
            yield
        finally:
            self.write(activity, start, time.time())

    def write(self, activity: Activity, start: float, end: float | None) -> None:
        """Write a line; times in seconds since 1970, no end for what is only known to have begun."""
        row = {"what": str(activity), "trial": self.trial_id, "start": start, "end": end}
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
