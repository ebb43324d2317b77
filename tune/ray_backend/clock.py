"""The seconds of search over all sessions of a sweep, whether its budget is used up, and what is reserved of it."""

from __future__ import annotations

import time
from bisect import insort

from trainables.trial.report import Report
from tune.records.journal import Journal
from tune.records.repeats import Repeats
from tune.records.search_time import Ending, SearchTime
from tune.records.sweep_folder import SweepFolder
from tune.records.trial_record import TrialConfig, TrialRecord

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

    def is_over(self) -> bool:
        """Whether the time budget is used up; never without one."""
        return self.budget_seconds is not None and self.seconds >= self.budget_seconds

    def is_over_but_for(self, reserved_seconds: float) -> bool:
        """Whether what is left of the time budget is reserved; half of what this session has can be, at most."""
        if self.budget_seconds is None:
            return False
        most = (self.budget_seconds - self.used_before) / 2
        return self.seconds >= self.budget_seconds - min(reserved_seconds, most)

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


class RepeatsReserve:
    """Keeps how long the repeats of the best trials so far would take; a callback of the sweep."""

    def __init__(self, journal: Journal, repeats: Repeats, *, at_once: int) -> None:
        self.journal, self.repeats, self.at_once = journal, repeats, at_once
        self._best: list[tuple[float, str, float]] = []  # value, trial and seconds of the best that have ended
        for record in journal.searched:
            self._add(record)

    @property
    def seconds(self) -> float:
        """As long as the runs of the best trials took, once for each repeat."""
        return sum(seconds for _, _, seconds in self._best) * self.repeats.seeds / self.at_once

    def trial_started(self, config: TrialConfig) -> None:
        """A trial that has only started is not among the best."""

    def trial_reported(self, trial_id: str, report: Report) -> None:
        """How long a trial takes is known when it has ended."""

    def trial_ended(self, trial_id: str) -> None:
        self._add(self.journal.record(trial_id))

    def tick(self) -> None:
        """Nothing between reports."""

    def close(self) -> None:
        """Nothing to release."""

    def _add(self, record: TrialRecord) -> None:
        best = record.best(self.repeats.metric)
        value = None if best is None else best.scores[self.repeats.metric]
        if value is None or record.repeat_of is not None or not record.is_finished:
            return
        self._best = [entry for entry in self._best if entry[1] != record.trial_id]
        insort(self._best, (value, record.trial_id, record.seconds))
        del self._best[self.repeats.top :]
