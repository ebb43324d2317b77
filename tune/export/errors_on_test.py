"""What the measurement on the test part says beside its scores: errors by step of the horizon, and by series."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from data.task.task import ForecastTask
from trainables.trial.evaluation import Evaluation
from tune.records.scores_on_test import ErrorsOnTest
from tune.records.verdict import Verdict

SHOWN = 6  # of the worst series, and of the best
DIGITS = 6


def errors_of(
    task: ForecastTask, initial_name: str, verdict: Verdict, evaluations: Mapping[str, Evaluation]
) -> ErrorsOnTest:
    """Return the errors of the initial model and of the verdict's candidate; without one, of the first trial measured.

    evaluations: on the test part, by name, the initial model's first. By step it is the mean absolute error in the
    scale of the task, and by series the MASE, which compares series of different sizes.
    """
    others = [name for name in evaluations if name != initial_name]
    chosen = verdict.candidate if verdict.candidate in others else next(iter(others), None)
    models = {name: evaluations[name] for name in (initial_name, chosen) if name is not None}
    by_step = {name: _numbers(each.scaled.per_step()["mae"]) for name, each in models.items()}
    scale = task.past_seasonal_error("test")
    by_series = {name: each.units.mase_per_series(scale) for name, each in models.items()}
    worst, best = _extremes(list(by_series.values())[-1])
    shown = [*worst, *best]
    known = int(np.isfinite(list(by_series.values())[-1]).sum())
    step = "MAE in the task's scale" if task.spec.scale != "none" else "MAE"
    return ErrorsOnTest(
        step_measure=step,
        by_step=by_step,
        series_measure="MASE",
        series=[task.panel.ids[i] for i in shown],
        by_series={name: _numbers(values[shown]) for name, values in by_series.items()} if shown else {},
        worst=[task.panel.ids[i] for i in worst],
        left_out=known - len(shown),
    )


def _extremes(errors: NDArray[np.float64]) -> tuple[list[int], list[int]]:
    """Return the series of the highest errors, the highest first, and those of the lowest, the lowest last."""
    known = [int(i) for i in np.argsort(-errors, kind="stable") if np.isfinite(errors[i])]
    worst = known[:SHOWN]
    return worst, known[len(worst) :][-SHOWN:]


def _numbers(values: NDArray[np.float64]) -> list[float | None]:
    return [float(f"{value:.{DIGITS}g}") if np.isfinite(value) else None for value in values]
