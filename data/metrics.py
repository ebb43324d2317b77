"""The error measures of forecasts, over observed targets alone, added up batch after batch.

Targets that are NaN are left out. A forecast that is NaN where the target is observed makes the result NaN: a broken
forecast must not look like a good one. With no observed target the result is NaN too.
"""

from __future__ import annotations

from enum import IntEnum, auto

import numpy as np
import torch
from numpy.typing import NDArray

_RATIOS = (0.01, 100.0)  # that a single series may have in a skill score
INTERVAL = 0.8  # the central interval whose coverage and width are measured

Measures = dict[str, NDArray[np.float64]]


class _Sum(IntEnum):
    """What is added up of each point: the rows of the sums."""

    POINTS = 0
    ABSOLUTE = auto()  # |f - y|
    SQUARED = auto()
    QUANTILE = auto()  # the mean over levels of twice the pinball loss
    TARGET = auto()  # |y|
    SYMMETRIC = auto()  # 2 |f - y| / (|f| + |y|)
    SYMMETRIC_POINTS = auto()  # those where that is defined
    INSIDE = auto()  # the target lies in the interval, its ends included
    WIDTH = auto()  # of the interval


class ForecastErrors:
    """Adds up the errors of forecasts in float64 on their device: by horizon step, by series and by window.

    Every observed target counts once: a total is the sum over all points by their number, never a mean of batch means.

    The measures, by the names of GluonTS and fev: mae, mse, rmse; wql, the weighted quantile loss, which is the mean
    over levels of 2 * sum(pinball loss) / sum(|target|), and for a point forecast the absolute error over it; smape, of
    points where not both are 0; coverage and width of the central 80 % interval, NaN for a point forecast. All but
    coverage, smape and wql are in the units of what is added; wql and smape mean little in any but the data's own.
    Sources: Hyndman & Koehler 2006, doi:10.1016/j.ijforecast.2006.03.001; for the pinball loss q * (y - f) where
    y >= f, and (1 - q) * (f - y) elsewhere, Gneiting 2011, arXiv:0912.0902.
    """

    def __init__(self, n_series: int, prediction_length: int, device: torch.device | str = "cpu") -> None:
        """Start with no forecast seen."""
        rows = len(_Sum)
        self._by_step = torch.zeros((rows, prediction_length), dtype=torch.float64, device=device)
        self._by_series = torch.zeros((rows, n_series), dtype=torch.float64, device=device)
        self._by_window: list[torch.Tensor] = []
        self._series: list[torch.Tensor] = []

    def update(
        self,
        forecast: torch.Tensor,
        target: torch.Tensor,
        series: torch.Tensor,
        *,
        quantiles: torch.Tensor | None = None,
        levels: tuple[float, ...] = (),
    ) -> None:
        """Add a batch.

        forecast, target: (batch, prediction_length), NaN target = missing; series: (batch,) int64.
        quantiles: (batch, levels, prediction_length), of these levels, ascending; None for a point forecast.
        """
        if forecast.shape != target.shape:
            raise ValueError(f"forecast and target must have one shape, got {forecast.shape} and {target.shape}")
        parts = _parts(forecast.double(), target.double(), quantiles, levels)
        of_windows = parts.sum(dim=2)  # (rows, batch)
        self._by_step += parts.sum(dim=1)
        self._by_series.index_add_(1, series, of_windows)
        self._by_window.append(of_windows)
        self._series.append(series)

    @property
    def points(self) -> int:
        """Return how many observed targets were counted."""
        return int(self._by_step[_Sum.POINTS].sum())

    @property
    def mae(self) -> float:
        """Return the mean absolute error over all points; NaN before the first."""
        return self.totals()["mae"]

    @property
    def mse(self) -> float:
        """Return the mean squared error over all points; NaN before the first."""
        return self.totals()["mse"]

    @property
    def rmse(self) -> float:
        """Return the root of the mean squared error over all points."""
        return self.totals()["rmse"]

    def totals(self) -> dict[str, float]:
        """Return every measure over all points."""
        return {name: float(values[0]) for name, values in _measures(self._by_step.sum(dim=1, keepdim=True)).items()}

    def per_step(self) -> Measures:
        """Return the measures of each horizon step, each (prediction_length,); NaN where none was seen."""
        return _measures(self._by_step)

    def per_series(self) -> Measures:
        """Return the measures of each series, each (n_series,); NaN where none was seen."""
        return _measures(self._by_series)

    def per_window(self) -> Measures:
        """Return the measures of each window, each (n_windows,), in the order of the updates."""
        return _measures(self._window_sums())

    def mase(self, scale: NDArray[np.float64]) -> float:
        """Return the mean over points of the absolute error over the window's scale; NaN where no window has one.

        scale: (n_windows,), in the units of the forecasts and in the order of the updates, as `past_seasonal_error`
        gives it; a window whose scale is NaN is left out.
        Source: Hyndman & Koehler 2006, section 3, with the scale from each window's own past as GluonTS and GIFT-Eval.
        """
        absolute, points = self._scaled(scale)
        return float(absolute.sum() / points.sum()) if points.sum() else float("nan")

    def mase_per_series(self, scale: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return `mase` of each series, (n_series,); NaN where none of its windows has a scale."""
        absolute, points = self._scaled(scale)
        n_series = self._by_series.shape[1]
        series = torch.cat(self._series).cpu().numpy() if self._series else np.zeros(0, dtype=np.int64)
        absolute = np.bincount(series, weights=absolute, minlength=n_series).astype(np.float64)
        return _over(absolute, np.bincount(series, weights=points, minlength=n_series).astype(np.float64))

    def per_group(self, group: NDArray[np.int64], count: int, scale: NDArray[np.float64]) -> Measures:
        """Return the measures of groups of windows, `mase` and the number of `points` among them, each (count,).

        group: (n_windows,), the group of each window, from 0 to count - 1. scale: of each window's MASE.
        """
        own, places = self._window_sums(), torch.from_numpy(group)
        sums = torch.zeros((len(_Sum), count), dtype=torch.float64).index_add_(1, places, own.cpu())
        absolute, points = (
            np.bincount(group, weights=values, minlength=count).astype(np.float64) for values in self._scaled(scale)
        )
        return {**_measures(sums), "mase": _over(absolute, points), "points": sums[_Sum.POINTS].numpy()}

    def shares(self, scale: NDArray[np.float64]) -> Measures:
        """Return what each window adds to the measures, each (n_windows,): their mean is the measure over all points.

        Of mae, mse, wql, smape and mase; scale: of each window's MASE. NaN for a measure that is not defined.
        """
        sums = self._window_sums().cpu().numpy()
        absolute, points = self._scaled(scale)
        pairs = {
            "mae": (sums[_Sum.ABSOLUTE], sums[_Sum.POINTS]),
            "mse": (sums[_Sum.SQUARED], sums[_Sum.POINTS]),
            "wql": (sums[_Sum.QUANTILE], sums[_Sum.TARGET]),
            "smape": (sums[_Sum.SYMMETRIC], sums[_Sum.SYMMETRIC_POINTS]),
            "mase": (absolute, points),
        }
        return {name: _over(over * len(over), np.full_like(over, under.sum())) for name, (over, under) in pairs.items()}

    def points_per_series(self) -> NDArray[np.int64]:
        """Return how many observed targets of each series were counted, (n_series,)."""
        points: NDArray[np.int64] = self._by_series[_Sum.POINTS].to(torch.int64).cpu().numpy()
        return points

    def _window_sums(self) -> torch.Tensor:
        return torch.cat([*self._by_window], dim=1) if self._by_window else self._by_series[:, :0]

    def _scaled(self, scale: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return each window's scaled absolute errors and its points, both 0 where it has no scale."""
        sums = self._window_sums().cpu().numpy()
        known = np.isfinite(scale) & (scale > 0)
        absolute = np.divide(sums[_Sum.ABSOLUTE], scale, out=np.zeros_like(scale), where=known)
        return absolute, np.where(known, sums[_Sum.POINTS], 0.0)


def skill_score(errors: NDArray[np.float64], baseline: NDArray[np.float64]) -> float:
    """Return 1 minus the geometric mean, over series, of a model's error over the baseline's; NaN without any.

    errors, baseline: (n_series,), of one measure, 0 or more. A series that one of them does not know, or that both
    forecast without error, is left out; ratios are kept between 0.01 and 100. 0 is as good as the baseline, 1 perfect.
    Source: fev 0.10 `Leaderboard` (skill score, its clipping), Shchur et al. 2025, arXiv:2509.26468.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = errors / baseline
    known = ratios[~np.isnan(ratios)]
    return float(1 - np.exp(np.log(np.clip(known, *_RATIOS)).mean())) if len(known) else float("nan")


def past_seasonal_error(
    values: NDArray[np.float32], first: NDArray[np.int64], end: NDArray[np.int64], season: int
) -> NDArray[np.float64]:
    """Return the mean of |y[t] - y[t - season]| over each window's whole past, (n_windows,) float64.

    values: the rows of all series, one after the other. first, end: (n_windows,), where the window's series begins and
    where its targets do. Pairs with a missing row are left out; a past shorter than a season takes neighbours instead.
    NaN where no pair is left or every difference is 0: a scaled error is not defined there.
    Source: GluonTS `seasonal_error`, of the past that is given to the forecaster.
    """
    of_season, of_neighbours = (_mean_step(values, first, end, step) for step in (season, 1))
    scale = np.where(end - first < season, of_neighbours, of_season)
    return np.where(scale > 0, scale, np.nan)


def _mean_step(
    values: NDArray[np.float32], first: NDArray[np.int64], end: NDArray[np.int64], step: int
) -> NDArray[np.float64]:
    """Return the mean of |y[t] - y[t - step]| with t - step at `first` or later and t before `end`."""
    wide = values.astype(np.float64)
    steps = np.abs(wide[step:] - wide[:-step])  # of t = step and on
    seen = ~np.isnan(steps)
    sums, counts = (
        np.concatenate([np.zeros(1), np.cumsum(np.where(seen, steps, 0.0))]),
        np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(seen)]),
    )
    low = np.minimum(first, len(steps))
    high = np.clip(end - step, low, len(steps))
    return _over(sums[high] - sums[low], (counts[high] - counts[low]).astype(np.float64))


def _parts(
    forecast: torch.Tensor, target: torch.Tensor, quantiles: torch.Tensor | None, levels: tuple[float, ...]
) -> torch.Tensor:
    """Return what every point adds, (rows, batch, prediction_length)."""
    observed = ~target.isnan()
    error = torch.where(observed, (forecast - target).abs(), 0.0)
    size = torch.where(observed, target.abs(), 0.0)
    both = torch.where(observed, forecast.abs(), 0.0) + size
    parts = torch.zeros((len(_Sum), *target.shape), dtype=torch.float64, device=target.device)
    parts[_Sum.POINTS] = observed
    parts[_Sum.ABSOLUTE] = error
    parts[_Sum.SQUARED] = error.square()
    parts[_Sum.TARGET] = size
    parts[_Sum.SYMMETRIC_POINTS] = observed & (both != 0)
    parts[_Sum.SYMMETRIC] = torch.where(both != 0, 2 * error / both, 0.0)
    if quantiles is None:
        parts[_Sum.QUANTILE] = error
        parts[_Sum.INSIDE] = parts[_Sum.WIDTH] = torch.where(observed, torch.nan, 0.0)
        return parts
    level = torch.tensor(levels, dtype=torch.float64, device=target.device)[:, None]
    over = target[:, None] - quantiles.double()  # (batch, level, prediction_length)
    pinball = torch.maximum(level * over, (level - 1) * over).mean(dim=1)
    parts[_Sum.QUANTILE] = torch.where(observed, 2 * pinball, 0.0)
    low, high = (quantiles[:, levels.index(end)].double() for end in _ends(levels))
    inside = torch.where((low + high).isnan(), torch.nan, ((low <= target) & (target <= high)).double())
    parts[_Sum.INSIDE] = torch.where(observed, inside, 0.0)
    parts[_Sum.WIDTH] = torch.where(observed, high - low, 0.0)
    return parts


def _ends(levels: tuple[float, ...]) -> tuple[float, float]:
    """Return the levels of the interval's ends."""
    low, high = (1 - INTERVAL) / 2, (1 + INTERVAL) / 2
    return min(levels, key=lambda level: abs(level - low)), min(levels, key=lambda level: abs(level - high))


def _measures(sums: torch.Tensor) -> Measures:
    """Turn (rows, n) sums into measures."""
    s = sums.cpu().numpy()
    mse = _over(s[_Sum.SQUARED], s[_Sum.POINTS])
    return {
        "mae": _over(s[_Sum.ABSOLUTE], s[_Sum.POINTS]),
        "mse": mse,
        "rmse": np.sqrt(mse),
        "wql": _over(s[_Sum.QUANTILE], s[_Sum.TARGET]),
        "smape": _over(s[_Sum.SYMMETRIC], s[_Sum.SYMMETRIC_POINTS]),
        "coverage": _over(s[_Sum.INSIDE], s[_Sum.POINTS]),
        "width": _over(s[_Sum.WIDTH], s[_Sum.POINTS]),
    }


def _over(sums: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Divide; NaN where nothing was counted."""
    return np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
