"""Stopping on epochs: who is stopped by hand arithmetic, and that a restart changes no decision."""

from __future__ import annotations

import math
import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ray.tune.schedulers import TrialScheduler

from tests.tune import reports
from trainables.trial.report import Report
from tune.ray_backend.messages import to_result
from tune.ray_backend.scheduler import make_scheduler
from tune.records.journal import Journal
from tune.records.sweep_folder import SweepFolder
from tune.records.trial_record import TrialRecord

CONTINUE, STOP = TrialScheduler.CONTINUE, TrialScheduler.STOP
WAITING = SimpleNamespace(get_live_trials=lambda: [SimpleNamespace(status="PENDING")])  # Ray, with a trial that waits


def make(name: str = "asha", *, past: list[TrialRecord] | None = None, **options: Any) -> Any:
    defaults = {"grace_period": 1, "reduction_factor": 2}
    return make_scheduler(name, **{**defaults, **options}, past=past or [])


def report(epoch: float, objective: float | None, stopped_by: str | None = None, warmup_epochs: float = 0.0) -> Report:
    return reports.report(epoch, objective, stopped_by=stopped_by, warmup_epochs=warmup_epochs)


def record(trial_id: str, *made: Report, error: str | None = None) -> TrialRecord:
    return TrialRecord(reports.config(trial_id, {}), made, error)


class Driver:
    """Calls a scheduler as Ray's controller does: a trial that is stopped or done is also completed."""

    def __init__(self, scheduler: Any) -> None:
        self.scheduler = scheduler
        self.trials: dict[str, Any] = {}

    def start(self, trial_id: str, *, ray_id: str | None = None) -> None:
        """Add a trial; again, under another of Ray's ids, for one that is resumed."""
        self.trials[trial_id] = SimpleNamespace(
            trial_id=ray_id or f"ray-{trial_id}", config=reports.config(trial_id, {}).to_row()
        )
        self.scheduler.on_trial_add(WAITING, self.trials[trial_id])

    def tell(self, trial_id: str, epoch: float, objective: float, warmup_epochs: float = 0.0) -> str:
        if trial_id not in self.trials:
            self.start(trial_id)
        trial, row = self.trials[trial_id], to_result(report(epoch, objective, warmup_epochs=warmup_epochs))
        decision = self.scheduler.on_trial_result(WAITING, trial, row)
        if decision == STOP:
            self.scheduler.on_trial_complete(WAITING, trial, row)
        return str(decision)

    def finish(self, trial_id: str, epoch: float, objective: float) -> None:
        """The trial itself says that this report is its last: Ray asks no decision."""
        if trial_id not in self.trials:
            self.start(trial_id)
        self.scheduler.on_trial_complete(WAITING, self.trials[trial_id], to_result(report(epoch, objective)))


# ASHA


def test_half_of_a_rung_goes_on_with_a_reduction_factor_of_2() -> None:
    """Stopped is who is worse than the median of those who came before to the rung."""
    driver = Driver(make(reduction_factor=2))
    assert driver.tell("t0000", 1, 1.0) == CONTINUE  # nobody came before
    assert driver.tell("t0001", 1, 2.0) == STOP  # median 1.0
    assert driver.tell("t0002", 1, 1.4) == CONTINUE  # median of 1.0, 2.0 is 1.5
    assert driver.tell("t0003", 1, 1.5) == STOP  # median of 1.0, 1.4, 2.0 is 1.4
    assert driver.tell("t0004", 1, 1.45) == CONTINUE  # median of 1.0, 1.4, 1.5, 2.0 is 1.45, and equal is not worse


def test_a_third_of_a_rung_goes_on_with_a_reduction_factor_of_3() -> None:
    driver = Driver(make(reduction_factor=3))
    for trial_id, objective in (("t0000", 3.0), ("t0001", 2.0), ("t0002", 1.0)):
        assert driver.tell(trial_id, 1, objective) == CONTINUE  # each is the best so far
    # a third of the way from 1.0, 2.0, 3.0: between 1 and 2, at 5 / 3 = 1.667
    assert driver.tell("t0003", 1, 1.7) == STOP
    # of 1.0, 1.7, 2.0, 3.0: at 1.7 exactly, the second of four
    assert driver.tell("t0004", 1, 1.69) == CONTINUE


def test_nobody_is_stopped_before_the_grace_period_nor_between_rungs() -> None:
    """Grace period 2, reduction factor 3: the rungs are at epochs 2 and 6."""
    driver = Driver(make(grace_period=2, reduction_factor=3))
    for epoch in range(1, 8):
        assert driver.tell("t0000", epoch, 1.0) == CONTINUE
    assert driver.tell("t0001", 1, 100.0) == CONTINUE
    assert driver.tell("t0001", 2, 0.9) == CONTINUE
    for epoch in (3, 4, 5):
        assert driver.tell("t0001", epoch, 100.0) == CONTINUE
    assert driver.tell("t0001", 6, 100.0) == STOP
    assert driver.tell("t0002", 2, 100.0) == STOP


def test_a_trial_is_judged_a_whole_epoch_after_its_warm_up_at_the_earliest() -> None:
    """A warm-up of 1.5 epochs: epoch 2 is half an epoch after it, epoch 3 beside what the others had at epoch 3."""
    for objective, decision in ((1.5, STOP), (0.9, CONTINUE)):
        driver = Driver(make(reduction_factor=2))
        assert [driver.tell("t0000", epoch, best) for epoch, best in ((1, 9.5), (2, 1.1), (3, 1.0))] == [CONTINUE] * 3
        assert [driver.tell("t0001", epoch, 9.0, warmup_epochs=1.5) for epoch in (1, 2)] == [CONTINUE, CONTINUE]
        assert driver.tell("t0001", 3, objective, warmup_epochs=1.5) == decision


def test_trials_are_compared_with_what_the_others_had_at_the_same_epoch() -> None:
    """With reduction factor 3, t0001 is judged at epochs 3 and 9, a warm-up of two epochs later than the other."""
    driver = Driver(make(reduction_factor=3))
    for epoch in range(1, 10):
        assert driver.tell("t0000", epoch, 10.0 - epoch) == CONTINUE
    assert driver.tell("t0001", 3, 6.9, warmup_epochs=2) == CONTINUE  # t0000 had 7 at epoch 3, and 1 at the end
    for epoch in range(4, 9):
        assert driver.tell("t0001", epoch, 6.8, warmup_epochs=2) == CONTINUE
    assert driver.tell("t0001", 9, 1.1, warmup_epochs=2) == STOP  # t0000 had 1


def test_what_a_trial_had_in_its_warm_up_judges_others() -> None:
    driver = Driver(make(reduction_factor=2))
    assert driver.tell("t0000", 1, 1.0, warmup_epochs=5) == CONTINUE
    assert driver.tell("t0001", 1, 1.5) == STOP


def test_a_resumed_sweep_judges_by_the_same_warm_up() -> None:
    past = [record("t0000", report(0, 9.0), report(1, 1.0)), record("t0001", report(0, 9.0), report(2, 0.1, None, 1.5))]
    driver = Driver(make(past=past, reduction_factor=2))
    assert driver.tell("t0002", 1, 1.5) == STOP  # beside t0000 alone: what t0001 had at epoch 1 is not known
    assert driver.tell("t0001", 2.4, 9.0, warmup_epochs=1.5) == CONTINUE


@pytest.mark.parametrize("name", ["asha", "median"])
def test_a_warm_up_as_long_as_the_trial_is_never_judged(name: str) -> None:
    driver = Driver(make(name))
    for trial_id in ("t0000", "t0001", "t0002"):
        for epoch in range(1, 5):
            driver.tell(trial_id, epoch, 1.0)
    assert [driver.tell("t0003", epoch, 9.0, warmup_epochs=4) for epoch in range(1, 5)] == [CONTINUE] * 4


def test_asha_ends_no_trial_for_its_length() -> None:
    driver = Driver(make())
    assert [driver.tell("t0000", epoch, 1.0) for epoch in range(1, 5)] == [CONTINUE] * 4


def test_a_grace_period_longer_than_every_trial_stops_nobody() -> None:
    driver = Driver(make(grace_period=10))
    for trial_id, objective in (("t0000", 1.0), ("t0001", 9.0)):
        assert [driver.tell(trial_id, epoch, objective) for epoch in (1, 2, 3)] == [CONTINUE] * 3


def test_smaller_is_better_below_zero_too() -> None:
    """A negative log-likelihood of sharp forecasts is negative."""
    driver = Driver(make())
    assert driver.tell("t0000", 1, -1.0) == CONTINUE
    assert driver.tell("t0001", 1, -0.5) == STOP
    assert driver.tell("t0002", 1, -2.0) == CONTINUE
    assert driver.tell("t0003", 1, 0.5) == STOP


def test_fractional_epochs_meet_a_rung_at_the_first_report_that_reaches_it() -> None:
    driver = Driver(make())
    for epoch in (0.5, 1, 1.5, 2):
        assert driver.tell("t0000", epoch, 1.0) == CONTINUE
    assert driver.tell("t0001", 0.5, 100.0) == CONTINUE
    assert driver.tell("t0001", 1, 1.0) == CONTINUE
    assert driver.tell("t0001", 1.5, 100.0) == CONTINUE
    assert driver.tell("t0001", 2, 100.0) == STOP


def test_the_last_report_of_a_finished_trial_stands_on_its_rung() -> None:
    driver = Driver(make())
    driver.finish("t0000", 1, 1.0)
    assert driver.tell("t0001", 1, 1.5) == STOP


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_a_loss_that_is_no_number_moves_no_rung(broken: float) -> None:
    driver = Driver(make(reduction_factor=3))
    driver.tell("t0000", 1, 2.0)
    driver.finish("t0001", 1, broken)
    assert driver.tell("t0002", 1, 1.9) == CONTINUE
    assert driver.tell("t0003", 1, 2.1) == STOP


# Epoch 0


@pytest.mark.parametrize("name", ["asha", "median"])
def test_epoch_0_stops_nobody_and_is_recorded_nowhere(name: str) -> None:
    driver = Driver(make(name))
    for number in range(6):
        assert driver.tell(f"t{number:04d}", 0, float(number)) == CONTINUE
    # had the zero-shot losses 0.0, 1.0, ... been recorded, this would be far above their median
    assert driver.tell("t0000", 1, 100.0) == CONTINUE


@pytest.mark.parametrize("name", ["asha", "median", "none"])
def test_a_trial_that_ends_before_it_trained_teaches_nothing(name: str) -> None:
    driver = Driver(make(name))
    driver.finish("t0000", 0, 0.0)
    driver.finish("t0001", -1, math.nan)  # rejected: see tune/worker.py
    driver.scheduler.on_trial_complete(WAITING, driver.trials["t0001"], {})
    assert driver.tell("t0002", 1, 100.0) == CONTINUE


def test_a_trial_that_is_taken_away_before_it_ran_leaves_nothing() -> None:
    driver = Driver(make())
    driver.start("t0000")
    driver.scheduler.on_trial_remove(WAITING, driver.trials["t0000"])
    assert driver.tell("t0001", 1, 100.0) == CONTINUE


# Going on after an interruption


def test_a_trial_under_another_ray_id_keeps_its_marks_and_is_not_recorded_twice() -> None:
    driver = Driver(make())
    driver.tell("t0000", 1, 4.0)
    driver.start("t0000", ray_id="another")
    for epoch in (2, 3):
        assert driver.tell("t0000", epoch, 1.0) == CONTINUE
    # rung 1 holds 4.0 alone; had 1.0 been entered there too, 3.0 would be worse than the median 2.5
    assert driver.tell("t0001", 1, 3.0) == CONTINUE


def test_a_resumed_trial_keeps_the_marks_that_the_journal_tells_of() -> None:
    past = [record("t0000", report(0, 9.0), report(1, 4.0))]
    driver = Driver(make(past=past))
    for epoch in (2, 3):
        assert driver.tell("t0000", epoch, 1.0) == CONTINUE
    assert driver.tell("t0001", 1, 3.0) == CONTINUE
    assert driver.tell("t0002", 2, 1.1) == STOP  # 1.0 stands at rung 2


def test_a_report_that_comes_again_after_a_kill_changes_nothing() -> None:
    driver = Driver(make(reduction_factor=1.2))  # rungs at 1, 1.2, 1.44, 1.73, 2.07, ...
    driver.tell("t0000", 1, 1.0)
    for number in (1, 2, 3):
        driver.tell(f"t000{number}", 2, 3.0)
    assert driver.tell("t0000", 2, 1.0) == CONTINUE
    assert [driver.tell("t0000", 2, 100.0) for _ in range(3)] == [CONTINUE] * 3
    assert driver.tell("t0004", 2, 1.5) == CONTINUE  # of 1.0 and three 3.0, five sixths of the way: 3.0
    assert driver.tell("t0005", 2, 3.1) == STOP


def test_rungs_hold_the_reports_of_stopped_and_of_failed_trials() -> None:
    past = [
        record("t0000", report(0, 9.0), report(1, 1.0, "asha")),
        record("t0001", report(0, 9.0), report(1, 2.0), error="the worker died"),
        record("t0002", report(0, 9.0), report(1, None, "diverged")),
    ]
    assert Driver(make(past=past)).tell("t0003", 1, 1.4) == CONTINUE  # median of 1.0, 2.0 is 1.5
    assert Driver(make(past=past)).tell("t0003", 1, 1.6) == STOP


@pytest.mark.parametrize("name", ["asha", "median", "none"])
@pytest.mark.parametrize("seed", range(5))
def test_a_scheduler_rebuilt_from_the_journal_decides_as_one_that_saw_it_live(
    name: str, seed: int, tmp_path: Path
) -> None:
    """Four trials at once, one of them diverging, cut off anywhere; then both go on and must agree at every report."""
    generator = random.Random(seed)
    journal = Journal(SweepFolder(tmp_path))
    live = Driver(make(name))
    epochs: dict[str, int] = {}

    def next_report(trial_id: str) -> tuple[int, float]:
        epochs[trial_id] = epochs.get(trial_id, -1) + 1
        return epochs[trial_id], generator.uniform(0, 1) - 0.1 * epochs[trial_id]

    running, started = [], 0
    for _ in range(40):
        while len(running) < 4:
            running.append(f"t{started:04d}")
            journal.start(reports.config(running[-1], {}))
            started += 1
        trial_id = generator.choice(running)
        epoch, objective = next_report(trial_id)
        reason = None
        if trial_id == "t0002" and epoch == 2:
            objective, reason = math.nan, "diverged"
        elif epoch == 6:
            reason = "epochs"
        if reason:
            live.finish(trial_id, epoch, objective)
        elif live.tell(trial_id, epoch, objective) == STOP:
            reason = name
        journal.append(trial_id, report(epoch, objective, reason))
        if reason:
            running.remove(trial_id)

    rebuilt = Driver(make(name, past=journal.records))
    newcomers = [f"t{number:04d}" for number in range(started, started + 12)]
    for trial_id in [*running, *newcomers]:
        for _ in range(6 - max(epochs.get(trial_id, 0), 0)):
            epoch, objective = next_report(trial_id)
            decision = live.tell(trial_id, epoch, objective)
            assert rebuilt.tell(trial_id, epoch, objective) == decision
            if decision == STOP:
                break


# The median rule


def test_the_median_rule_stops_who_is_worse_than_the_median_of_three() -> None:
    for objective, decision in ((1.9, CONTINUE), (2.0, CONTINUE), (2.1, STOP)):
        driver = Driver(make("median"))
        for trial_id, before in (("t0000", 1.0), ("t0001", 2.0), ("t0002", 3.0)):
            assert driver.tell(trial_id, 1, before) == CONTINUE
        assert driver.tell("t0003", 1, objective) == decision


def test_the_median_rule_compares_with_means_over_the_epochs_so_far() -> None:
    driver = Driver(make("median"))
    for trial_id in ("t0000", "t0001", "t0002"):
        driver.tell(trial_id, 1, 3.0)
        driver.tell(trial_id, 2, 1.0)  # the mean of both epochs is 2.0
    driver.tell("t0003", 1, 2.5)
    assert driver.tell("t0003", 2, 1.9) == CONTINUE
    driver.tell("t0004", 1, 2.5)
    assert driver.tell("t0004", 2, 2.1) == STOP


def test_a_trial_that_the_median_rule_stopped_counts_its_last_report_once() -> None:
    driver = Driver(make("median"))
    for trial_id, objective in (("t0000", 1.0), ("t0001", 1.0), ("t0002", 1.0)):
        driver.tell(trial_id, 1, objective)
    driver.tell("t0003", 1, 1.0)
    for trial_id in ("t0000", "t0001", "t0002"):
        driver.finish(trial_id, 2, 0.0)  # mean 0.5
    assert driver.tell("t0003", 2, 0.9) == STOP  # mean of 1.0 and 0.9 is 0.95; of 1.0, 0.9 and 0.9 it is 0.933
    driver.finish("t0004", 2, 1.2)
    driver.finish("t0005", 2, 1.2)  # the means are 0.5, 0.5, 0.5, 0.95, 1.2, 1.2: the median is 0.725
    driver.finish("t0006", 2, 1.2)  # and with this one 0.95
    assert driver.tell("t0007", 2, 0.94) == CONTINUE


def test_the_median_rule_stops_nobody_in_the_grace_period() -> None:
    driver = Driver(make("median", grace_period=3))
    for trial_id in ("t0000", "t0001", "t0002"):
        for epoch in (1, 2, 3):
            driver.tell(trial_id, epoch, 1.0)
    assert [driver.tell("t0003", epoch, 9.0) for epoch in (1, 2, 3)] == [CONTINUE, CONTINUE, STOP]


def test_the_median_rule_never_pauses_a_trial_while_others_wait() -> None:
    driver = Driver(make("median"))
    decisions = [driver.tell(f"t000{number}", epoch, 1.0) for number in range(2) for epoch in range(1, 5)]
    assert decisions == [CONTINUE] * 8


def test_an_open_trial_is_not_judged_by_the_replay_of_the_past() -> None:
    """It reported first when nobody could be compared; it is compared at its next report."""
    past = [record(f"t000{number}", report(1, 1.0), report(2, 1.0, "epochs")) for number in range(3)]
    past.append(record("t0003", report(1, 9.0)))
    assert Driver(make("median", past=past)).tell("t0003", 2, 0.5) == CONTINUE
    assert Driver(make("median", past=past)).tell("t0003", 2, 8.0) == STOP


# No scheduler


def test_none_stops_nobody() -> None:
    driver = Driver(make("none", past=[record("t0000", report(1, 0.1, "epochs"))]))
    for trial_id, objective in (("t0001", 1.0), ("t0002", 100.0), ("t0003", math.inf)):
        assert [driver.tell(trial_id, epoch, objective) for epoch in range(9)] == [CONTINUE] * 9
