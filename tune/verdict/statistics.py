"""What can be said of a difference between models that were measured on the same windows.

arch has the tests: Hansen 2005, A test for superior predictive ability, doi:10.1198/073500105000000063; Hansen, Lunde &
Nason 2011, The model confidence set, doi:10.3982/ECTA5771.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from arch.bootstrap import MCS, SPA
from numpy.typing import NDArray
from scipy.stats import norm, t

from tune.verdict.resampling import REPETITIONS, Units

MOST_IN_SET = 50  # trials that the confidence set is taken of: it costs by the pair


@dataclass(frozen=True)
class Difference:
    """How much better a model is than another on the mean over windows: above 0 is better.

    low, high: the interval at the level asked for. error: the standard error of the mean, as wide as the interval is.
    """

    mean: float
    low: float
    high: float
    error: float

    @property
    def is_better(self) -> bool:
        """Whether the whole interval is above 0."""
        return self.low > 0

    @property
    def is_worse(self) -> bool:
        return self.high < 0


def paired_difference(
    initial: NDArray[np.float64], model: NDArray[np.float64], units: Units, *, confidence: float
) -> Difference:
    """Return by how much a model is better than the initial one, with a stationary-bootstrap interval.

    initial, model: (n_windows,) shares in a score. confidence: of the interval, two-sided. With few blocks it is wider
    by what Student's distribution and the missing degree of freedom ask for.
    """
    gains = _widened(units.means(initial - model), units, (1 + confidence) / 2)
    means = units.resampled_means(gains)
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Difference(float(gains.mean()), float(low), float(high), float(means.std()))


@dataclass(frozen=True)
class Superior:
    """p_value: of the hypothesis that no model is better than the initial one. better: those that are, at the level."""

    p_value: float
    better: frozenset[str]


def superior_models(
    initial: NDArray[np.float64], models: Mapping[str, NDArray[np.float64]], units: Units, *, confidence: float
) -> Superior:
    """Test whether any of the models is better than the initial one, corrected for how many were tried.

    initial, models: (n_windows,) shares in a score. Differences are studentised, so that one trial with errors all over
    the place does not hide what the others gained. With few blocks the test is the conservative one.
    """
    differences = {name: units.means(initial - shares) for name, shares in models.items()}
    differences = {name: gains for name, gains in differences.items() if np.ptp(gains) > 0}
    if not differences:
        return Superior(1.0, frozenset())
    gains = _widened(np.stack(list(differences.values()), axis=1), units, confidence)
    deviations = units.resampled_means(gains).std(axis=0)
    studentised = gains / np.maximum(deviations, np.finfo(float).tiny)
    test = SPA(np.zeros(len(gains)), -studentised, block_size=units.block_size, reps=REPETITIONS)
    test.bootstrap = units.bootstrap(studentised, seed=1)
    test.compute()
    kind: Literal["upper", "consistent"] = "upper" if units.are_few else "consistent"
    better = test.better_models(1 - confidence, kind)
    names = list(differences)
    return Superior(float(test.pvalues[kind]), frozenset(names[i] for i in better))


def confidence_set(models: Mapping[str, NDArray[np.float64]], units: Units, *, confidence: float) -> frozenset[str]:
    """Return the models that cannot be distinguished from the best one: it is among them with this confidence.

    models: (n_windows,) shares in a score, smaller is better. Of very many models the best few are asked.
    """
    ordered = sorted(models, key=lambda name: float(models[name].mean()))[:MOST_IN_SET]
    losses = {name: _widened(units.means(models[name]), units, confidence) for name in ordered}
    alike: dict[bytes, list[str]] = {}  # models with equal losses are one to the test, which divides by their distance
    for name, of_units in losses.items():
        alike.setdefault(of_units.tobytes(), []).append(name)
    groups = list(alike.values())
    if len(groups) < 2:
        return frozenset(ordered)
    columns = np.stack([losses[group[0]] for group in groups], axis=1)
    test = MCS(columns, 1 - confidence, reps=REPETITIONS, block_size=units.block_size)
    test.bootstrap = units.bootstrap(np.arange(len(columns)), seed=2)
    test.compute()
    return frozenset(name for i in test.included for name in groups[int(str(i))])


def _widened(gains: NDArray[np.float64], units: Units, quantile: float) -> NDArray[np.float64]:
    """Spread few blocks' values around their mean: resampled as they are, they vary too little.

    By the missing degree of freedom, and by what Student's distribution has above the normal one at the quantile.
    gains: (n_units, ...). A single block says nothing: it is spread without bound.
    """
    if not units.are_few:
        return gains
    blocks = max(units.blocks, 2)
    factor = t.ppf(quantile, blocks - 1) / norm.ppf(quantile) * np.sqrt(blocks / (blocks - 1))
    mean = gains.mean(axis=0)
    spread: NDArray[np.float64] = mean + factor * (gains - mean)
    return spread
