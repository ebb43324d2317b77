"""The error measures: MAE, MSE, RMSE, MASE and weighted quantile loss, over observed targets alone.

Every function leaves out targets that are NaN. A forecast that is NaN where the target is observed makes the
result NaN: a broken forecast must not look like a good one. With no observed target the result is NaN too.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from data.panel import Panel


def mae(forecast: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return the mean of |forecast - target|, a float64 scalar; both (batch, prediction_length)."""
    return _observed_mean((_errors(forecast, target)).abs(), target)


def mse(forecast: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return the mean of (forecast - target)^2, a float64 scalar; both (batch, prediction_length)."""
    return _observed_mean(_errors(forecast, target).square(), target)


def rmse(forecast: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return the square root of the mean squared error, a float64 scalar."""
    return mse(forecast, target).sqrt()


def mase(forecast: torch.Tensor, target: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Return the mean of |forecast - target| / scale, a float64 scalar.

    forecast, target: (batch, prediction_length), in the units of the series.
    scale: (batch,), each window's entry of `seasonal_naive_scale`; a window whose scale is NaN is left out.
    Source: Hyndman & Koehler 2006, doi:10.1016/j.ijforecast.2006.03.001, section 3.
    """
    scale = scale.double()[:, None]
    scaled = _errors(forecast, target).abs() / scale
    return _observed_mean(scaled, torch.where(scale.isnan(), torch.nan, target))


def seasonal_naive_scale(panel: Panel, train_end: NDArray[np.int64], *, season_length: int = 1) -> NDArray[np.float64]:
    """Return the mean of |y[t] - y[t - season_length]| over each series' train rows, (n_series,) float64.

    Pairs with a missing row are left out. NaN where no pair is left or every difference is 0: MASE is
    undefined for a series that repeats itself.
    Source: Hyndman & Koehler 2006; with season_length above 1 as in the M4 competition.
    """
    scale = np.full(len(panel), np.nan)
    for i in range(len(panel)):
        rows = panel.series(i)[: train_end[i]].astype(np.float64)
        steps = np.abs(rows[season_length:] - rows[:-season_length])
        steps = steps[~np.isnan(steps)]
        if steps.any():
            scale[i] = steps.mean()
    return scale


def weighted_quantile_loss(quantiles: torch.Tensor, target: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
    """Return the mean over levels of 2 * sum(pinball loss) / sum(|target|), a float64 scalar.

    quantiles: (batch, quantile, prediction_length); target: (batch, prediction_length).
    levels: (quantile,), each in (0, 1).
    The pinball loss at level q is q * (y - f) where y >= f, and (1 - q) * (f - y) elsewhere.
    Source: Gneiting 2011, arXiv:0912.0902, for the loss; GluonTS `mean_weighted_sum_quantile_loss` for the
    weights.
    """
    truth = target.double()[:, None]  # (batch, 1, prediction_length)
    error = truth - quantiles.double()
    level = levels.double().to(target.device)[:, None]  # (quantile, 1)
    pinball = torch.maximum(level * error, (level - 1) * error)
    observed = ~truth.isnan()
    losses = torch.where(observed, pinball, 0.0).sum(dim=(0, 2))  # (quantile,)
    return 2 * losses.mean() / truth.abs().nansum()


class ForecastErrors:
    """Adds up the errors of point forecasts, batch after batch, in float64 on the device of the forecasts.

    Every observed target counts once: a total is the sum over all points by their number, never a mean of
    batch means.
    """

    def __init__(self, n_series: int, prediction_length: int, device: torch.device | str = "cpu") -> None:
        """Start with no forecast seen."""
        steps, series = (3, prediction_length), (3, n_series)  # rows: number of points, sum |e|, sum e^2
        self._by_step = torch.zeros(steps, dtype=torch.float64, device=device)
        self._by_series = torch.zeros(series, dtype=torch.float64, device=device)
        self._by_window: list[torch.Tensor] = []

    def update(self, forecast: torch.Tensor, target: torch.Tensor, series: torch.Tensor) -> None:
        """Add a batch.

        forecast, target: (batch, prediction_length), NaN target = missing; series: (batch,) int64.
        """
        observed = ~target.isnan()
        error = torch.where(observed, _errors(forecast, target), 0.0)
        parts = torch.stack([observed.double(), error.abs(), error.square()])  # (3, batch, prediction_length)
        of_windows = parts.sum(dim=2)  # (3, batch)
        self._by_step += parts.sum(dim=1)
        self._by_series.index_add_(1, series, of_windows)
        self._by_window.append(of_windows)

    @property
    def points(self) -> int:
        """Return how many observed targets were counted."""
        return int(self._by_step[0].sum())

    @property
    def mae(self) -> float:
        """Return the mean absolute error over all points; NaN before the first."""
        count, absolute, _ = self._by_step.sum(dim=1)
        return float(absolute / count)

    @property
    def mse(self) -> float:
        """Return the mean squared error over all points; NaN before the first."""
        count, _, squared = self._by_step.sum(dim=1)
        return float(squared / count)

    @property
    def rmse(self) -> float:
        """Return the root of the mean squared error over all points."""
        return float(np.sqrt(self.mse))

    def per_step(self) -> dict[str, NDArray[np.float64]]:
        """Return mae, mse and rmse of each horizon step, each (prediction_length,); NaN where none was seen."""
        return _measures(self._by_step)

    def per_series(self) -> dict[str, NDArray[np.float64]]:
        """Return mae, mse and rmse of each series, each (n_series,); NaN where none was seen."""
        return _measures(self._by_series)

    def per_window(self) -> dict[str, NDArray[np.float64]]:
        """Return mae, mse and rmse of each window, each (n_windows,), in the order of the updates."""
        return _measures(torch.cat([*self._by_window], dim=1) if self._by_window else self._by_series[:, :0])

    def points_per_series(self) -> NDArray[np.int64]:
        """Return how many observed targets of each series were counted, (n_series,)."""
        points: NDArray[np.int64] = self._by_series[0].to(torch.int64).cpu().numpy()
        return points


def _errors(forecast: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return forecast - target in float64; reject shapes that would broadcast."""
    if forecast.shape != target.shape:
        raise ValueError(f"forecast and target must have one shape, got {forecast.shape} and {target.shape}")
    return forecast.double() - target.double()


def _observed_mean(values: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return the mean of the values whose target is observed."""
    observed = ~target.isnan()
    return torch.where(observed, values, 0.0).sum() / observed.sum()


def _measures(sums: torch.Tensor) -> dict[str, NDArray[np.float64]]:
    """Turn (3, n) sums into means."""
    count, absolute, squared = sums.cpu()
    mse = (squared / count).numpy()
    return {"mae": (absolute / count).numpy(), "mse": mse, "rmse": np.sqrt(mse)}
