"""A trial that ends after a number of optimiser steps: what it reports, and how its learning rate is planned."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.task.task import ForecastTask
from tests.trainables.trial.toy_trial import CPU, Toy, repeatable, run, spec_in
from trainables.trial.trial import Trial


@pytest.mark.parametrize(
    ("max_steps", "evals", "epochs", "stopped_by"),
    [
        (3, 1, [0, 0.6], "max_steps"),
        (1, 1, [0, 0.2], "max_steps"),
        (5, 1, [0, 1], "max_steps"),
        (7, 1, [0, 1, 1.4], "max_steps"),
        (10, 1, [0, 1, 2], "epochs"),  # all that its epochs have
        (99, 1, [0, 1, 2], "epochs"),
        (3, 2, [0, 0.5, 0.6], "max_steps"),  # half an epoch is two steps
        (6, 2, [0, 0.5, 1, 1.2], "max_steps"),
    ],
)
def test_a_trial_ends_at_the_step_is_validated_there_and_says_so(
    max_steps: int, evals: int, epochs: list[float], stopped_by: str, task: ForecastTask, tmp_path: Path
) -> None:
    """Two epochs of five steps each."""
    spec = spec_in(tmp_path, epochs=2, max_steps=max_steps, evals_per_epoch=evals)
    reports = run(Trial(Toy(), spec, task, CPU))
    assert [report.epoch for report in reports] == pytest.approx(epochs)
    assert [report.stopped_by for report in reports] == [*[None] * (len(epochs) - 1), stopped_by]
    assert len(Toy.loss_sizes) == min(max_steps, 10)
    assert all(report.scores.val_loss is not None for report in reports)


def test_the_learning_rate_is_planned_over_these_steps(task: ForecastTask, tmp_path: Path) -> None:
    """Linear from 0.01 to 0: the third of four updates is at 2/4 of it, the fourth at 1/4."""
    spec = spec_in(tmp_path, schedule="linear", max_steps=4)
    trial = Trial(Toy(), spec, task, CPU)
    assert [trial.training.schedule.factor(step) for step in range(4)] == pytest.approx([1, 0.75, 0.5, 0.25])
    assert run(trial)[-1].lr == pytest.approx(0.0025)
    part = spec_in(tmp_path, "t0001", warmup_fraction=0.5, max_steps=4)
    assert Trial(Toy(), part, task, CPU).training.schedule.warmup_steps == 2


def test_a_resumed_trial_does_the_steps_that_are_left(task: ForecastTask, tmp_path: Path) -> None:
    whole = run(Trial(Toy(), spec_in(tmp_path, "t0000", max_steps=7), task, CPU))
    run(Trial(Toy(), spec_in(tmp_path, "t0001", max_steps=7), task, CPU), 2)
    Toy.loss_sizes.clear()
    resumed = run(Trial(Toy(), spec_in(tmp_path, "t0001", max_steps=7, reported_epoch=1.0), task, CPU))
    assert len(Toy.loss_sizes) == 2
    assert repeatable(resumed) == repeatable(whole[2:])
