"""leaderboard.csv, kept up to date while a sweep runs."""

from __future__ import annotations

import time

from trainables.trial.report import Report
from tune.leaderboard.leaderboard import Leaderboard
from tune.records.baselines import read_baselines
from tune.records.journal import Journal
from tune.records.spec import SweepSpec
from tune.records.trial_record import TrialConfig

LEAST_SECONDS = 2.0  # between two writes
SHARE = 0.001  # of a sweep's time that writing may take


class LeaderboardFile:
    """Rewrites leaderboard.csv after trials have ended, two seconds apart at least; a callback of the sweep.

    A write takes as long as the leaderboard is. After every trial it would cost more a trial the more trials there
    are, so a long one is made less often, and takes a thousandth of the time at most.
    """

    def __init__(self, spec: SweepSpec, journal: Journal) -> None:
        self.spec, self.journal = spec, journal
        self._is_behind = False
        self._next = 0.0  # when the next write may be, on the monotonic clock

    def trial_started(self, config: TrialConfig) -> None:
        """A trial that has only started changes no rank."""

    def trial_reported(self, trial_id: str, report: Report) -> None:
        """Ranks are settled when trials end."""

    def trial_ended(self, trial_id: str) -> None:
        self._is_behind = True
        self.tick()

    def tick(self) -> None:
        if self._is_behind and time.monotonic() >= self._next:
            self._write(sweep_is_running=True)

    def close(self) -> None:
        if self._is_behind:
            self._write(sweep_is_running=False)

    def _write(self, *, sweep_is_running: bool) -> None:
        started, folder = time.monotonic(), self.journal.folder
        Leaderboard.of(
            self.journal.records,
            sweep=folder.name,
            metric=self.spec.metric,
            sweep_is_running=sweep_is_running,
            initial_name=self.spec.initial_name,
            baselines=read_baselines(folder),
        ).write_csv(folder)
        ended = time.monotonic()
        self._is_behind, self._next = False, ended + max(LEAST_SECONDS, (ended - started) / SHARE)
