"""What hears of a sweep while it runs: the leaderboard's file, TensorBoard, the view on the terminal, the clock."""

from __future__ import annotations

from typing import Protocol

from trainables.trial.report import Report
from tune.records.trial_record import TrialConfig


class SweepCallback(Protocol):
    """Called for every trial of a sweep; a resumed trial starts again and goes on reporting."""

    def trial_started(self, config: TrialConfig) -> None: ...
    def trial_reported(self, trial_id: str, report: Report) -> None: ...
    def trial_ended(self, trial_id: str) -> None:
        """The journal holds how."""

    def tick(self) -> None:
        """Called often, between reports."""

    def close(self) -> None:
        """The session has ended."""
