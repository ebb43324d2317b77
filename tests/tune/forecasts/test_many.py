"""Forecasts of many series at once: which windows, which values, and the files that hold them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from data.errors import UserError
from tests.tune.forecasts.measured import TOY
from trainables.base import Forecast
from tune.forecasts import many
from tune.forecasts.files import Tables, writer
from tune.forecasts.many import ForecastPlan, adjusted, plan_forecasts
from tune.forecasts.plot import plot_forecasts
from tune.forecasts.prediction import predict
from tune.forecasts.quantiles import parse_levels, quantiles_at
from tune.forecasts.request import ForecastRequest

Export = Callable[..., Path]
Jsonl = Callable[..., Path]

# The model says the last value of the context and 1 more.
A = [0.0, 4.0, 8.0, 12.0, 16.0, 20.0]
B = [-9.0, -9.0, None, -7.5, -5.0, -4.8]
SHORT = {"context_length": 2, "prediction_length": 3, "split": "rows:4"}
START = "2024-03-31 00:00:00"


@pytest.fixture
def folder(export: Export, jsonl: Jsonl) -> Path:
    return export(jsonl(a=A, b=B, start=START, freq="h"), **SHORT)


def planned(folder: Path, **asked: Any) -> ForecastPlan:
    how = {k: asked.pop(k) for k in ("series", "at", "levels") if k in asked}
    return plan_forecasts(ForecastRequest(str(folder), trust=TOY, gpus=0, norm="none", **asked), **how)


def table(plan: ForecastPlan) -> pd.DataFrame:
    return pd.concat([Tables(plan).of(block) for block in plan.blocks()], ignore_index=True)


def test_all_series_are_forecast_after_their_last_rows(folder: Path) -> None:
    found = table(planned(folder))
    assert found.columns.tolist() == ["series", "origin", "time", "step", "forecast", "actual"]
    assert found["series"].tolist() == ["a"] * 3 + ["b"] * 3
    assert found["forecast"].tolist() == pytest.approx([21.0] * 3 + [-3.8] * 3)
    assert found["step"].tolist() == [1, 2, 3] * 2
    assert found["time"].tolist() == [f"2024-03-31 0{hour}:00:00" for hour in (6, 7, 8)] * 2
    assert set(found["origin"]) == {"2024-03-31 06:00:00"}
    assert found["actual"].isna().all()


def test_several_origins_come_one_after_the_other_with_what_came(folder: Path) -> None:
    found = table(planned(folder, series=["a"], at=["2024-03-31 02:00:00", "2024-03-31 04:00:00"]))
    assert found["forecast"].tolist() == [5.0] * 3 + [13.0] * 3
    assert found["actual"].tolist()[:5] == [8.0, 12.0, 16.0, 16.0, 20.0]
    assert np.isnan(found["actual"].iloc[5])
    assert found["origin"].tolist() == ["2024-03-31 02:00:00"] * 3 + ["2024-03-31 04:00:00"] * 3


def test_a_time_that_is_given_twice_is_forecast_once(folder: Path) -> None:
    at = ["2024-03-31 05:00:00", "2024-03-31 04:00:00", "2024-03-31T05:00"]
    found = table(planned(folder, at=at, series=["a", "a"]))
    assert found["origin"].tolist() == ["2024-03-31 05:00:00"] * 3 + ["2024-03-31 04:00:00"] * 3


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_batches_change_nothing(folder: Path, batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = table(planned(folder, at=["2024-03-31 02:00:00", "2024-03-31 05:00:00"]))
    monkeypatch.setattr(many, "BATCH", batch)
    cut = planned(folder, at=["2024-03-31 02:00:00", "2024-03-31 05:00:00"])
    seen: list[tuple[int, int]] = []
    for _ in cut.blocks(lambda done, total: seen.append((done, total))):
        continue
    pd.testing.assert_frame_equal(table(cut), whole)
    assert seen[-1] == (4, 4)


def test_drawn_forecasts_are_those_of_each_series_alone(waves: Path) -> None:
    """Moirai's quantiles come from draws: those of `predict` for one series, whatever else is in the batch."""
    request = ForecastRequest("moirai-tiny", data=str(waves), context_length=64, prediction_length=8, gpus=0)
    (block,) = plan_forecasts(request, levels=(0.1, 0.9)).blocks()
    for i in range(3):
        alone = predict(request, series=f"s{i}", levels=(0.1, 0.9))
        np.testing.assert_allclose(block.point[i], alone.values, rtol=1e-5)
        np.testing.assert_allclose(block.quantiles[i], list(alone.quantiles.values()), rtol=1e-5)


def test_a_series_that_is_too_short_is_left_out_of_all_and_rejected_by_name(export: Export, jsonl: Jsonl) -> None:
    folder = export(jsonl(a=A, b=[1.0], start=START, freq="h"), **SHORT)
    plan = planned(folder)
    assert plan.windows == 1
    assert "1 series have fewer than 2 rows: left out" in plan.notes
    with pytest.raises(UserError, match="needs 2 rows of context, and 'b' has 1"):
        planned(folder, series=["b"])


def test_a_context_without_a_value_has_no_forecast(export: Export, jsonl: Jsonl) -> None:
    folder = export(jsonl(a=A, b=[1.0, 2.0, 3.0, 4.0, None, None], start=START, freq="h"), **SHORT)
    found = table(planned(folder))
    assert found[found["series"] == "b"]["forecast"].isna().all()
    assert found[found["series"] == "a"]["forecast"].tolist() == [21.0] * 3


def test_values_are_not_below_zero_and_whole_where_that_is_wanted(folder: Path) -> None:
    (block,) = planned(folder).blocks()
    found = adjusted(block, clip_nonneg=True, round_=True)
    assert found.point.tolist() == [[21.0] * 3, [0.0] * 3]
    assert adjusted(block, clip_nonneg=False, round_=True).point[1].tolist() == [-4.0] * 3


# --- quantiles


def test_quantiles_between_two_levels_lie_on_a_line() -> None:
    """Nine levels of one step: ten times the level, and the square of it."""
    levels = torch.arange(1, 10) / 10
    forecast = Forecast(torch.zeros(1, 2), torch.stack([10 * levels, levels**2], dim=1)[None])
    found = quantiles_at(forecast, (0.1, 0.25, 0.9, 0.5))
    np.testing.assert_allclose(found[0, :, 0], [1.0, 2.5, 9.0, 5.0], rtol=1e-6)
    np.testing.assert_allclose(found[0, :, 1], [0.01, (0.04 + 0.09) / 2, 0.81, 0.25], rtol=1e-6)


def test_a_point_forecaster_has_no_quantiles(folder: Path) -> None:
    with pytest.raises(UserError, match="--quantiles needs a model that forecasts a distribution"):
        list(planned(folder, levels=(0.5,)).blocks())


@pytest.mark.parametrize("text", ["", "a", "0.5,", "0.05", "0.95", "nan", "inf", "-1"])
def test_other_levels_are_rejected(text: str) -> None:
    with pytest.raises(UserError, match="--quantiles must be"):
        parse_levels(text)


# --- files


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
def test_a_file_holds_every_block(folder: Path, tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many, "BATCH", 1)
    plan, path = planned(folder), tmp_path / f"out{suffix}"
    tables = Tables(plan)
    with writer(path) as add:
        for block in plan.blocks():
            add(tables.of(block))
    read = {
        ".csv": pd.read_csv,
        ".parquet": pd.read_parquet,
        ".jsonl": lambda file: pd.DataFrame([json.loads(line) for line in file.read_text().splitlines()]),
    }
    found = read[suffix](path)
    assert found["series"].tolist() == ["a"] * 3 + ["b"] * 3
    assert found["forecast"].tolist() == pytest.approx([21.0] * 3 + [-3.8] * 3)
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".out")] == []


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
def test_times_beside_row_numbers_are_text(export: Export, tmp_path: Path, suffix: str) -> None:
    data, path = tmp_path / "data.jsonl", tmp_path / f"out{suffix}"
    rows = [{"id": "a", "sequence": A, "start": START, "freq": "h"}, {"id": "b", "sequence": A, "freq": "h"}]
    data.write_text("\n".join(map(json.dumps, rows)))
    plan = planned(export(data, **SHORT))
    tables = Tables(plan)
    with writer(path) as add:
        for block in plan.blocks():
            add(tables.of(block))
    assert not tables.are_timed
    assert table(plan)["time"].tolist() == [*(f"2024-03-31 0{hour}:00:00" for hour in (6, 7, 8)), "6", "7", "8"]


def test_a_name_that_is_a_formula_is_text_in_csv(export: Export, jsonl: Jsonl, tmp_path: Path) -> None:
    plan = planned(export(jsonl(**{"=1+1": A}, start=START, freq="h"), **SHORT))
    with writer(tmp_path / "out.csv") as add:
        for block in plan.blocks():
            add(Tables(plan).of(block))
    assert (tmp_path / "out.csv").read_text().splitlines()[1].startswith("'=1+1,")


def test_what_is_interrupted_leaves_the_file_that_was_there(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("old")

    def write() -> None:
        with writer(path) as add:
            add(pd.DataFrame({"series": ["a"]}))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert path.read_text() == "old"
    assert sorted(p.name for p in tmp_path.iterdir() if "out" in p.name) == ["out.csv"]


@pytest.mark.parametrize(("freq", "name"), [("h", "name " * 100), ("h", "漢字"), ("MS", "a\nb"), ("s", "c")])
@pytest.mark.parametrize("steps", [3, 24, 90])
def test_a_picture_is_drawn_without_warnings_and_with_few_marks(
    export: Export, jsonl: Jsonl, tmp_path: Path, freq: str, name: str, steps: int, recwarn: pytest.WarningsRecorder
) -> None:
    values = np.sin(np.arange(300)).tolist()
    data = jsonl(**{name: values}, start=START, freq=freq)
    plan = planned(export(data, **SHORT | {"prediction_length": steps}))
    plot_forecasts(plan, list(plan.blocks()), tmp_path / "out.svg")
    svg = (tmp_path / "out.svg").read_text()
    assert not [str(warning.message) for warning in recwarn if warning.category is UserWarning]
    assert 2 <= svg.count('id="xtick_') <= 7
    assert sorted(path.name for path in tmp_path.glob("*out*")) == ["out.svg"]


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_a_picture_has_a_panel_a_forecast(folder: Path, tmp_path: Path, suffix: str) -> None:
    plan = planned(folder, at=["2024-03-31 04:00:00"])
    drawn = plot_forecasts(plan, list(plan.blocks()), tmp_path / f"out{suffix}")
    assert drawn == 2
    content = (tmp_path / f"out{suffix}").read_bytes()
    if suffix == ".png":
        assert content[:8] == b"\x89PNG\r\n\x1a\n"
    else:
        assert content.count(b'id="axes_') == 2
