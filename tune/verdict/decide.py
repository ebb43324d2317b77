"""The decision: which candidate is better than the initial model beyond what picking the best of many brings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainables.trial.window_errors import WindowErrors, score_of
from tune.records.verdict import MAIN_METRICS, Decision, Flaw, Interval, Verdict
from tune.verdict.resampling import Units
from tune.verdict.statistics import Difference, confidence_set, paired_difference, superior_models

LEAST_GAIN = 1e-3  # of the initial model's mean score of a window, without its sign: less is no gain to anyone
CERTAIN = 3.0  # standard errors of the difference between two candidates


@dataclass(frozen=True, eq=False)
class Candidate:
    """A trial's best epoch or a blend, and what every validation window says of it.

    step: how far from the initial model it is, as a share of the way that training went; 1 for a trial.
    may_win: whether it may be the answer; one that may not still counts as tried.
    """

    name: str
    errors: WindowErrors
    step: float = 1.0
    is_blend: bool = False
    may_win: bool = True


def decide(
    initial: WindowErrors, candidates: Sequence[Candidate], *, metric: str, overlap: int, confidence: float
) -> Verdict:
    """Compare the candidates with the initial model on the windows of validation.

    Of those that are better beyond chance, and by no main metric worse, the answer is the one closest to the initial
    model whose gain is within a standard error of the best one's: the one-standard-error rule (Breiman et al. 1984,
    Classification and Regression Trees, section 3.4.3); but none that is worse than the best one for certain. What is
    closer to its start keeps more of its gain on other data (Wortsman et al. 2022, WiSE-FT, arXiv:2109.01903).

    overlap: windows from one to the next that shares no target with it.
    """
    base = initial.of(metric)
    known = [c for c in candidates if c.errors.is_of_same_windows(initial) and c.errors.of(metric) is not None]
    if base is None or not known:
        return Verdict(Decision.UNDECIDED, metric, confidence, windows=len(initial))
    shares = {c.name: _of(c.errors, metric) for c in known}
    gains = np.stack([base - of_one for of_one in shares.values()], axis=1)
    units = Units.of(initial.series, overlap).with_memory_of(gains)
    superior = superior_models(base, shares, units, confidence=confidence)
    ranked = sorted(known, key=lambda c: (not c.may_win, float(shares[c.name].mean())))
    passed_over: list[Flaw] = []
    sound: list[Candidate] = []
    least = LEAST_GAIN * float(np.abs(base).mean())
    asked = [c for c in ranked if c.may_win and c.name in superior.better]
    worth = [c for c in asked if float((base - shares[c.name]).mean()) >= least]
    for candidate in worth:
        flaw = _flaw(initial, candidate, metric, units, confidence)
        if flaw is None:
            sound.append(candidate)
        elif not sound:
            passed_over.append(flaw)
    chosen = _least_step(sound, base, shares, units, confidence)
    about = chosen or ranked[0]
    decision = Decision.KEEP if chosen is None else Decision.BLEND if chosen.is_blend else Decision.USE
    better, worse = _series(base, shares[about.name], initial)
    return Verdict(
        decision,
        metric,
        confidence,
        candidate=about.name,
        best=sound[0].name if sound else ranked[0].name,
        value=about.errors.score(metric),
        initial=initial.score(metric),
        difference=interval_of(paired_difference(base, shares[about.name], units, confidence=confidence), base, metric),
        p_value=superior.p_value,
        windows=len(initial),
        blocks=units.blocks,
        few_blocks=units.are_few,
        series_better=better,
        series_worse=worse,
        trials_compared=len(known),
        confidence_set=tuple(sorted(confidence_set(shares, units, confidence=confidence))),
        passed_over=tuple(passed_over),
    )


def _least_step(
    sound: Sequence[Candidate],
    base: NDArray[np.float64],
    shares: Mapping[str, NDArray[np.float64]],
    units: Units,
    confidence: float,
) -> Candidate | None:
    """Return the candidate closest to the initial model that gains what the first one does, less a standard error, and
    is not worse than it for certain."""
    if not sound:
        return None
    first = shares[sound[0].name]
    best = paired_difference(base, first, units, confidence=confidence)
    close = [c for c in sound if float((base - shares[c.name]).mean()) >= best.mean - best.error]

    def is_enough(candidate: Candidate) -> bool:
        own = shares[candidate.name]
        if np.array_equal(own, first):
            return True
        behind = paired_difference(first, own, units, confidence=confidence)
        return behind.mean >= -CERTAIN * behind.error

    return min(filter(is_enough, close), key=lambda c: c.step)  # of equals the first, which is the best


def _of(errors: WindowErrors, metric: str) -> NDArray[np.float64]:
    shares = errors.of(metric)
    assert shares is not None  # asked before
    return shares


def interval_of(difference: Difference, base: NDArray[np.float64], metric: str) -> Interval:
    """Return a difference of shares as one of scores. base: (n_windows,) the initial model's shares."""
    mean = float(base.mean())
    initial = score_of(metric, mean)
    gains = (difference.mean, difference.low, difference.high)
    return Interval(*(initial - score_of(metric, mean - gain) for gain in gains))


def _flaw(initial: WindowErrors, candidate: Candidate, metric: str, units: Units, confidence: float) -> Flaw | None:
    """Return the first main metric by which a candidate is worse than the initial model beyond noise."""
    for other in MAIN_METRICS:
        base, own = initial.of(other), candidate.errors.of(other)
        if other == metric or base is None:
            continue
        if own is None:
            return Flaw(candidate.name, other, float(base.mean()), float("nan"))
        if paired_difference(base, own, units, confidence=confidence).is_worse:
            return Flaw(candidate.name, other, float(base.mean()), float(own.mean()))
    return None


def _series(base: NDArray[np.float64], own: NDArray[np.float64], initial: WindowErrors) -> tuple[int, int]:
    """Count the series in which a candidate is better and worse."""
    gains = np.bincount(initial.series, weights=base - own)[np.unique(initial.series)]
    return int((gains > 0).sum()), int((gains < 0).sum())
