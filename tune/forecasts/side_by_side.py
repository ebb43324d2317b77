"""Several checkpoints measured on the same windows, beside the naive forecast of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from data.errors import UserError
from data.metrics import skill_score
from data.task.task import ForecastTask, Part
from trainables.sweep_trainable import naive_baseline
from trainables.trial.evaluation import Measured, ProgressCallback, measure
from tune.forecasts.by_time import Spans
from tune.forecasts.evaluation import (
    WORST,
    Errors,
    Evaluation,
    Sink,
    UnitErrors,
    check_flags,
    evaluate_assignment,
    write_rows,
)
from tune.forecasts.forecaster import open_checkpoint
from tune.forecasts.request import Assignment, ForecastRequest, also, assign
from tune.forecasts.scales import RequestError

BASELINE_BATCH = 256


@dataclass(frozen=True)
class Baseline:
    """The naive forecast's name and errors; scaled: None where the task has no scale of its own."""

    name: str
    units: UnitErrors
    scaled: Errors | None
    mae_by_series: NDArray[np.float64]
    mae_by_step: NDArray[np.float64]
    mae_by_time: NDArray[np.float64]

    def to_dict(self) -> dict[str, object]:
        scaled = None if self.scaled is None else self.scaled.to_dict()
        return {"name": self.name, **self.units.to_dict(), "scaled": scaled}


@dataclass(frozen=True, eq=False)
class SideBySide:
    """One evaluation a checkpoint, in the order they were named, and the baseline of the same windows."""

    evaluations: tuple[Evaluation, ...]
    baseline: Baseline

    @property
    def best(self) -> Evaluation:
        """The evaluation with the smallest mean absolute error."""
        return min(self.evaluations, key=lambda evaluation: evaluation.units.mae)

    def gain(self, errors: Errors) -> float:
        """Return the share of the baseline's mean absolute error that a forecast saves; negative where it is worse."""
        return 1 - errors.mae / self.baseline.units.mae if self.baseline.units.mae else float("nan")

    def skill(self, evaluation: Evaluation) -> float:
        """Return a checkpoint's skill score against the baseline, by MAE over series; NaN without any."""
        return skill_score(evaluation.by_series["mae"], self.baseline.mae_by_series)

    def to_dict(self, *, worst: int = WORST) -> dict[str, object]:
        """Return everything as plain values that JSON can hold; one checkpoint's evaluation is not in a list."""
        found = [{**e.to_dict(worst=worst), "skill": _plain(self.skill(e))} for e in self.evaluations]
        baseline = self.baseline.to_dict()
        return {**found[0], "baseline": baseline} if len(found) == 1 else {"checkpoints": found, "baseline": baseline}

    def write_csv(self, path: Path) -> None:
        """Write a line a series, and of several checkpoints a block each; RequestError if it cannot be written."""
        if len(self.evaluations) == 1:
            self.evaluations[0].write_csv(path)
            return
        blocks = ((evaluation.assignment.checkpoint.name, evaluation.rows()) for evaluation in self.evaluations)
        write_rows(path, [{"checkpoint": name, **row} for name, rows in blocks for row in rows])


def evaluate_side_by_side(
    request: ForecastRequest,
    names: Sequence[str],
    *,
    part: Part = "val",
    batch_size: int | None = None,
    progress: ProgressCallback | None = None,
    sink: Sink | None = None,
) -> SideBySide:
    """Measure checkpoints on the windows that the flags say, or that the first export among them records.

    request: its checkpoint is not looked at. sink: takes each checkpoint's forecasts as they are made. Raises
    UserErrors for what the user can fix.
    """
    check_flags(part, batch_size)
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise RequestError(f"a checkpoint is measured once, got {repeated[0]} twice; leave one out")
    checkpoints = [open_checkpoint(name, request.trust) for name in names]
    first = next((checkpoint for checkpoint in checkpoints if checkpoint.export is not None), checkpoints[0])
    assignment = assign(replace(request, checkpoint=first.name), first)
    evaluations = tuple(
        _evaluate(
            assignment if checkpoint is first else also(assignment, checkpoint, request.norm),
            part,
            batch_size,
            progress,
            sink,
        )
        for checkpoint in checkpoints
    )
    return SideBySide(evaluations, _baseline(assignment, part, evaluations[0].spans))


def _plain(value: float) -> float | None:
    """Return a number that JSON can hold."""
    return value if np.isfinite(value) else None


def _evaluate(
    assignment: Assignment,
    part: Part,
    batch_size: int | None,
    progress: ProgressCallback | None,
    sink: Sink | None,
) -> Evaluation:
    """Measure one; a mistake names the checkpoint that it is about."""
    try:
        return evaluate_assignment(assignment, part=part, batch_size=batch_size, progress=progress, sink=sink)
    except UserError as error:
        name = assignment.checkpoint.name
        if name in str(error):
            raise
        raise type(error)(f"{name}: {error}") from error


def _baseline(assignment: Assignment, part: Part, spans: Spans) -> Baseline:
    task = ForecastTask(assignment.data.panel, assignment.spec, parts=(part,))
    name, forecaster = naive_baseline(task)
    measured = measure(
        lambda batch: Measured(forecaster(batch)),
        task,
        part,
        device=torch.device("cpu"),
        batch_size=BASELINE_BATCH,
    )
    scale = task.past_seasonal_error(part)
    return Baseline(
        name=name,
        units=UnitErrors.measured(measured.units, scale),
        scaled=Errors.of(measured.scaled) if task.spec.scale != "none" else None,
        mae_by_series=measured.units.per_series()["mae"],
        mae_by_step=measured.units.per_step()["mae"],
        mae_by_time=measured.units.per_group(spans.group, len(spans.labels), scale)["mae"],
    )
