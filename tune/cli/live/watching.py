"""A sweep that another process runs, shown from its folder alone: over ssh, or on storage that a cluster shares."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

from tune.cli.live.progress import Progress
from tune.records.journal import Journal
from tune.records.search_time import SearchTime
from tune.records.sweep_folder import TrialFolder
from tune.sweep import Sweep

LOOK_SECONDS = 1.0  # between two looks at the folder
STILL_SECONDS = 90  # without a change, after which a sweep whose lock nobody here holds does not run


class Follower:
    """Passes what a sweep's folder has that is new on to a view, as the process that runs the sweep would.

    A trial's files are read again where they have changed.
    """

    def __init__(self, sweep: Sweep, journal: Journal, view: Progress) -> None:
        """journal: of the sweep's folder as it was when the view was made, which may be a while ago."""
        self.sweep, self.journal, self.view = sweep, journal, view
        self._seen: dict[str, tuple[float, int]] = {}
        for record in journal.records:
            if not record.is_finished:
                view.trial_started(record.config)

    @property
    def is_running(self) -> bool:
        """Whether a process of this machine holds the sweep; or, of another's, no end is on record and something has
        changed not long ago."""
        if self.sweep.is_running:
            return True
        changed = max((stamp[0] for stamp in self._seen.values()), default=0.0)
        return SearchTime.read(self.sweep.folder).ended is None and time.time() - changed < STILL_SECONDS

    def look(self) -> None:
        """Take over what is new."""
        for trial in self.sweep.folder.trials():
            stamp = _stamp(trial)
            if self._seen.get(trial.trial_id) != stamp:
                self._seen[trial.trial_id] = stamp
                self._take(trial.trial_id)
        self.view.tick()

    def _take(self, trial_id: str) -> None:
        before = self.journal.read_again(trial_id)
        now = self.journal.record(trial_id)
        if before is None or (before.is_finished and not now.is_finished):
            self.view.trial_started(now.config)
        reported = {report.epoch for report in before.reports} if before else set()
        for report in now.reports:
            if report.epoch not in reported:
                self.view.trial_reported(trial_id, report)
        if now.is_finished and not (before and before.is_finished):
            self.view.trial_ended(trial_id)


def _stamp(trial: TrialFolder) -> tuple[float, int]:
    """Return what changes with a trial's files: when the newest was changed, and how large all are."""
    newest, size = 0.0, 0
    for file in (trial.params, trial.result, trial.error):
        with suppress(OSError):
            found = Path(file).stat()
            newest, size = max(newest, found.st_mtime), size + found.st_size
    return newest, size
