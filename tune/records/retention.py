"""Which trials' weights stay on the disk: those of the best few, of repeats, and of trials that run."""

from __future__ import annotations

from trainables.trial.checkpoint import CheckpointSlot
from trainables.trial.folders import BEST, WEIGHTS_FILE
from trainables.trial.report import Report
from tune.records.journal import Journal
from tune.records.trial_record import TrialConfig, TrialRecord


class Retention:
    """Removes the weights of a trial that has ended once `keep` others are better; a callback of the sweep.

    Its reports and the errors of its windows stay, so the verdict still counts it. keep: None keeps all.
    """

    def __init__(self, journal: Journal, keep: int | None) -> None:
        self.journal, self.keep = journal, keep
        self._without: set[str] = set()

    def trial_started(self, config: TrialConfig) -> None:
        self._without.discard(config.trial_id)  # it is run again

    def trial_reported(self, trial_id: str, report: Report) -> None:
        """Nothing is decided before a trial ends."""

    def trial_ended(self, trial_id: str) -> None:
        if self.keep is None:
            return
        for record in _beyond(self.journal.records, self.keep):
            if record.trial_id not in self._without:
                self._without.add(record.trial_id)
                self._remove_weights(record.trial_id)

    def tick(self) -> None:
        """Nothing between reports."""

    def close(self) -> None:
        """Nothing to release."""

    def _remove_weights(self, trial_id: str) -> None:
        for folder in CheckpointSlot(self.journal.folder.trial(trial_id).path, BEST).folders():
            (folder / WEIGHTS_FILE).unlink(missing_ok=True)


def _beyond(records: list[TrialRecord], keep: int) -> list[TrialRecord]:
    """Return the ended trials of the search whose weights are of no more use.

    A repeated one, and its repeats, are judged together: their weights all stay.
    """
    repeated = {record.repeat_of for record in records}
    valued = [
        (record.trained[-1].best_so_far, number, record)
        for number, record in enumerate(records)
        if record.trained and record.trained[-1].best_so_far is not None
    ]
    worse = [record for _, _, record in sorted(valued)[keep:]]
    return [r for r in worse if r.is_finished and r.repeat_of is None and r.trial_id not in repeated]
