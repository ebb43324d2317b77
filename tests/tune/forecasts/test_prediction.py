"""One forecast of one series: its rows, its times, its values as asked for, and what is reported of bad requests."""

from __future__ import annotations

import json
from collections.abc import Callable
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.errors import UserError
from data.passages import Counts, write_counts
from data.passages.counts import Tally
from tests.tune.forecasts.measured import TOY, measured
from trainables.pretraining.time_moe import tiny_config
from trainables.time_moe.modeling import TimeMoeForPrediction
from tune.forecasts.prediction import Prediction, SeriesGrid, predict
from tune.forecasts.request import ForecastRequest

Export = Callable[..., Path]
Jsonl = Callable[..., Path]

# The model says the last value of the context and 1 more, of what it sees.
A = [0.0, 4.0, 8.0, 12.0, 16.0, 20.0]
B = [-9.0, -9.0, None, -7.5, -5.0, -4.8]
SHORT = {"context_length": 2, "prediction_length": 3, "split": "rows:4"}
START = "2024-03-31 00:00:00"  # the night on which clocks in Europe skip an hour


@pytest.fixture
def hourly(export: Export, jsonl: Jsonl) -> Path:
    return export(jsonl(a=A, b=B, start=START, freq="h"), **SHORT)


@pytest.fixture
def untimed(export: Export, jsonl: Jsonl) -> Path:
    return export(jsonl(a=A, b=B), **SHORT)


def predicted(folder: Path, **asked: Any) -> Prediction:
    how = {"series": "a"} | {k: asked.pop(k) for k in ("series", "at", "clip_nonneg", "round_") if k in asked}
    return predict(ForecastRequest(str(folder), trust=TOY, gpus=0, **asked), **how)


def rejection(folder: Path, **asked: Any) -> str:
    with pytest.raises(UserError) as caught:
        predicted(folder, **asked)
    return str(caught.value)


# --- values


@pytest.mark.parametrize(
    ("norm", "value", "mean", "std"),
    [
        ("none", 21.0, 0.0, 1.0),
        ("context", 22.0, 18.0, 2.0),  # of 16 and 20
        ("series", 20 + sqrt(20), 6.0, sqrt(20)),  # of 0, 4, 8 and 12, the train rows of the export's own data
    ],
)
def test_a_forecast_is_put_back_by_what_its_context_was_normalised_by(
    hourly: Path, norm: str, value: float, mean: float, std: float
) -> None:
    found = predicted(hourly, norm=norm)
    assert found.values.tolist() == pytest.approx([value] * 3)
    assert (found.mean, found.std) == (pytest.approx(mean), pytest.approx(std))


def test_norm_series_of_other_data_goes_by_all_rows_before_the_forecast(hourly: Path, jsonl: Jsonl) -> None:
    other = jsonl("other.jsonl", a=A[:5])
    for at, rows in ((None, A[:5]), ("3", A[:3])):
        found = predicted(hourly, data=str(other), norm="series", at=at)
        assert (found.mean, found.std) == (pytest.approx(np.mean(rows)), pytest.approx(np.std(rows)))
        assert found.values.tolist() == pytest.approx([rows[-1] + np.std(rows)] * 3)


def test_norm_series_beside_a_scales_json_takes_the_training_normalization(hourly: Path, tmp_path: Path) -> None:
    hours = np.arange(40)
    counts = Counts(("S1#fx=1",), hours[None], "2023-12-01T00:00:00", 60, Tally(), ())
    write_counts(counts, tmp_path / "out", train_end="2023-12-01 20:00:00", val_context=8)
    at = "2023-12-02 00:00:00"
    for name in ("full.jsonl", "val.jsonl"):
        found = predicted(hourly, data=str(tmp_path / "out" / name), series=None, at=at, norm="series")
        assert (found.mean, found.std) == (pytest.approx(9.5), pytest.approx(sqrt((20**2 - 1) / 12)))
        assert found.values[0] == pytest.approx(23 + found.std)
        assert found.times[0] == at


def test_what_an_export_was_scaled_by_is_its_norm(export: Export, jsonl: Jsonl) -> None:
    found = predicted(export(jsonl(a=A, b=B), scale="standard", **SHORT))
    assert (found.assignment.norm, found.mean, found.std) == ("series", pytest.approx(6), pytest.approx(sqrt(20)))


def test_a_context_of_one_value_deviates_by_1(export: Export, jsonl: Jsonl) -> None:
    found = predicted(export(jsonl(a=[7.0] * 6), **SHORT), norm="context")
    assert (found.mean, found.std, found.values.tolist()) == (7.0, 1.0, [8.0] * 3)


def test_a_prediction_is_what_evaluation_measures(hourly: Path) -> None:
    """The window with targets from row 3 on, of a: its three errors."""
    found = predicted(hourly, at="2024-03-31 03:00:00", norm="context")
    errors = measured(hourly, split="rows:3", norm="context", stride=9).by_series["mae"]
    assert errors[0] == pytest.approx(np.abs(found.values - np.array(A[3:6])).mean())
    assert found.actual.tolist() == A[3:6]


def test_a_context_with_a_gap_is_forecast_from_what_is_observed(hourly: Path) -> None:
    found = predicted(hourly, series="b", at="2024-03-31 04:00:00", norm="context")
    assert (found.mean, found.std, found.values[0]) == (-7.5, 1.0, -6.5)


@pytest.mark.parametrize(
    ("asked", "values"),
    [
        ({}, [-3.8] * 3),
        ({"clip_nonneg": True}, [0.0] * 3),
        ({"round_": True}, [-4] * 3),
        ({"clip_nonneg": True, "round_": True}, [0] * 3),
    ],
)
def test_values_are_clipped_and_rounded_as_asked(hourly: Path, asked: dict[str, Any], values: list[float]) -> None:
    told = predicted(hourly, series="b", norm="none", **asked).to_dict()["values"]
    assert told == pytest.approx(values)
    assert {type(value) for value in told} == {int if "round_" in asked else float}


def test_samples_are_drawn_alike_every_time(export: Export, jsonl: Jsonl) -> None:
    rng = np.random.default_rng(0)
    data = jsonl(a=rng.normal(5, 1, 100).tolist(), start=START, freq="h")
    request = ForecastRequest("moirai-tiny", data=str(data), context_length=64, prediction_length=8, gpus=0)
    one, other = (predict(request, series="a").to_dict() for _ in range(2))
    assert one == other
    assert json.dumps(one, allow_nan=False)


def test_more_than_time_moes_positions_is_rejected(jsonl: Jsonl, tmp_path: Path) -> None:
    TimeMoeForPrediction(tiny_config()).save_pretrained(tmp_path / "time-moe")
    data = jsonl(a=list(range(5000)))
    request = ForecastRequest(
        str(tmp_path / "time-moe"), data=str(data), context_length=4090, prediction_length=7, gpus=0
    )
    with pytest.raises(UserError, match=r"context_length \+ prediction_length must be at most 4096.* got 4097"):
        predict(request, series="a")


# --- times


def test_the_default_is_right_after_the_last_row_on_a_grid_without_daylight_saving(hourly: Path) -> None:
    found = predicted(hourly)
    assert found.times == ["2024-03-31 06:00:00", "2024-03-31 07:00:00", "2024-03-31 08:00:00"]
    earlier = predicted(hourly, at="2024-03-31 02:00:00")
    assert earlier.times == ["2024-03-31 02:00:00", "2024-03-31 03:00:00", "2024-03-31 04:00:00"]
    assert np.isnan(found.actual).all()


@pytest.mark.parametrize("at", ["2024-03-31T02:00", "2024-03-31 02:00:00", "2024-03-31T04:00:00+02:00"])
def test_a_time_is_iso_and_a_zone_is_taken_to_utc(hourly: Path, at: str) -> None:
    assert predicted(hourly, at=at).row == 2


def test_series_without_time_have_row_numbers(untimed: Path) -> None:
    told = predicted(untimed, at="4").to_dict()
    assert (told["startTime"], told["freqMin"], told["times"]) == (None, None, [4, 5, 6])
    assert predicted(untimed).times == [6, 7, 8]


@pytest.mark.parametrize(
    ("freq", "minutes", "times"),
    [
        ("5min", 5, ["2024-01-01 00:30:00", "2024-01-01 00:35:00"]),
        ("30s", 0.5, ["2024-01-01 00:03:00", "2024-01-01 00:03:30"]),
        ("h", 60, ["2024-01-01 06:00:00", "2024-01-01 07:00:00"]),
        ("D", 1440, ["2024-01-07 00:00:00", "2024-01-08 00:00:00"]),
        ("W-MON", 10080, ["2024-02-12 00:00:00", "2024-02-19 00:00:00"]),
        ("MS", None, ["2024-07-01 00:00:00", "2024-08-01 00:00:00"]),
        ("2ME", None, ["2025-01-31 00:00:00", "2025-03-31 00:00:00"]),
    ],
)
def test_every_frequency_has_its_grid_and_a_fixed_one_its_minutes(
    freq: str, minutes: float | None, times: list[str]
) -> None:
    grid = SeriesGrid("a", "2024-01-01T00:00:00", freq, 6)
    assert (grid.minutes, grid.times(6, 2)) == (minutes, times)
    assert [grid.row_at(time, 2) for time in grid.times(2, 5)] == [2, 3, 4, 5, 6]


def test_the_json_of_a_prediction_is_stable(hourly: Path) -> None:
    told = predicted(hourly, at="2024-03-31 05:00:00", norm="context", round_=True).to_dict()
    assert told == {
        "seriesId": "a",
        "startTime": "2024-03-31 05:00:00",
        "freqMin": 60,
        "contextLength": 2,
        "predictionLength": 3,
        "norm": "context",
        "mean": 14.0,
        "std": 2.0,
        "values": [18, 18, 18],
        "times": ["2024-03-31 05:00:00", "2024-03-31 06:00:00", "2024-03-31 07:00:00"],
    }
    keys = "seriesId startTime freqMin contextLength predictionLength norm mean std values times"
    assert list(told) == keys.split()


# --- what cannot be


@pytest.mark.parametrize(
    "at",
    [
        "2024-03-31 02:30:00",  # off the grid
        "2024-03-31 01:00:00",  # one row of context
        "2024-03-30 02:00:00",  # before the series
        "2024-03-31 07:00:00",  # two steps behind it
        "2029-03-31 07:00:00",
        "yesterday",
        "4",
        "0001-01-01T00:00+14:00",  # the year 0 in UTC
        "9999-12-31T23:59-14:00",
    ],
)
def test_a_time_that_cannot_be_is_reported_with_the_grid_and_its_bounds(hourly: Path, at: str) -> None:
    assert rejection(hourly, at=at) == (
        "--at must be a time on the grid (frequency h) of 'a' from 2024-03-31 02:00:00 (after a context of 2 rows) to "
        f"2024-03-31 06:00:00 (right after its last row), got {at!r}"
    )


@pytest.mark.parametrize("at", ["1", "7", "2024-03-31", "-3"])
def test_a_row_that_cannot_be_is_reported_with_its_bounds(untimed: Path, at: str) -> None:
    assert rejection(untimed, at=at) == (
        "--at must be a row number of 'a' from 2 (after a context of 2 rows) to 6 (right after its last row), "
        f"got {at!r}"
    )


def test_a_row_with_more_digits_than_a_number_can_have_is_reported(untimed: Path) -> None:
    assert rejection(untimed, at="9" * 5000).startswith("--at must be a row number of 'a' from 2 ")


def test_an_unknown_series_is_reported_with_near_ones(export: Export, jsonl: Jsonl) -> None:
    many = {f"CP{i:03d}#fx=2": A for i in range(20)}
    folder = export(jsonl(**many), **SHORT)
    assert "got 'CP016#fx=3'; did you mean 'CP016#fx=2'" in rejection(folder, series="CP016#fx=3")
    assert rejection(folder, series="zzz").endswith("CP007#fx=2 and 12 more")
    assert rejection(folder, series=None).startswith("--series must name a series of series; it has CP000#fx=2, ")


def test_the_only_series_needs_no_name(export: Export, jsonl: Jsonl) -> None:
    assert predicted(export(jsonl(alone=A), **SHORT), series=None).grid.name == "alone"


def test_a_series_shorter_than_the_context_is_reported(hourly: Path) -> None:
    message = rejection(hourly, context_length=7)
    assert message == "a forecast needs 7 rows of context, and 'a' has 6; shorten --context-length"


def test_a_wholly_missing_context_is_rejected(export: Export, jsonl: Jsonl) -> None:
    data = jsonl(a=[1.0, 2.0, None, None, 5.0, 6.0])
    assert "rows 2 to 3 of 'a' have none" in rejection(export(data, **SHORT), at="4")
