"""How far a sweep is, kept up to date report by report: an update costs the same however many trials there are."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from trainables.trial.report import ZERO_SHOT, Report
from tune.format import number
from tune.records.trial_record import TrialConfig, TrialRecord
from tune.sweep import Sweep

EVENTS = 5  # that are kept
SHOWN = ("strategy", "lr", "epochs", "warmup_steps", "weight_decay", "batch_size")  # of a configuration in a line


@dataclass
class SweepState:
    """budget_left: seconds of search from the first trial on, None without a time budget. searched: the parameters.

    share_trained: of all epochs that a trial may have, that it is expected to train: less than 1 where poor trials are
    stopped. initial: the best value of the metric at epoch 0; best: the trial with the best value after it, and the
    value. events: the last things that happened, a line each.
    """

    name: str
    metric: str
    total: int
    budget_left: float | None
    initial_name: str = ZERO_SHOT
    searched: tuple[str, ...] = ()
    share_trained: float = 1.0
    running: dict[str, TrialConfig] = field(default_factory=dict)
    finished: set[str] = field(default_factory=set)
    stopped_early: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    initial: float | None = None
    best: tuple[str, float] | None = None
    started: float = field(default_factory=time.monotonic)
    first_trial: float | None = None  # when this session's first trial started: Ray's own start-up is no measure
    finished_before: int = 0
    _last_epoch: dict[str, float] = field(default_factory=dict)
    events: deque[str] = field(default_factory=lambda: deque(maxlen=EVENTS))
    measured_seconds: float = 0.0  # of training and evaluation in the reports seen, and the epochs in them
    measured_epochs: float = 0.0

    def read(self, records: Iterable[TrialRecord]) -> None:
        """Take over what earlier sessions recorded."""
        for record in records:
            for report in record.reports:
                self.add_report(record.trial_id, report)
            self.add_end(record)
        self.finished_before = len(self.finished)
        self.events.clear()

    def start(self, config: TrialConfig) -> None:
        self.first_trial = self.first_trial or time.monotonic()
        self.running[config.trial_id] = config
        for ended in (self.finished, self.stopped_early, self.failed):
            ended.discard(config.trial_id)

    def has_reports(self, trial_id: str) -> bool:
        """Whether a report of a trial has been seen."""
        return trial_id in self._last_epoch

    def add_report(self, trial_id: str, report: Report) -> None:
        value = report.scores[self.metric]
        self._last_epoch.setdefault(trial_id, 0.0)
        if report.is_trained:
            before = self._last_epoch[trial_id]
            self.measured_seconds += report.seconds
            self.measured_epochs += max(0.0, report.epoch - before)
            self._last_epoch[trial_id] = report.epoch
        if value is None:
            return
        if not report.is_trained:
            self.initial = value if self.initial is None else min(self.initial, value)
        elif self.best is None or value < self.best[1]:
            self.best = trial_id, value
            self.events.append(
                f"{trial_id} epoch {report.epoch:g}: {number(value)}, the best so far{self.against(value)}"
            )

    def add_end(self, record: TrialRecord) -> None:
        self.running.pop(record.trial_id, None)
        if record.is_finished:
            self.finished.add(record.trial_id)
            self.events.append(f"{record.trial_id} ended ({record.stopped_by})")
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
        """Estimate from this session's finished trials, before there are any from the epochs that were measured, or the
        time budget if that ends first; None at first."""
        done = len(self.finished) - self.finished_before
        elapsed = time.monotonic() - (self.first_trial or self.started)
        estimate = elapsed / done * (self.total - len(self.finished)) if done > 0 else self._by_epochs()
        if self.budget_left is None:
            return estimate
        used = 0.0 if self.first_trial is None else time.monotonic() - self.first_trial
        left = max(0.0, self.budget_left - used)
        return left if estimate is None else min(left, estimate)

    def _by_epochs(self) -> float | None:
        """Seconds of the epochs that are left, if all trials are like those that run, and as many run at once."""
        planned = {name: _epochs(config) for name, config in self.running.items()}
        if not self.measured_epochs or not planned:
            return None
        begun = sum(max(0.0, epochs - self._last_epoch.get(name, 0.0)) for name, epochs in planned.items())
        waiting = self.total - len(self.finished) - len(planned)
        each = sum(planned.values()) / len(planned)
        epochs = self.share_trained * (begun + max(0, waiting) * each)
        return self.measured_seconds / self.measured_epochs * epochs / len(planned)


def state_of(sweep: Sweep) -> SweepState:
    """Return the state of a sweep of which nothing has been read yet."""
    spec, budget = sweep.spec, sweep.spec.time_budget_seconds
    return SweepState(
        name=spec.name,
        metric=spec.metric,
        total=spec.planned_trials,
        budget_left=None if budget is None else budget - sweep.seconds_used,
        initial_name=spec.initial_name,
        searched=tuple(spec.search_space().parameters()),
        share_trained=spec.share_trained,
    )


def _epochs(config: TrialConfig) -> float:
    found = config.hyper.get("epochs")
    return float(found) if isinstance(found, int | float) else 1.0
