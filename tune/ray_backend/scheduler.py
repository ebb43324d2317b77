"""Stopping poor trials early: Ray's ASHA and median rule on epochs, with a memory that outlives a restart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ray.tune.execution.tune_controller import TuneController
from ray.tune.experiment import Trial
from ray.tune.schedulers import ASHAScheduler, FIFOScheduler, MedianStoppingRule, TrialScheduler

from trainables.trial.report import WARMUP_EPOCHS, finite
from tune.ray_backend.messages import BEST_SO_FAR, EPOCH, config_of, to_result
from tune.records.trial_record import TrialRecord


@dataclass(frozen=True)
class TrialKey:
    """A trial by its own id: Ray gives a resumed trial a new one, and its old marks must count as its own."""

    trial_id: str


def _key(trial: Trial | TrialKey) -> TrialKey:
    return trial if isinstance(trial, TrialKey) else TrialKey(config_of(trial.config).trial_id)


class _OnEpochs:
    """Schedulers that see a trial under its own id, each epoch of it once, and only epochs that say something.

    Epoch 0 says nothing: every trial shares it. Neither does a loss that is no number. Ray passes on the last report
    of a trial that was stopped twice. Epochs count from the end of a trial's warm-up: before it, a trial that starts
    slowly would be judged at a rate that it was not meant to be trained at, against others at theirs.
    """

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        self._seen: dict[str, float] = {}

    def on_trial_add(self, tune_controller: TuneController, trial: Trial) -> None:
        super().on_trial_add(tune_controller, _key(trial))  # type: ignore[misc]

    def on_trial_result(self, tune_controller: TuneController, trial: Trial, result: dict[str, object]) -> str:
        if not self._is_news(_key(trial), result):
            return str(TrialScheduler.CONTINUE)
        counted = _from_warmup(result)
        return super().on_trial_result(tune_controller, _key(trial), counted)  # type: ignore[misc,no-any-return]

    def on_trial_complete(self, tune_controller: TuneController, trial: Trial, result: dict[str, object]) -> None:
        if self._is_news(_key(trial), result):
            super().on_trial_complete(tune_controller, _key(trial), _from_warmup(result))  # type: ignore[misc]

    def on_trial_remove(self, tune_controller: TuneController, trial: Trial) -> None:
        super().on_trial_remove(tune_controller, _key(trial))  # type: ignore[misc]

    def _is_news(self, key: TrialKey, result: Mapping[str, object]) -> bool:
        epoch, objective = finite(_from_warmup(result)[EPOCH]) or 0, finite(result.get(BEST_SO_FAR))
        if epoch < 1 or epoch <= self._seen.get(key.trial_id, 0) or objective is None:
            return False
        self._seen[key.trial_id] = epoch
        return True


def _from_warmup(result: Mapping[str, object]) -> dict[str, object]:
    """Return a result whose epochs count from the end of the trial's warm-up."""
    return {**result, EPOCH: (finite(result.get(EPOCH)) or 0) - (finite(result.get(WARMUP_EPOCHS)) or 0)}


class EpochASHA(_OnEpochs, ASHAScheduler):
    """Asynchronous successive halving (Li et al. 2018, arXiv:1810.05934) with epochs as the resource."""


class EpochMedian(_OnEpochs, MedianStoppingRule):
    """Median stopping (Golovin et al. 2017, Google Vizier) with epochs as the resource; never pauses a trial."""

    def _on_insufficient_samples(self, tune_controller: TuneController, trial: Trial, time: float) -> str:
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
        "time_attr": EPOCH,
        "metric": BEST_SO_FAR,
        "mode": "min",
        "grace_period": grace_period,
    }
    scheduler: ASHAScheduler | MedianStoppingRule
    if name == "median":
        scheduler = EpochMedian(**common)
    else:
        max_t = max(max_epochs, grace_period) + 1
        scheduler = EpochASHA(**common, max_t=max_t, reduction_factor=reduction_factor)
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
