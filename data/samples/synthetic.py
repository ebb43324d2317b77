"""Series made from a seed: a broad corpus to pretrain the bundled models on, and a shifted domain to fine-tune to."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data.panel import Panel

Array = NDArray[np.float64]

CORPUS_SEED = 7
SAMPLE_SEED = 11
SAMPLE_START = "2025-01-06"  # a Monday


def make_corpus(*, n_series: int = 600, length: int = 3072, seed: int = CORPUS_SEED) -> Panel:
    """Make the pretraining corpus: smooth and peaked seasons of many periods, trends, noise, walks and counts."""
    rng = np.random.default_rng(seed)
    series = {f"corpus-{i:04d}": _corpus_series(rng, length).astype(np.float32) for i in range(n_series)}
    return Panel.from_series("corpus", series)


def _corpus_series(rng: np.random.Generator, length: int) -> Array:
    time = np.arange(length, dtype=np.float64)
    level = rng.normal(0, 2)
    season = _smooth_season(rng, time) if rng.random() < 0.5 else _peaked_season(rng, length)
    trend = rng.normal(0, 1.0) * time / length if rng.random() < 0.3 else np.zeros(length)
    noise = autoregressive(rng, length, rng.uniform(0, 0.95)) * 10 ** rng.uniform(-1.5, 0)
    values = level + season + trend + noise
    if rng.random() < 0.15:
        values = values + np.cumsum(rng.normal(0, 0.05, length))
    if rng.random() < 0.2:
        rate = np.exp(np.clip(values - values.mean(), -3, 3) + rng.uniform(0, 3))
        counts: Array = rng.poisson(rate).astype(np.float64)
        return counts
    return values * 10 ** rng.uniform(-1, 2)


def _smooth_season(rng: np.random.Generator, time: Array) -> Array:
    """Sum one to three sinusoids, each with up to two harmonics, of usual or arbitrary periods in steps."""
    total = np.zeros_like(time)
    for _ in range(rng.integers(1, 4)):
        usual = rng.random() < 0.6
        period = rng.choice([12.0, 24.0, 24.0, 48.0, 96.0, 168.0, 7.0]) if usual else rng.uniform(6, 300)
        amplitude = rng.uniform(0.2, 1.5)
        for harmonic in range(1, rng.integers(2, 4)):
            phase = rng.uniform(0, 2 * np.pi)
            total += amplitude / harmonic * np.sin(2 * np.pi * harmonic * time / period + phase)
    return total


def _peaked_season(rng: np.random.Generator, length: int) -> Array:
    """Repeat a profile of one to four bumps, at times with some periods of every seven damped, as weekends are."""
    period = int(rng.choice([12, 24, 24, 24, 24, 48, 96])) if rng.random() < 0.8 else int(rng.integers(8, 100))
    places = np.arange(period)
    profile = np.zeros(period)
    for _ in range(rng.integers(1, 5)):
        distance = np.abs(places - rng.uniform(0, period))
        distance = np.minimum(distance, period - distance)  # around the clock
        width = rng.uniform(0.03, 0.2) * period
        profile += rng.uniform(0.3, 2.0) * np.exp(-0.5 * (distance / width) ** 2)
    repeats = -(-length // period)
    sizes = np.ones(7)
    if rng.random() < 0.5:
        sizes[: rng.integers(1, 3)] = rng.uniform(0.1, 0.7)
    return np.outer(np.resize(np.roll(sizes, rng.integers(7)), repeats), profile).ravel()[:length]


def autoregressive(rng: np.random.Generator, length: int, coefficient: float) -> Array:
    """First-order autoregressive noise of unit variance."""
    shocks = rng.normal(0, np.sqrt(1 - coefficient**2), length)
    weights = coefficient ** np.arange(200)
    return np.convolve(shocks, weights)[:length]


def make_sample(*, n_series: int = 8, days: int = 120, seed: int = SAMPLE_SEED) -> pd.DataFrame:
    """Make the bundled sample: hourly visitor counts at some sites, with rush hours, quiet weekends and holidays.

    Returns (days * 24) rows: `date` and one column a site. Its sharp peaks and its week are what the corpus lacks.
    """
    rng = np.random.default_rng(seed)
    dates = pd.date_range(SAMPLE_START, periods=days * 24, freq="h", name="date")
    quiet_days = rng.choice(days, size=max(1, days // 25), replace=False)
    columns = {f"site_{i + 1}": _visitors(rng, days, quiet_days) for i in range(n_series)}
    return pd.DataFrame({"date": dates, **columns})


def _visitors(rng: np.random.Generator, days: int, quiet_days: NDArray[np.int64]) -> NDArray[np.int64]:
    hours = np.arange(24)
    morning, evening = rng.uniform(7, 9.5), rng.uniform(16, 19.5)
    working = bump(hours, morning, 0.8) + rng.uniform(0.6, 1.2) * bump(hours, evening, 1.1)
    working = working + 0.35 * bump(hours, 13.0, 3.0)
    weekend = rng.uniform(0.3, 0.8) * bump(hours, 14.0, 3.5)
    profile = np.where((np.arange(days) % 7 >= 5)[:, None], weekend, working)  # (day, hour)
    profile[quiet_days] = weekend * 0.5
    drift = np.exp(autoregressive(rng, days, 0.9) * 0.12)[:, None]
    rate = rng.uniform(80, 600) * drift * (profile + 0.03)
    return rng.poisson(rate.ravel() * np.exp(autoregressive(rng, days * 24, 0.6) * 0.08))


def bump(hours: NDArray[np.int64], at: float, width: float) -> Array:
    peak: Array = np.exp(-0.5 * ((hours - at) / width) ** 2)
    return peak
