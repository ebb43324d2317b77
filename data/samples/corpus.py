"""Makes the bundled corpus from a seed, a folder of small CSV files to distil on: `python -m data.samples.corpus`."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data.samples.bundled import HERE
from data.samples.synthetic import autoregressive, bump

Array = NDArray[np.float64]

CORPUS_SEED = 23
TIME_NAMES = (  # one for each file, as people name it; the empty one is an index without a name
    *("date", "Date", "datetime", "DateTime", "date_time", "timestamp"),
    *("utc_timestamp", "time", "ds", "时间", "", "Timestamp"),
)
HOLED, BOUNDLESS = 4, 9  # the files, counted from 0, with empty cells and with infinite ones

_DAYS_IN_YEAR = 366  # of 2024, in which every file starts


def make_sample_corpus(*, n_files: int = 12, rows: int = 1500, seed: int = CORPUS_SEED) -> dict[str, pd.DataFrame]:
    """Make the corpus: the hourly load of some meters, every other one with the temperature that drives it.

    A load has the day and the week of its users, follows the weather, grows or shrinks, shifts its level now and then,
    and is noisy: its last day or week says much of the next, and not all.
    Returns a table of `rows` rows for each file name: a time column under a usual name, then load, and temperature in
    every other file.
    """
    rng = np.random.default_rng(seed)
    tables = {}
    for number in range(n_files):
        start = pd.Timestamp("2024-01-01") + pd.Timedelta(days=int(rng.integers(_DAYS_IN_YEAR)))
        times = pd.date_range(start, periods=rows, freq="h")
        temperature = _temperature(rng, times)
        load = _load(rng, times, temperature)
        columns = {"load": load, "temperature": temperature} if number % 2 else {"load": load}
        table = pd.DataFrame({TIME_NAMES[number % len(TIME_NAMES)]: times.strftime("%Y-%m-%d %H:%M"), **columns})
        tables[f"meter_{number + 1:02d}.csv"] = _with_holes(rng, table, number)
    return tables


def write_sample_corpus(folder: Path) -> None:
    """Write the corpus as it is bundled, with four significant digits."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in make_sample_corpus().items():
        table.to_csv(folder / name, index=False, float_format="%.4g", lineterminator="\n", encoding="utf-8")


def _temperature(rng: np.random.Generator, times: pd.DatetimeIndex) -> Array:
    """Degrees: a season, a day that is warmest in the afternoon, and weather that lasts for days."""
    day_of_year, hour = times.dayofyear.to_numpy(), times.hour.to_numpy()
    season = 10 - 9 * np.cos(2 * np.pi * (day_of_year - 20) / _DAYS_IN_YEAR)
    day = rng.uniform(2, 5) * np.cos(2 * np.pi * (hour - 15) / 24)
    weather: Array = 4 * autoregressive(rng, len(times), 0.985) + 0.4 * autoregressive(rng, len(times), 0.5)
    return season + day + weather


def _load(rng: np.random.Generator, times: pd.DatetimeIndex, temperature: Array) -> Array:
    """Kilowatts, of a household or an office, heated or cooled below and above 16 degrees."""
    hour, weekend = times.hour.to_numpy(), times.dayofweek.to_numpy() >= 5
    working = bump(hour, rng.uniform(7, 9), 1.5) + rng.uniform(0.6, 1.4) * bump(hour, rng.uniform(17, 20), 2.0)
    resting = rng.uniform(0.3, 1.0) * bump(hour, 13.0, 4.0)
    users = np.where(weekend, resting, working)
    felt = np.convolve(np.pad(temperature, (5, 0), "edge"), np.full(6, 1 / 6), "valid")  # walls answer in hours
    discomfort = np.abs(felt - 16) / 10
    trend = rng.uniform(-0.3, 0.5) * np.arange(len(times)) / len(times)
    noise = rng.uniform(0.10, 0.2) * autoregressive(rng, len(times), 0.8)
    shape = 0.8 + users + rng.uniform(0.2, 0.6) * discomfort + trend + _shifts(rng, len(times)) + noise
    kilowatts: Array = 10 ** rng.uniform(0, 2.5) * np.maximum(shape, 0.05)
    return kilowatts


def _shifts(rng: np.random.Generator, rows: int) -> Array:
    """One to three steps of the level, at any hour."""
    level = np.zeros(rows)
    for at in rng.integers(rows // 10, rows - rows // 10, rng.integers(1, 4)):
        level[at:] += rng.choice([-1, 1]) * rng.uniform(0.2, 0.5)
    return level


def _with_holes(rng: np.random.Generator, table: pd.DataFrame, number: int) -> pd.DataFrame:
    """Take some values out of one file, three of them in a row, and make some of another infinite."""
    rows = len(table)
    if number == HOLED:
        first = int(rng.integers(1, rows - 3))
        table.loc[[*rng.choice(rows, 9, replace=False), *range(first, first + 3)], "load"] = np.nan
    if number == BOUNDLESS:
        table.loc[rng.choice(rows, 4, replace=False), "load"] = [np.inf, -np.inf, np.inf, np.nan]
    return table


def main() -> None:
    """Write the bundled corpus."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, default=HERE / "bundled" / "corpus", help="folder; default: in the package")
    write_sample_corpus(parser.parse_args().to)


if __name__ == "__main__":
    main()
