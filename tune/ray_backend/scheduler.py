"""Stopping poor trials early: successive halving and the median rule, on epochs, as if never interrupted."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from ray.tune.execution.tune_controller import TuneController
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, MedianStoppingRule, TrialScheduler

from trainables.trial.report import WARMUP_EPOCHS, finite
from tune.ray_backend.messages import BEST_SO_FAR, EPOCH, config_of, to_result
from tune.records.trial_record import TrialRecord


@dataclass(frozen=True)
class TrialKey:
    """A trial by its own id: Ray gives a resumed trial a new one, and its old marks must count as its own."""

    trial_id: str


def _key(trial: Trial | TrialKey) -> TrialKey:
    return trial if isinstance(trial, TrialKey) else TrialKey(config_of(trial.config).trial_id)


@dataclass(frozen=True)
class _News:
    """An evaluation that says something. first: the epoch from which on the trial may be judged."""

    epoch: float
    best: float
    first: float


class _OnEpochs:
    """Schedulers that see a trial under its own id, each epoch of it once, and only epochs that say something.

    Epoch 0 says nothing: every trial shares it. Neither does a loss that is no number. Ray passes on the last report
    of a trial that was stopped twice. A trial is judged a whole epoch after its warm-up at the earliest, whatever the
    grace period is: before that it has not been trained at its rate. Its reports until then are noted all the same.
    """

    grace_period: int

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        self._seen: dict[str, float] = {}

    def on_trial_add(self, tune_controller: TuneController, trial: Trial) -> None:
        super().on_trial_add(tune_controller, _key(trial))  # type: ignore[misc]

    def on_trial_remove(self, tune_controller: TuneController, trial: Trial) -> None:
        super().on_trial_remove(tune_controller, _key(trial))  # type: ignore[misc]

    def _news(self, key: TrialKey, result: Mapping[str, object]) -> _News | None:
        epoch, best = finite(result.get(EPOCH)) or 0.0, finite(result.get(BEST_SO_FAR))
        if epoch <= 0 or epoch <= self._seen.get(key.trial_id, 0) or best is None:
            return None
        self._seen[key.trial_id] = epoch
        warmup = finite(result.get(WARMUP_EPOCHS)) or 0.0
        return _News(epoch, best, max(self.grace_period, warmup + 1 if warmup > 0 else 1))


@dataclass
class _Curve:
    """A trial's best so far, by epoch; judged: the last rung at which it was compared, in powers from its first on."""

    epochs: list[float] = field(default_factory=list)
    best: list[float] = field(default_factory=list)
    judged: int = -1

    def add(self, news: _News) -> None:
        self.epochs.append(news.epoch)
        self.best.append(news.best)

    def at(self, epoch: float) -> float | None:
        """Return the best up to an epoch; None where the trial did not come as far."""
        if not self.epochs or self.epochs[-1] < epoch:
            return None
        place = bisect_right(self.epochs, epoch)
        return self.best[place - 1] if place else None


class Halving(_OnEpochs, FIFOScheduler):
    """Asynchronous successive halving (Li et al. 2018, arXiv:1810.05934) that compares trials at the same epoch.

    A trial's rungs are at its first judgement, and at that times each power of the reduction factor. It goes on if its
    best so far is among the best one in `reduction_factor` of all that came as far, as they were at that epoch: with
    rungs at fixed epochs, as ASHA has them, a trial with a long warm-up would either be judged in it, or be compared
    with others that had trained for less.
    """

    def __init__(self, *, grace_period: int, reduction_factor: float) -> None:
        super().__init__()
        self.grace_period, self.reduction_factor = grace_period, reduction_factor
        self._curves: dict[TrialKey, _Curve] = {}

    def on_trial_result(self, tune_controller: TuneController, trial: Trial, result: dict[str, object]) -> str:
        key = _key(trial)
        news = self._news(key, result)
        if news is None or not self._note(key, news):
            return str(TrialScheduler.CONTINUE)
        others = [curve.at(news.epoch) for other, curve in self._curves.items() if other != key]
        known = [value for value in others if value is not None]
        is_poor = bool(known) and news.best > float(np.percentile(known, 100 / self.reduction_factor))
        return str(TrialScheduler.STOP if is_poor else TrialScheduler.CONTINUE)

    def on_trial_complete(self, tune_controller: TuneController, trial: Trial, result: dict[str, object]) -> None:
        key = _key(trial)
        news = self._news(key, result)
        if news is not None:
            self._note(key, news)

    def _note(self, key: TrialKey, news: _News) -> bool:
        """Add a report to its trial's curve; return whether it is the first to reach another of its rungs."""
        curve = self._curves.setdefault(key, _Curve())
        curve.add(news)
        if news.epoch < news.first:
            return False
        rung = math.floor(math.log(news.epoch / news.first) / math.log(self.reduction_factor) + 1e-9)
        is_due, curve.judged = rung > curve.judged, max(rung, curve.judged)
        return is_due


class EpochMedian(_OnEpochs, MedianStoppingRule):
    """Median stopping (Golovin et al. 2017, Google Vizier) with epochs as the resource; never pauses a trial."""

    def __init__(self, *, grace_period: int) -> None:
        super().__init__(time_attr=EPOCH, metric=BEST_SO_FAR, mode="min", grace_period=grace_period)
        self.grace_period = grace_period

    def on_trial_result(self, tune_controller: TuneController, trial: Trial, result: dict[str, object]) -> str:
        key = _key(trial)
        news = self._news(key, result)
        if news is None:
            return str(TrialScheduler.CONTINUE)
        if news.epoch < news.first:
            super().on_trial_complete(tune_controller, key, result)  # takes note, and decides nothing
            return str(TrialScheduler.CONTINUE)
        return str(super().on_trial_result(tune_controller, key, result))

    def on_trial_complete(self, tune_controller: TuneController, trial: Trial, result: dict[str, object]) -> None:
        key = _key(trial)
        if self._news(key, result) is not None:
            super().on_trial_complete(tune_controller, key, result)

    def _on_insufficient_samples(self, tune_controller: TuneController, trial: Trial, time: float) -> str:
        return str(TrialScheduler.CONTINUE)


def make_scheduler(
    name: str, *, grace_period: int, reduction_factor: float, past: Iterable[TrialRecord]
) -> TrialScheduler:
    """Make the scheduler and show it what earlier sessions of the sweep reported."""
    if name == "none":
        return FIFOScheduler()
    scheduler: Halving | EpochMedian
    if name == "median":
        scheduler = EpochMedian(grace_period=grace_period)
    else:
        scheduler = Halving(grace_period=grace_period, reduction_factor=reduction_factor)
    for record in past:
        _replay(scheduler, record)
    return scheduler


def _replay(scheduler: TrialScheduler, record: TrialRecord) -> None:
    key = TrialKey(record.trial_id)
    for report in record.trained:
        scheduler.on_trial_add(None, key)
        scheduler.on_trial_complete(
            None, key, to_result(report)
        )  # takes note as on_trial_result does, and decides nothing
