"""The specification of tune/verdict/decide.py: use it, use the blend, or keep the initial model."""

from __future__ import annotations

import numpy as np
import pytest

from tests.tune.verdict.windows import errors
from trainables.trial.window_errors import WindowErrors
from tune.records.verdict import Decision, Verdict
from tune.verdict.decide import Candidate, decide

RNG = np.random.default_rng(1)
BASE = RNG.normal(loc=1.0, size=80)


def noise(size: float = 0.1) -> np.ndarray:
    """Of mean 0."""
    drawn = RNG.normal(size=80)
    return size * (drawn - drawn.mean())


def decided(*candidates: Candidate, initial: WindowErrors | None = None, metric: str = "val_loss") -> Verdict:
    return decide(initial or errors(BASE), candidates, metric=metric, overlap=1, confidence=0.9)


def test_a_real_gain_is_to_be_used_with_its_figures() -> None:
    verdict = decided(Candidate("t0000", errors(BASE - 0.5 + noise())), Candidate("t0001", errors(BASE + noise())))
    assert (verdict.decision, verdict.candidate) == (Decision.USE, "t0000")
    assert verdict.difference is not None
    assert verdict.difference.low < 0.5 < verdict.difference.high
    assert verdict.p_value is not None
    assert verdict.p_value < 0.01
    assert (verdict.windows, verdict.trials_compared, verdict.series_better) == (80, 2, 1)
    assert verdict.confidence_set == ("t0000",)


def test_what_may_not_win_is_not_the_answer_and_still_counts_as_tried() -> None:
    """A single run beside configurations that go by the mean of their repeats."""
    repeated = Candidate("t0000", errors(BASE - 0.5 + noise()))
    lucky = Candidate("t0001", errors(BASE - 0.9 + noise()), may_win=False)
    verdict = decided(repeated, lucky)
    assert (verdict.decision, verdict.candidate, verdict.best) == (Decision.USE, "t0000", "t0000")
    assert (verdict.trials_compared, verdict.confidence_set) == (2, ("t0001",))
    worse = decided(Candidate("t0000", errors(BASE + 0.5 + noise())), lucky)
    assert (worse.decision, worse.candidate) == (Decision.KEEP, "t0000")


def test_the_best_of_many_that_differ_by_chance_is_not_used() -> None:
    verdict = decided(*(Candidate(f"t{i:04}", errors(BASE + 0.1 * RNG.normal(size=80))) for i in range(20)))
    assert verdict.decision is Decision.KEEP
    assert verdict.difference is not None
    assert verdict.difference.difference > 0  # the best of twenty looks better
    assert verdict.p_value is not None
    assert verdict.p_value > 0.1


def test_a_trial_that_is_better_by_the_loss_and_worse_by_the_error_is_passed_over_for_the_next() -> None:
    """A likelihood may improve where forecasts get three times worse: a learning rate far too high."""
    blown_up = Candidate("t0000", errors(BASE - 0.8 + noise(), mae=3 * (BASE + 10)))
    sound = Candidate("t0001", errors(BASE - 0.4 + noise()))
    verdict = decided(blown_up, sound)
    assert (verdict.decision, verdict.candidate, verdict.best) == (Decision.USE, "t0001", "t0001")
    (flaw,) = verdict.passed_over
    assert (flaw.name, flaw.metric) == ("t0000", "val_mae")
    assert flaw.value == pytest.approx(3 * flaw.initial, rel=1e-5)
    alone = decided(blown_up)
    assert (alone.decision, alone.candidate) == (Decision.KEEP, "t0000")
    assert [f.name for f in alone.passed_over] == ["t0000"]


def line(name: str, share: float, gain: float) -> Candidate:
    return Candidate(name, errors(BASE - gain + noise()), step=share, is_blend=True)


def test_of_what_gains_within_a_standard_error_of_the_best_the_closest_to_the_start_is_used() -> None:
    spread = noise(1.5)  # a standard error of 0.17
    trial = Candidate("t0000", errors(BASE - 0.5 + spread))
    verdict = decided(trial, line("α 0.2", 0.2, 0.1), line("α 0.6", 0.6, 0.45), line("α 0.8", 0.8, 0.48))
    assert (verdict.decision, verdict.candidate, verdict.best) == (Decision.BLEND, "α 0.6", "t0000")


def test_a_blend_that_gains_less_than_that_is_not_preferred() -> None:
    trial = Candidate("t0000", errors(BASE - 0.5 + noise()))
    verdict = decided(trial, line("α 0.6", 0.6, 0.3))
    assert (verdict.decision, verdict.candidate) == (Decision.USE, "t0000")


def test_few_windows_are_said_and_ask_for_more() -> None:
    gains = np.array([0.9, -0.5, 0.8, 0.7, -0.4, 0.6, -0.3, 0.9])  # mean 0.34, a standard error of 0.23
    base = np.ones(8)
    verdict = decide(
        errors(base), [Candidate("t0000", errors(base - gains))], metric="val_loss", overlap=1, confidence=0.9
    )
    assert verdict.few_blocks
    assert verdict.decision is Decision.KEEP
    repeated = RNG.permutation(np.tile(gains, 12))
    many = decide(
        errors(np.ones(96)), [Candidate("t0000", errors(1 - repeated))], metric="val_loss", overlap=1, confidence=0.9
    )
    assert not many.few_blocks
    assert many.decision is Decision.USE


def test_a_gain_below_a_thousandth_is_none_however_certain() -> None:
    assert decided(Candidate("t0000", errors(BASE - 0.0005))).decision is Decision.KEEP
    assert decided(Candidate("t0000", errors(BASE - 0.005))).decision is Decision.USE


def test_one_window_decides_nothing() -> None:
    verdict = decide(errors([1.0]), [Candidate("t0000", errors([0.1]))], metric="val_loss", overlap=1, confidence=0.9)
    assert verdict.decision is Decision.KEEP


def test_series_are_counted_by_their_own_means() -> None:
    series = np.repeat([0, 1, 4], [40, 30, 10])  # a series without a window is not counted
    gains = np.where(series == 1, -0.1, 0.5)
    initial, trial = errors(BASE, series=series), errors(BASE - gains, series=series)
    verdict = decided(Candidate("t0000", trial), initial=initial)
    assert (verdict.series_better, verdict.series_worse) == (2, 1)


def test_what_diverged_or_was_measured_on_other_windows_is_not_compared() -> None:
    broken = Candidate("t0000", errors(np.full(80, np.nan)))
    other = Candidate("t0001", errors(np.zeros(79)))
    assert decided(broken, other).decision is Decision.UNDECIDED
    assert decided(broken, other, Candidate("t0002", errors(BASE - 1))).trials_compared == 1


def test_a_percentage_is_of_metrics_with_a_zero_alone() -> None:
    trial = Candidate("t0000", errors(BASE - 0.5 + noise()))
    assert decided(trial).percent is None
    by_mae = decided(trial, metric="val_mae").percent
    assert by_mae is not None
    assert by_mae.difference == pytest.approx(100 * 0.5 / 11, rel=0.1)  # MAE is about 11 here


def test_by_rmse_the_figures_are_roots_and_the_decision_is_that_of_mse() -> None:
    """MSE 4 against 1 in every window: RMSE 2 against 1, better by 1, half of it."""
    base = errors(np.full(80, 1.0), mae=np.full(80, 2.0) + noise(0.01))
    trial = Candidate("t0000", errors(np.full(80, 0.5), mae=np.full(80, 1.0) + noise(0.01)))
    verdict = decide(base, [trial], metric="val_rmse", overlap=1, confidence=0.9)
    assert (verdict.decision, verdict.initial, verdict.value) == (
        Decision.USE, pytest.approx(2, abs=0.01), pytest.approx(1, abs=0.01)
    )  # fmt: skip
    assert verdict.difference is not None
    assert verdict.difference.difference == pytest.approx(1, abs=0.01)
    assert verdict.difference.low == pytest.approx(1, abs=0.02) == pytest.approx(verdict.difference.high, abs=0.02)
    assert verdict.percent is not None
    assert verdict.percent.difference == pytest.approx(50, abs=0.5)


def test_a_blend_that_is_worse_than_the_best_for_certain_is_not_used() -> None:
    """Window by window the blend keeps nine tenths of the gain: within a standard error of it, as gains differ much
    from window to window, and yet 0.05 worse in nearly every window."""
    gains = 0.5 + 1.5 * RNG.normal(size=80)
    best = Candidate("t0000", errors(BASE - gains))
    behind = 0.05 + noise(0.02)
    blend = Candidate("blend(t0000, α 0.8)", errors(BASE - gains + behind), step=0.8, is_blend=True)
    assert gains.std() / 80**0.5 > 0.05
    assert decided(best, blend).candidate == "t0000"
    unclear = Candidate("blend(t0000, α 0.8)", errors(BASE - gains + 0.05 + noise(0.3)), step=0.8, is_blend=True)
    assert decided(best, unclear).candidate == "blend(t0000, α 0.8)"
