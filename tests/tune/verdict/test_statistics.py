"""The specification of tune/verdict/statistics.py: rates over many made-up sweeps, and cases worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tune.verdict.resampling import Units
from tune.verdict.statistics import confidence_set, paired_difference, superior_models

ONE_SERIES = np.zeros(60, dtype=np.int64)
UNITS = Units.of(ONE_SERIES, overlap=1)


def test_a_constant_gain_is_known_exactly() -> None:
    base = np.random.default_rng(0).normal(size=60)
    difference = paired_difference(base, base - 0.25, UNITS, confidence=0.9)
    assert (difference.mean, difference.low, difference.high) == pytest.approx((0.25, 0.25, 0.25))
    assert difference.is_better
    assert paired_difference(base, base + 0.25, UNITS, confidence=0.9).is_worse


def test_the_interval_of_independent_windows_is_the_one_of_the_textbook() -> None:
    """Of a mean of n independent normal values: 1.645 standard errors to each side at 90 %."""
    gains = np.random.default_rng(3).normal(loc=0.5, size=400)
    units = Units.of(np.zeros(400, dtype=np.int64), overlap=1)
    found = paired_difference(gains, np.zeros(400), units, confidence=0.9)
    error = 1.645 * gains.std() / 20
    assert found.mean == pytest.approx(gains.mean())
    assert (found.low, found.high) == pytest.approx((gains.mean() - error, gains.mean() + error), abs=0.02)
    assert found.error == pytest.approx(gains.std() / 20, rel=0.1)


def test_an_interval_of_few_windows_is_wider_by_student() -> None:
    """Ten values: Student's 1.833 instead of 1.645, and the deviation over n - 1 instead of n."""
    gains = np.random.default_rng(5).normal(size=10)
    units = Units.of(np.zeros(10, dtype=np.int64), overlap=1)
    found = paired_difference(gains, np.zeros(10), units, confidence=0.9)
    half = 1.833 * gains.std(ddof=1) / np.sqrt(10)
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.12)


@pytest.mark.parametrize(("windows", "trials"), [(20, 8), (60, 8), (60, 40)])
def test_where_nothing_is_better_the_best_of_many_seldom_looks_so(windows: int, trials: int) -> None:
    """Half of single comparisons have a positive gain; of the best of many, nearly all have."""
    rng = np.random.default_rng(11)
    units = Units.of(np.zeros(windows, dtype=np.int64), overlap=1)
    rejected = positive = 0
    for _ in range(60):
        base = rng.normal(size=windows)
        models = {f"t{i:04}": base + 0.3 * rng.normal(size=windows) for i in range(trials)}
        positive += min(m.mean() for m in models.values()) < base.mean()
        rejected += bool(superior_models(base, models, units, confidence=0.9).better)
    assert positive >= 57
    assert rejected <= 12  # 6 are expected, and 12 or more have a chance of 2 %


def test_a_real_gain_is_found_among_many() -> None:
    rng = np.random.default_rng(2)
    base = rng.normal(size=60)
    models = {f"t{i:04}": base + 0.3 * rng.normal(size=60) for i in range(20)}
    models["t0020"] = base - 0.3 + 0.3 * rng.normal(size=60)
    found = superior_models(base, models, UNITS, confidence=0.9)
    assert found.better == {"t0020"}
    assert found.p_value < 0.01


def test_one_trial_with_wild_errors_does_not_hide_what_another_gained() -> None:
    """Unstudentised, the wild trial's noise is the largest difference that chance brings, and nothing is above it."""
    rng = np.random.default_rng(4)
    base = rng.normal(size=60)
    models = {"steady": base - 0.1 + 0.05 * rng.normal(size=60), "wild": base + 50 * rng.normal(size=60)}
    assert superior_models(base, models, UNITS, confidence=0.9).better == {"steady"}


def test_a_trial_that_is_the_initial_model_is_not_better_than_it() -> None:
    base = np.random.default_rng(0).normal(size=60)
    found = superior_models(base, {"t0000": base.copy()}, UNITS, confidence=0.9)
    assert (found.better, found.p_value) == (frozenset(), 1.0)


def test_the_confidence_set_keeps_what_cannot_be_told_apart_and_drops_what_is_worse() -> None:
    rng = np.random.default_rng(7)
    base = rng.normal(size=60)
    models = {
        "best": base + 0.1 * rng.normal(size=60),
        "alike": base + 0.1 * rng.normal(size=60),
        "worse": base + 0.5 + 0.1 * rng.normal(size=60),
    }
    assert confidence_set(models, UNITS, confidence=0.9) == {"best", "alike"}


def test_trials_with_the_same_errors_are_in_the_set_together() -> None:
    rng = np.random.default_rng(6)
    base = rng.normal(size=60)
    models = {"one": base, "other": base.copy(), "worse": base + 1 + 0.1 * rng.normal(size=60)}
    assert confidence_set(models, UNITS, confidence=0.9) == {"one", "other"}
    assert confidence_set({"one": base, "other": base.copy()}, UNITS, confidence=0.9) == {"one", "other"}
