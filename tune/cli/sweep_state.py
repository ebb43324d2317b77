"""How far a sweep is, kept up to date report by report: an update costs the same however many trials there are."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from trainables.trial.report import ZERO_SHOT, Report
from tune.format import number
from tune.records.trial_record import TrialConfig, TrialRecord

SHOWN = ("strategy", "lr", "epochs", "warmup_steps", "weight_decay", "batch_size")  # of a configuration in a line


@dataclass
class SweepState:
    """budget_left: seconds of search from the first trial on, None without a time budget. searched: the parameters.

    initial: the best value of the metric at epoch 0; best: the trial with the best value after it, and the value.
    """

    name: str
    metric: str
    total: int
    budget_left: float | None
    initial_name: str = ZERO_SHOT
    searched: tuple[str, ...] = ()
    running: dict[str, TrialConfig] = field(default_factory=dict)
    finished: set[str] = field(default_factory=set)
    stopped_early: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    initial: float | None = None
    best: tuple[str, float] | None = None
    started: float = field(default_factory=time.monotonic)
    first_trial: float | None = None  # when this session's first trial started: Ray's own start-up is no measure
    finished_before: int = 0

    def read(self, records: Iterable[TrialRecord]) -> None:
        """Take over what earlier sessions recorded."""
        for record in records:
            for report in record.reports:
                self.add_report(record.trial_id, report)
            self.add_end(record)
        self.finished_before = len(self.finished)

    def start(self, config: TrialConfig) -> None:
        self.first_trial = self.first_trial or time.monotonic()
        self.running[config.trial_id] = config
        for ended in (self.finished, self.stopped_early, self.failed):
            ended.discard(config.trial_id)

    def add_report(self, trial_id: str, report: Report) -> None:
        value = report.scores[self.metric]
        if value is None:
            return
        if not report.is_trained:
            self.initial = value if self.initial is None else min(self.initial, value)
        elif self.best is None or value < self.best[1]:
            self.best = trial_id, value

    def add_end(self, record: TrialRecord) -> None:
        self.running.pop(record.trial_id, None)
        if record.is_finished:
            self.finished.add(record.trial_id)
        if record.status(sweep_is_running=True) == "stopped" and record.stopped_by != "diverged":
            self.stopped_early.add(record.trial_id)
        if record.error is not None:
            self.failed.add(record.trial_id)

    def short(self, hyper: Mapping[str, object]) -> str:
        """A configuration in a line: the common hyperparameters and whatever else is searched."""
        keys = dict.fromkeys((*SHOWN, *self.searched))
        return ", ".join(f"{key} {number(hyper[key])}" for key in keys if key in hyper)

    def against(self, value: float | None) -> str:
        """Say how far a value is from the initial model's, in brackets; nothing where one of them is not known."""
        if value is None or self.initial is None:
            return ""
        gain = self.initial - value
        return f" ({number(abs(gain))} {'better' if gain > 0 else 'worse'} than {self.initial_name})"

    def seconds_left(self) -> float | None:
        """Estimate from this session's finished trials, or the time budget if that ends first; None at first."""
        done = len(self.finished) - self.finished_before
        elapsed = time.monotonic() - (self.first_trial or self.started)
        estimate = elapsed / done * (self.total - len(self.finished)) if done > 0 else None
        if self.budget_left is None:
            return estimate
        used = 0.0 if self.first_trial is None else time.monotonic() - self.first_trial
        left = max(0.0, self.budget_left - used)
        return left if estimate is None else min(left, estimate)
