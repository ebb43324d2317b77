"""Whether a search is over before its trials are: nothing comes near the initial model, or nothing gets better."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from scipy.stats import norm

from trainables.trial.report import Report
from tune.format import count_text, difference_text
from tune.leaderboard.leaderboard import Leaderboard
from tune.records.journal import Journal
from tune.records.search_time import Ending
from tune.records.spec import SweepSpec
from tune.records.sweep_folder import SweepFolder
from tune.records.trial_record import TrialConfig, TrialRecord, of_search
from tune.verdict.gain import difference_between
from tune.verdict.measured import initial_errors, trial_errors

LEAST_TRIALS = 6  # that must have ended
LEAST_SHARE = 1 / 3  # of the planned trials that must have ended, and in which nothing got better


@dataclass(frozen=True)
class EarlyEnd:
    """ending: FUTILE or FLAT. text: why, in a sentence."""

    ending: Ending
    text: str


class EarlyEndCallback:
    """Asks after every trial whether the search is over; a callback of the sweep. found: None while it is not."""

    def __init__(self, journal: Journal, spec: SweepSpec) -> None:
        self.journal, self.spec = journal, spec
        self.found = early_end(journal.folder, spec, journal.searched)
        self._has_won = False  # then no search is futile, and a trial's end costs nothing

    def trial_started(self, config: TrialConfig) -> None:
        """Only an end can end the search."""

    def trial_reported(self, trial_id: str, report: Report) -> None:
        """Only an end can end the search."""

    def trial_ended(self, trial_id: str) -> None:
        record, metric = self.journal.record(trial_id), self.spec.metric
        best, initial = record.best(metric), record.initial
        if best is not None and initial is not None:
            value, start = best.scores[metric], initial.scores[metric]
            self._has_won |= value is not None and start is not None and value < start
        if record.repeat_of is None and (self.spec.stop_when_flat or not self._has_won):
            self.found = early_end(self.journal.folder, self.spec, self.journal.searched)

    def tick(self) -> None:
        """Nothing between reports."""

    def close(self) -> None:
        """Nothing to release."""


def early_end(folder: SweepFolder, spec: SweepSpec, records: Sequence[TrialRecord]) -> EarlyEnd | None:
    """Say whether and why the search is over, as far as the sweep's settings allow it to end early.

    Futile: no trial beat the initial model, the best is worse beyond chance, and the best of those to come is not
    expected to reach it: see `promised_gain`. Flat: the best trial of all is not better beyond chance than the best
    before the last third.
    """
    if not spec.futility and not spec.stop_when_flat:
        return None
    ended = [record for record in of_search(records) if record.is_finished]
    third = math.ceil(LEAST_SHARE * spec.trials)
    if len(ended) < max(LEAST_TRIALS, third) or len(ended) >= spec.trials:
        return None
    board = _board(ended, folder, spec)
    futile = _futile(folder, spec, board, len(ended)) if spec.futility else None
    if futile is not None or not spec.stop_when_flat or len(ended) - third < LEAST_TRIALS:
        return futile
    return _flat(folder, spec, board, _board(ended[: len(ended) - third], folder, spec), third)


def promised_gain(gains: Sequence[float], left: int) -> float:
    """Return the gain expected of the best of the trials that are left.

    gains: of the trials that have ended, at least two, above 0 is better. Those to come are taken to be like the better
    half of them, as a searcher's proposals get better: the expected largest of as many draws from a normal distribution
    with their mean and spread, at its quantile (n - 3/8) / (n + 1/4) (Blom 1958, Statistical Estimates and Transformed
    Beta-Variables).
    """
    better = sorted(gains, reverse=True)[: max(2, math.ceil(len(gains) / 2))]
    quantile = float(norm.ppf((left - 0.375) / (left + 0.25)))
    return fmean(better) + max(0.0, quantile) * stdev(better)


def _board(ended: Sequence[TrialRecord], folder: SweepFolder, spec: SweepSpec) -> Leaderboard:
    return Leaderboard.of(ended, sweep=folder.name, metric=spec.metric, sweep_is_running=True)


def _futile(folder: SweepFolder, spec: SweepSpec, board: Leaderboard, ended: int) -> EarlyEnd | None:
    gains = [s.gain for s in board.standings if s.gain is not None]
    if board.best is None or len(gains) < LEAST_TRIALS or max(gains) > 0:
        return None
    if promised_gain(gains, spec.trials - ended) > 0:
        return None
    initial, best = initial_errors(folder, spec.metric), trial_errors(folder, board.best)
    difference = difference_between(initial, best, spec)
    if difference is None or not difference.is_worse:
        return None
    level = f"{spec.confidence * 100:.3g} %"
    return EarlyEnd(
        Ending.FUTILE,
        f"none of {count_text(ended, 'trial')} comes near the initial model: the best, {board.best.trial_id}, is "
        f"{difference_text(-difference.mean)} worse by {spec.metric} (at least {difference_text(-difference.high)} "
        f"with {level} confidence), and no better one is to be expected",
    )


def _flat(folder: SweepFolder, spec: SweepSpec, board: Leaderboard, before: Leaderboard, third: int) -> EarlyEnd | None:
    if board.best is None or before.best is None:
        return None
    if board.best.trial_id != before.best.trial_id:
        difference = difference_between(trial_errors(folder, before.best), trial_errors(folder, board.best), spec)
        if difference is None or difference.is_better:
            return None
    return EarlyEnd(
        Ending.FLAT, f"the last {count_text(third, 'trial')} brought nothing above noise over {before.best.trial_id}"
    )
