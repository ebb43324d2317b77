"""Stopping the hopeless early: Ray's ASHA and median rule on epochs, with a memory that outlives a restart."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ray.tune.schedulers import ASHAScheduler, FIFOScheduler, MedianStoppingRule, TrialScheduler

from tune.journal import TrialRecord

TIME_ATTRIBUTE = "epoch"
OBJECTIVE = "objective"


@dataclass(frozen=True)
class TrialKey:
    """A trial by its own id: Ray gives a resumed trial a new one, and its old marks must count as its own."""

    trial_id: str


def _key(trial: Any) -> TrialKey:
    return trial if isinstance(trial, TrialKey) else TrialKey(trial.config["trial_id"])


class _OnEpochs:
    """Schedulers that see a trial under its own id, and nothing of epoch 0, which every trial shares."""

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        super().on_trial_add(tune_controller, _key(trial))  # type: ignore[misc]

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        if result[TIME_ATTRIBUTE] == 0:
            return str(TrialScheduler.CONTINUE)
        return super().on_trial_result(tune_controller, _key(trial), result)  # type: ignore[misc,no-any-return]

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
        if result.get(TIME_ATTRIBUTE, 0) > 0:
            super().on_trial_complete(tune_controller, _key(trial), result)  # type: ignore[misc]

    def on_trial_remove(self, tune_controller: Any, trial: Any) -> None:
        super().on_trial_remove(tune_controller, _key(trial))  # type: ignore[misc]


class EpochASHA(_OnEpochs, ASHAScheduler):
    """Asynchronous successive halving (Li et al. 2018, arXiv:1810.05934) with epochs as the resource."""


class EpochMedian(_OnEpochs, MedianStoppingRule):
    """Median stopping (Golovin et al. 2017, Google Vizier) with epochs as the resource; never pauses a trial."""

    def _on_insufficient_samples(self, tune_controller: Any, trial: Any, time: float) -> str:
        return str(TrialScheduler.CONTINUE)


def make_scheduler(
    name: str, *, grace_period: int, reduction_factor: float, max_epochs: int, past: Iterable[TrialRecord]
) -> TrialScheduler:
    """Make the scheduler and show it what earlier sessions of the sweep reported.

    max_epochs: the longest that any trial of the space may run; ASHA itself then never ends a trial for its length.
    """
    if name == "none":
        return FIFOScheduler()
    common = {
        "time_attr": TIME_ATTRIBUTE,
        "metric": OBJECTIVE,
        "mode": "min",
        "grace_period": grace_period,
    }
    scheduler: Any
    if name == "median":
        scheduler = EpochMedian(**common)
    else:
        max_t = max(max_epochs, grace_period) + 1
        scheduler = EpochASHA(**common, max_t=max_t, reduction_factor=reduction_factor)
    for record in past:
        _replay(scheduler, record)
    return scheduler


def _replay(scheduler: Any, record: TrialRecord) -> None:
    key = TrialKey(record.trial_id)
    rows = [row for row in record.trained_rows if row[OBJECTIVE] is not None]
    if not rows:
        return
    scheduler.on_trial_add(None, key)
    for row in rows:
        scheduler.on_trial_result(_NO_CONTROLLER, key, row)
    if record.is_finished:
        scheduler.on_trial_complete(_NO_CONTROLLER, key, rows[-1])


class _NoController:
    """Stands where Ray's controller does while past reports are replayed; nobody waits in the past."""

    def get_live_trials(self) -> list[Any]:
        return []


_NO_CONTROLLER = _NoController()
