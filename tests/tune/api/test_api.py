"""Sweeps and forecasts from Python: data frames in and out, mistakes as errors, an interruption that can be resumed."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tune
from data.errors import UserError
from data.readers.panel_reader import read_panel
from data.samples.bundled import SAMPLES
from tests.tune.service import DEADLINE
from tune import Sweep, load_forecaster, search
from tune.api.frames import data_path
from tune.api.search import SearchError, _flags

ROWS = 600


@pytest.fixture(scope="module")
def wide() -> pd.DataFrame:
    """Two daily waves with a little noise, by the hour."""
    rng, hours = np.random.default_rng(0), np.arange(ROWS)
    index = pd.date_range("2024-01-01", periods=ROWS, freq="h")
    wave = np.sin(2 * np.pi * hours / 24)
    return pd.DataFrame(
        {"north": 10 + wave + rng.normal(0, 0.1, ROWS), "south": 5 - wave + rng.normal(0, 0.1, ROWS)}, index=index
    )


@pytest.fixture(scope="module")
def found(wide: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    """A search of two trials over the waves, as a script makes it."""
    storage = tmp_path_factory.mktemp("api") / "ray_results"
    options: dict[str, Any] = {"context_length": 64, "prediction_length": 24, "seed": 1}
    settings = {"epochs": 2, "strategy": "head_only"}
    return search(wide, trials=2, name="waves", storage=storage, settings=settings, show=False, **options)


# --- frames


def test_a_wide_frame_is_read_as_it_is(wide: pd.DataFrame, tmp_path: Path) -> None:
    panel = read_panel(Path(data_path(wide, tmp_path)))
    assert panel.ids == ("north", "south")
    assert (panel.freq, panel.starts[0]) == ("h", "2024-01-01T00:00:00")
    np.testing.assert_allclose(panel.in_units(1), wide["south"], rtol=1e-6)


def test_a_long_frame_is_read_with_the_columns_that_say_whose_and_when(wide: pd.DataFrame, tmp_path: Path) -> None:
    long = wide.rename_axis("when").reset_index().melt("when", var_name="place", value_name="y")
    path = Path(data_path(long, tmp_path))
    panel = read_panel(path, time_column="when", id_columns=("place",))
    assert sorted(panel.ids) == ["north", "south"]
    np.testing.assert_allclose(panel.in_units(panel.ids.index("north")), wide["north"], rtol=1e-6)


def test_a_series_is_a_frame_of_one_column(wide: pd.DataFrame, tmp_path: Path) -> None:
    assert read_panel(Path(data_path(wide["north"], tmp_path))).ids == ("north",)


def test_one_frame_is_one_file_and_a_path_is_itself(wide: pd.DataFrame, tmp_path: Path) -> None:
    assert data_path(wide, tmp_path) == data_path(wide.copy(), tmp_path)
    assert len(list((tmp_path / ".frames").iterdir())) == 1
    assert data_path("sample", tmp_path) == "sample"


@pytest.mark.parametrize("data", [pd.DataFrame(), [1, 2], None])
def test_what_is_no_frame_is_rejected(data: Any, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="data must"):
        data_path(data, tmp_path)


def test_an_index_of_two_levels_is_a_long_frame(wide: pd.DataFrame, tmp_path: Path) -> None:
    long = wide.rename_axis("when").melt(var_name="place", value_name="y", ignore_index=False)
    path = Path(data_path(long.set_index("place", append=True), tmp_path))
    panel = read_panel(path, id_columns=("place",))
    assert sorted(panel.ids) == ["north", "south"]
    np.testing.assert_allclose(panel.in_units(panel.ids.index("south")), wide["south"], rtol=1e-6)


@pytest.mark.parametrize(
    ("names", "twice"), [(["a", "a"], "a"), ([1, "1"], "1"), (["time", "b"], "time")], ids=["same", "as text", "index"]
)
def test_names_that_are_there_twice_are_rejected(
    wide: pd.DataFrame, tmp_path: Path, names: list[object], twice: str
) -> None:
    with pytest.raises(UserError, match=f"must have different names, and '{twice}' is there twice"):
        data_path(wide.set_axis(names, axis=1), tmp_path)


def test_values_that_no_file_can_hold_are_rejected(wide: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be written as Parquet"):
        data_path(wide.astype(complex), tmp_path)


# --- options


def test_options_are_the_command_lines() -> None:
    options = {"trials": 20, "futility": False, "start_from": ["a", "b"], "na": (-999, "off"), "seed": None, "then": ()}
    assert _flags(options) == [
        "--trials=20",
        "--no-futility",
        "--start-from",
        "a",
        "--start-from",
        "b",
        "--na=-999,off",
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"trails": 3}, "trails"),
        ({"space": "nospace"}, "nospace"),
        ({"settings": {"lrr": 3}}, "lrr"),
        ({"data": "nofile.csv"}, "nofile.csv"),
    ],
)
def test_a_mistake_is_the_command_lines_message(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(SearchError, match=message):
        search(**options, storage=tmp_path, show=False)


def test_a_sweep_that_is_not_there_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no sweep named 'x'"):
        Sweep("x", tmp_path)


def test_the_package_has_its_public_names_and_no_others() -> None:
    assert {"search", "Sweep", "load_forecaster"} <= set(dir(tune))
    with pytest.raises(AttributeError, match="has no attribute 'find'"):
        _ = tune.find


# --- a search


@pytest.mark.sweeps
def test_a_search_gives_its_leaderboard_and_curves_as_frames(found: Sweep) -> None:
    board = found.leaderboard()
    assert {"t0000", "t0001", "zero-shot", "seasonal-naive"} <= set(board.index)
    assert board.loc["t0000", "strategy"] == "head_only"
    curves = found.curves()
    assert curves.index.names == ["trial_id", "epoch"]
    assert curves.loc[("t0000", 0), "val_loss"] == pytest.approx(board.loc["zero-shot", "val_loss"])
    best = board["val_loss"].loc[["t0000", "t0001"]].min()
    assert curves[curves.index.get_level_values("epoch") > 0]["val_loss"].min() == pytest.approx(best)
    assert found.verdict
    assert not found.is_running


@pytest.mark.sweeps
def test_the_winner_forecasts_frames(found: Sweep, wide: pd.DataFrame) -> None:
    assert found.best is not None
    forecast = found.forecaster().predict(wide, quantiles=(0.1, 0.9))
    assert forecast.columns.tolist() == ["series", "origin", "time", "step", "forecast", "q0.1", "q0.9", "actual"]
    assert len(forecast) == 2 * 24
    assert forecast["time"].iloc[0] == wide.index[-1] + pd.Timedelta(hours=1)
    assert (forecast["q0.1"] <= forecast["q0.9"]).all()
    assert forecast.groupby("series")["forecast"].mean().to_dict() == pytest.approx({"north": 10, "south": 5}, abs=1)
    past = found.forecaster().predict(wide, at=[wide.index[-24]], series=["north"])
    assert past["actual"].tolist() == pytest.approx(wide["north"].iloc[-24:].tolist(), rel=1e-6)


@pytest.mark.sweeps
def test_a_notebook_shows_the_report_and_the_leaderboard(found: Sweep) -> None:
    shown = found.report()._repr_html_()
    assert shown.startswith("<iframe srcdoc=")
    assert "&lt;html" in shown
    assert "t0001" in found._repr_html_()


@pytest.mark.sweeps
def test_a_sweep_is_extended_where_it_ended(found: Sweep) -> None:
    more = found.resume(trials=3, show=False)
    assert "t0002" in more.leaderboard().index
    with pytest.raises(SearchError, match="--trials must be at least 3"):
        found.resume(trials=1, show=False)


def test_a_bundled_model_forecasts_what_it_has_never_seen(wide: pd.DataFrame) -> None:
    model = load_forecaster("moirai-tiny")
    forecast = model.predict(wide, 12, context_length=64)
    assert forecast["forecast"].notna().all()
    assert len(forecast) == 24
    measured = model.evaluate(wide, 12, context_length=64, part="val")
    assert measured["notes"] is not None
    with pytest.raises(UserError, match="give --context-length and --prediction-length"):
        model.predict(wide)


def test_one_value_is_as_good_as_a_list_of_one(wide: pd.DataFrame) -> None:
    model, at = load_forecaster("moirai-tiny"), pd.Timestamp("2024-01-20")
    listed = model.predict(wide, 4, [0.5], context_length=64, series=["north"], at=[at])
    pd.testing.assert_frame_equal(model.predict(wide, 4, 0.5, context_length=64, series="north", at=at), listed)
    assert listed["origin"].unique().tolist() == [at]
    long = wide.rename_axis("ds").reset_index().melt("ds", var_name="place", value_name="y")
    named = model.predict(long, 4, context_length=64, time_column="ds", id_columns="place")
    assert named["series"].unique().tolist() == ["north", "south"]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"quantiles": "half"}, "--quantiles must be numbers like 0.1,0.5,0.9, got 'half'"),
        ({"prediction_length": "four"}, "--prediction-length must be a whole number, got 'four'$"),
        ({"prediction_length": 4.5}, "--prediction-length must be a whole number, got 4.5$"),
        ({"time_colum": "ds"}, "time_colum must be an option of how data are read; did you mean 'time_column'"),
    ],
)
def test_a_wrong_request_is_one_message(wide: pd.DataFrame, asked: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_forecaster("moirai-tiny").predict(wide, **{"prediction_length": 4, "context_length": 64, **asked})


def test_the_test_part_of_other_data_is_what_split_says(wide: pd.DataFrame) -> None:
    measured = load_forecaster("moirai-tiny").evaluate(wide, 12, context_length=64, split="ratio")
    assert measured["part"] == "test"


def test_rows_of_series_without_a_frequency_are_numbers_and_no_times(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text(json.dumps({"id": "a", "sequence": [1.0, 2.0, 3.0, 2.0] * 25, "start": "2024-01-01"}))
    forecast = load_forecaster("moirai-tiny").predict(path, 4, context_length=64)
    assert forecast["time"].tolist() == [100, 101, 102, 103]


@pytest.mark.slow  # of the command line: tests/tune/ray_backend/test_interruption.py
@pytest.mark.sweeps
@pytest.mark.skipif(os.name != "posix", reason="POSIX signals")
def test_an_interrupted_search_is_returned_and_goes_on(tmp_path: Path) -> None:
    """As by a notebook's stop button: an interrupt of this process, once the first trial has begun."""
    storage = tmp_path / "ray_results"

    def interrupt() -> None:
        started = time.monotonic()
        while not list(storage.glob("night/t0000/result.json")) and time.monotonic() - started < DEADLINE:
            time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    settings = {"epochs": 30, "strategy": "head_only"}
    stopped = search(str(SAMPLES["sample"]), trials=2, name="night", storage=storage, settings=settings, show=False)
    assert stopped.unfinished_trials > 0
    assert not stopped.is_running
    assert stopped.best is None
    done = stopped.resume(show=False)
    assert done.unfinished_trials == 0
    assert done.best is not None
