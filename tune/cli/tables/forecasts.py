"""What evaluate and predict print."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from tune.cli.console import print_facts
from tune.format import duration, number, short_number

if TYPE_CHECKING:
    from tune.forecasts.evaluation import Errors, Evaluation
    from tune.forecasts.prediction import Prediction
    from tune.forecasts.request import Assignment
    from tune.forecasts.side_by_side import SideBySide

STEPS_SHOWN = 12
STEP = "horizon step"
MEASURES = {"MASE": "mase", "WQL": "wql", "sMAPE": "smape"}  # the fields of UnitErrors by their heads
COVERS = "80 % covers"
INTERVAL = {COVERS: "coverage", "width": "width"}


def print_evaluations(console: Console, found: SideBySide, *, worst: int) -> None:
    """What was measured and the errors; of one checkpoint, by horizon step too, and so many of the worst series."""
    if len(found.evaluations) > 1:
        _print_side_by_side(console, found)
        return
    (evaluation,) = found.evaluations
    facts = _facts(evaluation)
    facts["task"] += f", norm {evaluation.assignment.norm}"
    print_facts(console, {"model": evaluation.assignment.checkpoint.title, **facts})
    _print_notes(console, evaluation.notes)
    _print_errors(console, evaluation, found)
    _print_measures(console, found)
    _print_steps(console, evaluation)
    _print_times(console, evaluation)
    _print_worst(console, evaluation, worst)


def _print_side_by_side(console: Console, found: SideBySide) -> None:
    """One line a checkpoint, in the order they were named, and the baseline's."""
    first = found.evaluations[0]
    facts = _facts(first)
    print_facts(console, {name: facts[name] for name in ("data", "task", "windows")})
    _print_notes(console, dict.fromkeys(note for evaluation in found.evaluations for note in evaluation.notes))
    is_scaled = found.baseline.scaled is not None
    against = f"against {found.baseline.name}"
    scaled = ("scaled MAE", "scaled MSE") if is_scaled else ()
    table = _table(
        "checkpoint", "MAE", "MSE", "RMSE", *scaled, against, "norm", "forecasts/s", left=("checkpoint", "norm")
    )
    for evaluation in found.evaluations:
        assignment = evaluation.assignment
        style = "bold" if evaluation is found.best else None
        row = _error_cells(evaluation.units, evaluation.scaled)
        gain, speed = f"{found.gain(evaluation.units):+.1%}", f"{evaluation.forecasts_per_second:.3g}"
        table.add_row(assignment.checkpoint.name, *row, gain, assignment.norm, speed, style=style)
    table.add_row(found.baseline.name, *_error_cells(found.baseline.units, found.baseline.scaled), "", "", "")
    console.print(table)
    _print_measures(console, found)


def _error_cells(units: Errors, scaled: Errors | None) -> list[str]:
    cells = [units.mae, units.mse, units.rmse, *(() if scaled is None else (scaled.mae, scaled.mse))]
    return [number(cell) for cell in cells]


def _print_notes(console: Console, notes: Iterable[str]) -> None:
    for note in notes:
        console.print(f"note: {note}", style="yellow", soft_wrap=True)


def _facts(evaluation: Evaluation) -> dict[str, str]:
    assignment, spec = evaluation.assignment, evaluation.assignment.spec
    windows = int(evaluation.windows.sum())
    seconds = duration(evaluation.seconds) if evaluation.seconds >= 10 else f"{evaluation.seconds:.2g}s"
    return {
        "data": _data_told(assignment),
        "task": f"context {spec.context_length}, prediction {spec.prediction_length}, {evaluation.part} of split "
        f"{spec.split}, stride {spec.eval_stride}, scale {spec.scale}",
        "windows": f"{windows} of {int((evaluation.windows > 0).sum())} series, {int(evaluation.points.sum())} points",
        "time": f"{seconds} on the {_device_told(assignment)}, {evaluation.forecasts_per_second:.3g} forecasts a "
        f"second at batch {evaluation.batch_size}",
    }


def _data_told(assignment: Assignment) -> str:
    panel = assignment.data.panel
    return (
        f"{panel.name}: {len(panel)} series, {len(panel.values)} rows, frequency {panel.freq or 'unknown'} "
        f"({assignment.data.path})"
    )


def _device_told(assignment: Assignment) -> str:
    return {"cuda": "GPU", "cpu": "CPU"}[assignment.device.type]


def _table(*columns: str, left: tuple[str, ...] = ()) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    for name in columns:
        table.add_column(name, justify="left" if name in left else "right", overflow="fold")
    return table


def _print_errors(console: Console, evaluation: Evaluation, found: SideBySide) -> None:
    table = _table("", "MAE", "MSE", "RMSE", left=("",))
    baseline = found.baseline
    rows = (
        ("in units of the data", evaluation.units),
        (f"{baseline.name} on the same windows", baseline.units),
        ("scaled", evaluation.scaled),
        (f"{baseline.name}, scaled", baseline.scaled),
    )
    for name, errors in rows:
        if errors is not None:
            table.add_row(name, *map(number, (errors.mae, errors.mse, errors.rmse)))
    console.print(table)


def _print_measures(console: Console, found: SideBySide) -> None:
    """The measures that compare across data, a line a forecast; of its interval where one has any."""
    has_interval = any(evaluation.units.coverage is not None for evaluation in found.evaluations)
    measures = MEASURES | (INTERVAL if has_interval else {})
    table = _table("forecast", *measures, "skill", left=("forecast",))
    for name, units, skill in (
        *((e.assignment.checkpoint.name, e.units, found.skill(e)) for e in found.evaluations),
        (found.baseline.name, found.baseline.units, 0.0),
    ):
        table.add_row(name, *(short_number(getattr(units, x), 4) for x in measures.values()), short_number(skill))
    console.print(table)


def _print_steps(console: Console, evaluation: Evaluation) -> None:
    """Measures of some horizon steps, evenly chosen, in as many lines as the width of the console asks for."""
    mae, mse, covers = evaluation.mae_by_step, evaluation.mse_by_step, evaluation.by_step["coverage"]
    steps = np.unique(np.linspace(1, len(mae), min(len(mae), STEPS_SHOWN)).round().astype(int)).tolist()
    texts, squares = ([number(float(errors[step - 1])) for step in steps] for errors in (mae, mse))
    shares = [short_number(float(covers[step - 1]), 3) for step in steps] if np.isfinite(covers).any() else []
    widest = max(map(len, (*texts, *squares, *shares)))
    room = max(1, (console.width - len(STEP) - 3) // (widest + 1))  # steps that a line has room for
    a_line = math.ceil(len(steps) / math.ceil(len(steps) / room))
    for first in range(0, len(steps), a_line):
        table = _table(STEP, *map(str, steps[first : first + a_line]), left=(STEP,))
        table.add_row("MAE", *texts[first : first + a_line])
        table.add_row("MSE", *squares[first : first + a_line])
        if shares:
            table.add_row(COVERS, *shares[first : first + a_line])
        console.print(table)


def _print_times(console: Console, evaluation: Evaluation) -> None:
    """Measures of each span of time, where there are several."""
    spans = evaluation.spans_in_time()
    if len(spans) < 2:
        return
    has_interval = any(span["coverage"] is not None for span in spans)
    title = f"forecasts from ({evaluation.spans.unit})"
    table = _table(title, "windows", "points", "MAE", "MASE", *([COVERS] if has_interval else []), left=(title,))
    for span in spans:
        measures = [span["mae"], span["mase"], *([span["coverage"]] if has_interval else [])]
        cells = [short_number(value if isinstance(value, float) else None, 4) for value in measures]
        table.add_row(*(str(span[name]) for name in ("from", "windows", "points")), *cells)
    console.print(table)


def _print_worst(console: Console, evaluation: Evaluation, count: int) -> None:
    worst = evaluation.worst(count)
    if len(worst) < 2:
        return
    title = f"worst {len(worst)} series" if len(worst) < int((evaluation.points > 0).sum()) else "series, worst first"
    table = _table(title, "windows", "points", "MAE", "MSE", "RMSE", left=(title,))
    for row in worst:
        table.add_row(*(number(row[name]) for name in ("series", "windows", "points", "mae", "mse", "rmse")))
    console.print(table)


def print_prediction(console: Console, prediction: Prediction) -> None:
    """A headline, and a line a point; beside it what the series holds there, where that is known."""
    assignment, spec = prediction.assignment, prediction.assignment.spec
    norm = f"norm {assignment.norm}"
    if assignment.norm != "none":
        norm += f" (mean {number(prediction.mean)}, std {number(prediction.std)})"
    print_facts(
        console,
        {
            "model": assignment.checkpoint.title,
            "series": f"{prediction.grid.name} of {_data_told(assignment)}",
            "forecast": f"{spec.prediction_length} points from {prediction.times[0]}, context {spec.context_length}, "
            f"{norm}",
        },
    )
    for note in assignment.data.notes:
        console.print(f"note: {note}", style="yellow", soft_wrap=True)
    known = bool(np.isfinite(prediction.actual).any())
    where = "row" if prediction.grid.start is None else "time"
    levels = [f"q{level:g}" for level in prediction.quantiles]
    table = _table(where, "forecast", *levels, *(["actual"] if known else []), left=(where,))
    columns = [prediction.values, *prediction.quantiles.values()]
    for step, (moment, actual) in enumerate(zip(prediction.times, prediction.actual, strict=True)):
        values = [float(column[step]) for column in columns]
        shown: list[float | None] = [int(v) if prediction.rounded and np.isfinite(v) else v for v in values]
        shown += [None if np.isnan(actual) else float(actual)] if known else []
        table.add_row(str(moment), *map(number, shown))
    console.print(table)
