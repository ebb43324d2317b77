"""The specification of tune/forecasts/evaluation.py: errors by hand."""

from __future__ import annotations

import csv
import json
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from data.errors import UserError
from data.panel import Panel
from data.task.task import ForecastTask, TaskSpec
from tests.tune.forecasts.measured import SHORT, A, B, Export, Jsonl, measured
from tune.forecasts.evaluation import _rows_before, check_csv
from tune.registry import find_trainable


def test_errors_are_of_all_points_in_the_units_of_the_data(export: Export, two: Path) -> None:
    """Forecasts 5, 5 and 13, 13 for a (errors 3, 7, 3, 7), 6, 6 and 6, 6 for b (errors 1, 1, 1, 3)."""
    found = measured(export(two, split="rows:0", **SHORT), norm="none")
    assert (found.units.mae, found.units.mse, found.units.rmse) == (26 / 8, 128 / 8, 4.0)
    assert found.mae_by_step.tolist() == [(3 + 3 + 1 + 1) / 4, (7 + 7 + 1 + 3) / 4]
    assert found.mse_by_step.tolist() == [(9 + 9 + 1 + 1) / 4, (49 + 49 + 1 + 9) / 4]
    assert found.by_series["mae"].tolist() == [5.0, 1.5]
    assert found.by_series["mse"].tolist() == [29.0, 3.0]
    assert found.by_series["rmse"].tolist() == [sqrt(29), sqrt(3)]
    assert (found.windows.tolist(), found.points.tolist()) == ([2, 2], [4, 4])
    assert found.scaled is None


def test_norm_context_puts_the_forecast_back_by_the_contexts_own_deviation(export: Export, two: Path) -> None:
    """A's contexts deviate by 2: forecasts 6 and 14, errors 2, 6, 2, 6. B's by 0, which becomes 1: as without norm."""
    found = measured(export(two, split="rows:0", **SHORT), norm="context")
    assert found.mae_by_step.tolist() == pytest.approx([(2 + 2 + 1 + 1) / 4, (6 + 6 + 1 + 3) / 4])
    assert found.units.mse == pytest.approx((4 + 36 + 4 + 36 + 1 + 1 + 1 + 9) / 8)


def test_norm_series_goes_by_the_rows_before_the_first_target(export: Export, two: Path) -> None:
    """Of a's rows 0, 4, 8, 12 the deviation is sqrt(20): 12 + sqrt(20) against 16 and 20. B's is 0, which becomes 1."""
    found = measured(export(two, split="rows:4", **SHORT), norm="series")
    errors = [sqrt(20) - 4, 8 - sqrt(20)]
    assert found.windows.tolist() == [1, 1]
    assert found.by_series["mae"].tolist() == pytest.approx([np.mean(errors), (1 + 3) / 2])


def test_a_task_scaled_by_train_rows_is_reported_in_units_and_scaled(export: Export, two: Path) -> None:
    """Scaled by sqrt(20) and 1, the last value and 1 more is what norm series gives; errors are divided so."""
    found = measured(export(two, split="rows:4", scale="standard", **SHORT))
    errors = [sqrt(20) - 4, 8 - sqrt(20), 1, 3]
    assert found.units.mae == pytest.approx(np.mean(errors), rel=1e-6)
    assert found.scaled is not None
    assert found.scaled.mae == pytest.approx((4 / sqrt(20) + 4) / 4, rel=1e-6)
    assert found.scaled.rmse == pytest.approx(sqrt((errors[0] ** 2 / 20 + errors[1] ** 2 / 20 + 10) / 4), rel=1e-6)


def test_errors_by_time_are_of_the_forecasts_that_begin_then(export: Export, jsonl: Jsonl) -> None:
    """Hourly, so two windows a series, at 02:00 and 04:00: errors 3, 7 and 3, 7 of a, 1, 1 and 1, 3 of b."""
    data = jsonl(a=A, b=B, start="2024-01-01 00:00:00", freq="h")
    found = measured(export(data, split="rows:0", **SHORT), norm="none")
    assert found.spans.unit == "hour"
    assert found.spans_in_time() == [
        {
            **{"from": "2024-01-01 02:00", "windows": 2, "points": 4, "mae": 3.0, "mse": 15.0, "rmse": sqrt(15)},
            **{"wql": 12 / 30, "smape": pytest.approx((6 / 13 + 14 / 17 + 2 / 11 + 2 / 11) / 4)},
            **{"coverage": None, "width": None, "mase": 5 / 4},
        },
        {
            **{"from": "2024-01-01 04:00", "windows": 2, "points": 4, "mae": 3.5, "mse": 17.0, "rmse": sqrt(17)},
            **{"wql": 14 / 52, "smape": pytest.approx((6 / 29 + 14 / 33 + 2 / 13 + 6 / 15) / 4)},
            **{"coverage": None, "width": None, "mase": 5 / 4},
        },
    ]


def test_without_times_errors_are_by_rows(export: Export, two: Path) -> None:
    found = measured(export(two, split="rows:0", **SHORT), norm="none")
    assert found.spans.labels == ("row 2", "row 4")
    assert found.by_time["mae"].tolist() == [3.0, 3.5]


def test_missing_targets_do_not_count_and_a_context_may_have_gaps(export: Export, jsonl: Jsonl) -> None:
    """Windows 0 and 2 of c: the context of the one lacks a value, the target of the other."""
    data = jsonl(a=A, c=[None, 5.0, 5.0, 7.0, 9.0, None])
    found = measured(export(data, split="rows:0", **SHORT), norm="none")
    assert found.points.tolist() == [4, 3]
    assert found.by_series["mae"][1] == pytest.approx((1 + 1 + 1) / 3)


@pytest.mark.parametrize("norm", ["context", "series", "none"])
def test_the_batch_size_changes_no_error(export: Export, jsonl: Jsonl, norm: str) -> None:
    values = np.random.default_rng(0).normal(100, 9, (3, 40))
    folder = export(jsonl(**{f"s{i}": row.tolist() for i, row in enumerate(values)}), split="rows:20", **SHORT)
    one, three, all_ = (measured(folder, norm=norm, batch_size=size) for size in (1, 3, 256))
    assert one.mae_by_step.tolist() == pytest.approx(three.mae_by_step.tolist(), rel=1e-12)
    assert one.mae_by_step.tolist() == pytest.approx(all_.mae_by_step.tolist(), rel=1e-12)


def test_the_worst_series_come_first_and_one_without_a_window_is_reported(export: Export, jsonl: Jsonl) -> None:
    data = jsonl(short=[1.0, 2.0], b=B, a=A)
    found = measured(export(data, split="rows:0", **SHORT), norm="none")
    assert [row["series"] for row in found.worst()] == ["a", "b"]
    assert [row["series"] for row in found.worst(1)] == ["a"]
    # errors 3, 7, 3, 7; targets 8, 12, 16, 20, forecasts 5, 5, 13, 13; the steps of either past are 4
    assert found.worst()[0] == {
        **{"series": "a", "windows": 2, "points": 4, "mae": 5.0, "mse": 29.0, "rmse": sqrt(29)},
        **{"mase": 1.25, "wql": pytest.approx(20 / 56), "coverage": None, "width": None},
        "smape": pytest.approx((6 / 13 + 14 / 17 + 6 / 29 + 14 / 33) / 4),
    }
    assert found.notes == ("1 of 3 series have no window and are not measured: short",)


def test_the_csv_has_a_line_a_series(export: Export, jsonl: Jsonl, tmp_path: Path) -> None:
    data = jsonl(a=A, short=[1.0, 2.0], b=B)
    measured(export(data, split="rows:0", **SHORT), norm="none").write_csv(tmp_path / "per_series.csv")
    with (tmp_path / "per_series.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    measures = ["mae", "mse", "rmse", "wql", "smape", "coverage", "width", "mase"]
    assert list(lines[0]) == ["series", "windows", "points", *measures]
    assert [line["mase"] for line in lines] == ["1.25", "", ""]  # b is constant before its targets
    assert [line["series"] for line in lines] == ["a", "short", "b"]
    assert [line["mae"] for line in lines] == ["5.0", "", "1.5"]
    assert [line["points"] for line in lines] == ["4", "0", "4"]


def test_an_evaluation_is_strict_json(export: Export, two: Path) -> None:
    told = measured(export(two, split="rows:0", **SHORT), norm="none").to_dict()
    json.dumps(told, allow_nan=False)
    keys = """checkpoint trainable data content_hash part split scale norm context_length prediction_length stride
              batch_size series windows points mae mse rmse mase wql smape coverage width scaled
              mae_by_step mse_by_step wql_by_step coverage_by_step by_time worst_series device seconds
              forecasts_per_second notes"""
    assert list(told) == keys.split()
    assert (told["series"], told["windows"], told["points"]) == (2, 4, 8)
    assert (told["mae"], told["mae_by_step"], told["scaled"]) == (3.25, [2.0, 4.5], None)
    assert told["forecasts_per_second"] == pytest.approx(4 / told["seconds"])


def test_memory_that_runs_out_halves_the_batch(
    export: Export, two: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    folder = export(two, split="rows:0", **SHORT)
    whole = measured(folder, norm="none")
    model = find_trainable(json.loads((folder / "foretune.json").read_text())["trainable"])
    forecast = model.forecast

    def small_alone(self: Any, batch: Any) -> Any:
        if len(batch.context) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forecast(self, batch)

    monkeypatch.setattr(model, "forecast", small_alone)
    halved = measured(folder, norm="none", batch_size=4)
    assert (halved.batch_size, halved.units) == (2, whole.units)


def test_a_csv_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--csv must name a file that can be written, got .*: it is a folder"):
        check_csv(tmp_path)
    with pytest.raises(UserError, match="there is no folder"):
        check_csv(tmp_path / "nowhere" / "a.csv")


def test_norm_series_goes_by_the_same_rows_as_in_training_where_whole_series_are_held_out() -> None:
    panel = Panel.from_series("many", {f"s{i}": np.arange(40, dtype=np.float32) for i in range(10)})
    spec = TaskSpec(split="series", context_length=8, prediction_length=2)
    task = ForecastTask(panel, spec)
    assert (task.split.train_end == 0).sum() == 2  # one series validates, one tests
    held_out = task.split.train_end == 0
    assert _rows_before(task)[held_out].tolist() == [32, 32]
    assert _rows_before(task)[~held_out].tolist() == [40] * 8
