"""How much each hyperparameter mattered, by Optuna's PED-ANOVA, and whether the trials are enough to say it."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.importance import PedAnovaImportanceEvaluator

from tune.format import count_text
from tune.leaderboard.leaderboard import Leaderboard
from tune.leaderboard.standing import Standing, varying
from tune.report.charts.importances import Importance, Importances, too_few

BEST = 0.2  # of the trials
SHUFFLES = 19  # of which none may reach the importance found: by chance that is one time in twenty
RESAMPLES = 40
MOST_TRIALS = 300  # the time grows with them, and what they say hardly does
WIDE_RANGE = 1000


def hyperparameter_importances(board: Leaderboard, *, seed: int = 0) -> Importances:
    """Measure what the ranked trials say of each hyperparameter that varies.

    Shares of PED-ANOVA's importance (Watanabe et al. 2023, arXiv:2304.10255) of being among the best fifth, each with
    the range in which 90 % of the shares in half-samples of the trials lie. Nothing where the largest importance does
    not pass all that shuffled results give: then `why_none` says so.
    """
    trials = [s for s in board.standings if s.rank is not None][:MOST_TRIALS]
    if (none := too_few(len(trials))) is not None:
        return none
    measured = _Measured.of(trials, board.metric)
    if measured is None:
        return Importances(len(trials), why_none="no hyperparameter has more than one value")
    generator = np.random.default_rng(seed)
    found = measured.importances(measured.values)
    reached = max(found.values())
    by_chance = [max(measured.importances(generator.permutation(measured.values)).values()) for _ in range(SHUFFLES)]
    if reached <= max(by_chance):
        why = f"{count_text(len(trials), 'trial')} cannot tell: shuffled results give importances as large"
        return Importances(len(trials), why_none=why)
    half = len(trials) // 2
    samples = [_shares(measured.importances(measured.of_some(generator, half))) for _ in range(RESAMPLES)]
    shares = _shares(found)
    of = {}
    for name, share in sorted(shares.items(), key=lambda item: -item[1]):
        low, high = np.quantile([sample[name] for sample in samples], (0.05, 0.95))
        of[name] = Importance(share, min(share, float(low)), max(share, float(high)))
    return Importances(len(trials), of)


@dataclass(frozen=True)
class _Measured:
    """Trials as a study of Optuna's, and their values, (n_trials,), smaller is better."""

    study: optuna.Study
    values: NDArray[np.float64]

    @classmethod
    def of(cls, trials: Sequence[Standing], metric: str) -> _Measured | None:
        """Make a study; None where nothing varies."""
        domains = {name: _distribution(trials, name) for name in varying(trials)}
        if not domains:
            return None
        level = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(logging.ERROR)
        try:
            study = optuna.create_study(direction="minimize")
            study.add_trials([_frozen(trial, domains, metric) for trial in trials])
        finally:
            optuna.logging.set_verbosity(level)
        return cls(study, np.array([trial.scores[metric] for trial in trials], dtype=np.float64))

    def importances(self, values: NDArray[np.float64]) -> dict[str, float]:
        """Evaluate with these values in place of the trials' own; trials of NaN are left out."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that smaller targets are better, and that regimes are small
            found = PedAnovaImportanceEvaluator(target_quantile=BEST).evaluate(
                self.study, target=lambda trial: float(values[trial.number])
            )
        return {name: float(value) for name, value in found.items()}

    def of_some(self, generator: np.random.Generator, count: int) -> NDArray[np.float64]:
        """Return the values of so many trials, drawn without replacement, and NaN for the others."""
        drawn = np.full_like(self.values, math.nan)
        places = generator.choice(len(self.values), size=count, replace=False)
        drawn[places] = self.values[places]
        return drawn


def _distribution(trials: Sequence[Standing], name: str) -> BaseDistribution:
    """Return the domain that the trials' own values span."""
    values = [v for trial in trials if (v := trial.hyper.get(name)) is not None]
    numbers = [float(v) for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    if len(numbers) < len(values):
        return CategoricalDistribution(sorted(set(map(str, values))))
    low, high = min(numbers), max(numbers)
    return FloatDistribution(low, high, log=low > 0 and (name == "lr" or high / low >= WIDE_RANGE))


def _frozen(trial: Standing, domains: Mapping[str, BaseDistribution], metric: str) -> optuna.trial.FrozenTrial:
    there = {name: value for name in domains if (value := trial.hyper.get(name)) is not None}
    return optuna.trial.create_trial(
        params={
            n: str(v) if isinstance(domains[n], CategoricalDistribution) else float(str(v)) for n, v in there.items()
        },
        distributions={name: domains[name] for name in there},
        value=trial.scores[metric],
    )


def _shares(importances: Mapping[str, float]) -> dict[str, float]:
    total = sum(importances.values())
    return {name: value / total if total else 0.0 for name, value in importances.items()}
