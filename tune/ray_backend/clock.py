"""The seconds of search over all sessions of a sweep."""

from __future__ import annotations

import json
import time

from data.files import replace_text
from trainables.trial.report import Report
from tune.records.sweep_folder import SweepFolder
from tune.records.trial_record import TrialConfig

WRITTEN_EVERY_SECONDS = 30


class SearchClock:
    """Counts the seconds of search from a session's first trial on, and writes them down; a callback of the sweep."""

    def __init__(self, folder: SweepFolder, used_before: float) -> None:
        self.path, self.used_before = folder.clock, used_before
        self.started: float | None = None  # at the first trial: Ray's start is not part of the search
        self.written = 0.0

    @property
    def seconds(self) -> float:
        return self.used_before + (0.0 if self.started is None else time.monotonic() - self.started)

    def trial_started(self, config: TrialConfig) -> None:
        self.started = self.started or time.monotonic()
        self.write()

    def trial_reported(self, trial_id: str, report: Report) -> None:
        self.write()

    def trial_ended(self, trial_id: str) -> None:
        self.write()

    def tick(self) -> None:
        if time.monotonic() - self.written > WRITTEN_EVERY_SECONDS:
            self.write()

    def close(self) -> None:
        self.write()

    def write(self) -> None:
        self.written = time.monotonic()
        replace_text(self.path, json.dumps({"seconds": round(self.seconds, 1)}))
