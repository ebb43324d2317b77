"""Windows of the test part that show what the winner does: where it is at its best, as usual, and at its worst."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from data.frequencies import stamps
from data.task.task import ForecastTask
from trainables.base import QUANTILE_LEVELS
from trainables.device.precision import autocast
from trainables.trial.evaluation import Evaluation, same_draws
from tune.export.trial_models import TrialModel
from tune.report.charts.forecast_examples import Drawn, Example

HISTORY = 2  # lengths of a forecast that are shown before it
LOW, HIGH = 0, len(QUANTILE_LEVELS) - 1


def choose_windows(errors: NDArray[np.float64]) -> dict[str, int]:
    """Return three windows by the winner's mean absolute error: the lowest, the middle one, the highest.

    errors: (n_windows,), NaN where nothing was observed.
    """
    order = [int(i) for i in np.argsort(errors, kind="stable") if np.isfinite(errors[i])]
    if not order:
        return {}
    chosen = {"lowest error": order[0], "typical": order[len(order) // 2], "highest error": order[-1]}
    return {title: i for number, (title, i) in enumerate(chosen.items()) if i not in list(chosen.values())[:number]}


def make_examples(models: Mapping[str, TrialModel], evaluation: Evaluation) -> list[Example]:
    """Forecast these windows with each model. models: by name, the initial model first, the winner last.

    evaluation: of the winner on the test part.
    """
    task = next(iter(models.values())).task
    errors = evaluation.windows.of("val_mae")
    chosen = {} if errors is None else choose_windows(errors.astype(np.float64))
    if not chosen:
        return []
    numbers = list(chosen.values())
    drawn = {name: _forecasts(model, numbers) for name, model in models.items()}
    return [
        _example(task, title, number, {name: forecasts[place] for name, forecasts in drawn.items()})
        for place, (title, number) in enumerate(chosen.items())
    ]


@torch.no_grad()
def _forecasts(trial: TrialModel, numbers: Sequence[int]) -> list[Drawn]:
    """Forecast windows of the test part, in the units of the data."""
    model, task = trial.model, trial.task
    device = next(model.module.parameters()).device
    batch = task.gather("test", device).batch(torch.tensor(numbers))
    model.module.eval()
    with same_draws(device), autocast(device, trial.hyper.precision):
        forecast = model.forecast(batch)
    point = task.unscale(forecast.point.float(), batch.series).cpu().numpy()
    if forecast.quantiles is None:
        return [Drawn(_numbers(each)) for each in point]
    ends = task.unscale(forecast.quantiles.float(), batch.series).cpu().numpy()[:, [LOW, HIGH]]
    return [Drawn(_numbers(p), _numbers(e[0]), _numbers(e[1])) for p, e in zip(point, ends, strict=True)]


def _example(task: ForecastTask, title: str, number: int, forecasts: Mapping[str, Drawn]) -> Example:
    panel, index = task.panel, task.test
    i, length = int(index.series[number]), task.prediction_length
    first = int(index.starts[number]) - int(panel.offsets[i])  # of the context
    row = first + task.context_length
    begin = max(0, row - HISTORY * length)
    values = panel.in_units(i)
    start, freq = panel.starts[i], panel.freq
    count = row - begin + length
    return Example(
        title=title,
        series=panel.ids[i],
        times=list(range(begin, begin + count))
        if start is None or freq is None
        else [str(moment) for moment in stamps(start, freq, begin, count)],
        history=_numbers(values[begin:row]),
        actual=_numbers(values[row : row + length]),
        forecasts=forecasts,
    )


def _numbers(values: NDArray[np.floating]) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]
