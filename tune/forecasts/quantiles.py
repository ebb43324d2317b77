"""Quantiles of a forecast at the levels that the user asks for."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trainables.base import QUANTILE_LEVELS, Forecast
from tune.forecasts.scales import RequestError

LOWEST, HIGHEST = QUANTILE_LEVELS[0], QUANTILE_LEVELS[-1]


def parse_levels(text: str) -> tuple[float, ...]:
    """Turn '0.1,0.5,0.9' into numbers; RequestError for others than those from 0.1 to 0.9."""
    try:
        levels = tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise RequestError(f"--quantiles must be numbers like 0.1,0.5,0.9, got {text!r}") from error
    check_levels(levels)
    return levels


def check_levels(levels: Sequence[float], *, name: str = "--quantiles") -> None:
    """Reject levels beyond those that the models give, which are not known; RequestError. name: what they came as."""
    for level in levels:
        if not math.isfinite(level) or not LOWEST <= level <= HIGHEST:
            raise RequestError(f"{name} must be from {LOWEST} to {HIGHEST}, got {level:g}; models give no others")


def quantiles_at(forecast: Forecast, levels: Sequence[float]) -> NDArray[np.float64]:
    """Return (batch, levels, prediction_length), between two of QUANTILE_LEVELS by a straight line.

    Raises RequestError for a model that forecasts points alone.
    """
    if forecast.quantiles is None:
        raise RequestError("--quantiles needs a model that forecasts a distribution, and this one forecasts points")
    return between_levels(forecast.quantiles.double().cpu().numpy(), levels)


def between_levels(found: NDArray[np.float64], levels: Sequence[float]) -> NDArray[np.float64]:
    """Return (batch, levels, prediction_length) of (batch, QUANTILE_LEVELS, prediction_length), by a straight line."""
    places = np.interp(levels, QUANTILE_LEVELS, np.arange(len(QUANTILE_LEVELS)))
    below = np.floor(places).astype(int)
    above = np.minimum(below + 1, len(QUANTILE_LEVELS) - 1)
    shares = (places - below)[None, :, None]
    between: NDArray[np.float64] = found[:, below] * (1 - shares) + found[:, above] * shares
    return between
