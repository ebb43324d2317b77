"""The specification of tune/cli/sweep_state.py: how far a sweep is, from what it reports."""

from __future__ import annotations

import pytest

from tests.tune.hand_clock import HandClock
from tests.tune.reports import config, report, to_its_end
from trainables.trial.report import Report
from tune.cli.live import sweep_state
from tune.cli.live.sweep_state import SweepState
from tune.records.trial_record import TrialRecord


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> HandClock:
    clock = HandClock()
    monkeypatch.setattr(sweep_state, "time", clock)
    return clock


def state(total: int = 10, budget_left: float | None = None) -> SweepState:
    return SweepState("night1", "val_loss", total, budget_left, searched=("lr", "dropout"), started=1000.0)


def ended(trial_id: str, reports: list[Report], error: str | None = None) -> TrialRecord:
    return TrialRecord(config(trial_id, {}), tuple(reports), error)


def test_the_initial_model_is_its_best_report_and_the_best_trial_its_best_epoch() -> None:
    sweep = state()
    losses = {"t0000": (1.0, 0.5, 0.75), "t0001": (0.875, 0.625, None)}
    for trial_id, values in losses.items():
        for epoch, loss in enumerate(values):
            sweep.add_report(trial_id, report(epoch, loss))
    assert sweep.initial == 0.875
    assert sweep.best == ("t0000", 0.5)
    assert sweep.against(0.5) == " (0.375 better than zero-shot)"
    assert sweep.against(1.0) == " (0.125 worse than zero-shot)"
    assert sweep.against(None) == ""


def test_nothing_is_compared_before_the_initial_model_is_measured() -> None:
    assert state().against(0.5) == ""


def test_trials_are_counted_by_how_they_ended() -> None:
    sweep = state()
    for trial_id in ("t0000", "t0001", "t0002", "t0003", "t0004"):
        sweep.start(config(trial_id, {}))
    sweep.add_end(ended("t0000", to_its_end([1.0, 0.5])))
    sweep.add_end(ended("t0001", to_its_end([1.0, 0.5], "asha")))
    sweep.add_end(ended("t0002", to_its_end([1.0, None], "diverged")))
    sweep.add_end(ended("t0003", [], "out of memory"))
    assert sweep.finished == {"t0000", "t0001", "t0002", "t0003"}
    assert (sweep.stopped_early, sweep.failed, set(sweep.running)) == ({"t0001"}, {"t0003"}, {"t0004"})


def test_a_trial_that_runs_again_is_no_longer_counted_as_ended() -> None:
    sweep = state()
    sweep.add_end(ended("t0000", [], "the worker died"))
    sweep.start(config("t0000", {}))
    assert (sweep.finished, sweep.failed, set(sweep.running)) == (set(), set(), {"t0000"})


def test_the_time_left_is_estimated_from_this_sessions_trials_alone(clock: HandClock) -> None:
    sweep = state(total=10)
    sweep.read([ended("t0000", to_its_end([1.0, 0.5])), ended("t0001", to_its_end([1.0, 0.5]))])
    assert sweep.seconds_left() is None
    clock.now = 1020.0  # Ray took twenty seconds to start
    sweep.start(config("t0002", {}))
    clock.now = 1080.0  # a trial of a minute, and seven to go
    sweep.add_end(ended("t0002", to_its_end([1.0, 0.5])))
    assert sweep.seconds_left() == pytest.approx(7 * 60)


def test_a_time_budget_that_ends_first_is_what_is_left(clock: HandClock) -> None:
    sweep = state(total=10, budget_left=100.0)
    clock.now = 1020.0  # Ray took twenty seconds to start: no part of the budget
    assert sweep.seconds_left() == 100.0
    sweep.start(config("t0000", {}))
    clock.now = 1080.0
    sweep.add_end(ended("t0000", to_its_end([1.0, 0.5])))
    assert sweep.seconds_left() == 40.0
    clock.now = 1200.0
    assert sweep.seconds_left() == 0.0


def test_a_configuration_in_a_line_has_the_common_hyperparameters_and_what_is_searched() -> None:
    hyper = {"dropout": 0.1, "patience": 3, "lr": 5e-7, "strategy": "full", "epochs": 5}
    assert state().short(hyper) == "strategy full, lr 5e-7, epochs 5, dropout 0.1"
