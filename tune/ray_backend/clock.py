"""The seconds of search over all sessions of a sweep, and whether its time budget is used up."""

from __future__ import annotations

import time

from trainables.trial.report import Report
from tune.records.search_time import Ending, SearchTime
from tune.records.sweep_folder import SweepFolder
from tune.records.trial_record import TrialConfig

WRITTEN_EVERY_SECONDS = 30


class SearchClock:
    """Counts the seconds of search from a session's first trial on, and writes them down; a callback of the sweep.

    The one clock that decides when a time budget is used up: Ray's start is no part of the search.
    """

    def __init__(self, folder: SweepFolder, budget_seconds: float | None) -> None:
        self.folder, self.budget_seconds = folder, budget_seconds
        self.used_before = SearchTime.read(folder).seconds
        self.started: float | None = None
        self.written = 0.0

    @property
    def seconds(self) -> float:
        return self.used_before + (0.0 if self.started is None else time.monotonic() - self.started)

    @property
    def is_over(self) -> bool:
        """Whether the time budget is used up; never without one."""
        return self.budget_seconds is not None and self.seconds >= self.budget_seconds

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
        """The end is written by `end`, with its reason."""

    def end(self, ending: Ending) -> None:
        """Record how the search ended."""
        self.write(ending)

    def write(self, ended: Ending | None = None) -> None:
        self.written = time.monotonic()
        SearchTime(round(self.seconds, 1), ended).write(self.folder)
