"""A checkpoint measured: errors by hand, the leaderboard's figures again, and what is told of bad requests."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from data.errors import UserError
from data.panel import Panel
from data.passages import Counts, write_counts
from data.passages.counts import Tally
from data.readers.panel_reader import read_panel
from data.task.task import ForecastTask, TaskSpec
from trainables.pretraining.time_moe import tiny_config
from trainables.time_moe.modeling import TimeMoeForPrediction
from trainables.trial import evaluation as trial_evaluation
from trainables.trial.memory import MicroBatch
from trainables.trial.trial import check_hyper
from tune.forecasts import request as forecast_task
from tune.forecasts.evaluation import Evaluation, _rows_before, check_csv, evaluate
from tune.forecasts.request import Request
from tune.ray_backend import worker
from tune.registry import find_trainable

Export = Callable[..., Path]
Jsonl = Callable[..., Path]

# Context 2, prediction 2, stride 2: two windows a series, their targets from rows 2 and 4 on. The model says the last
# value and 1 more, of what it sees: 1 more in the units of the data with norm none, a deviation more with the others.
A = [0.0, 4.0, 8.0, 12.0, 16.0, 20.0]
B = [5.0, 5.0, 5.0, 5.0, 7.0, 9.0]
SHORT = {"context_length": 2, "prediction_length": 2, "eval_stride": 2}


@pytest.fixture
def two(jsonl: Jsonl) -> Path:
    return jsonl(a=A, b=B)


def measured(folder: Path, **asked: Any) -> Evaluation:
    more = {key: asked.pop(key) for key in ("part", "batch_size") if key in asked}
    return evaluate(Request(str(folder), gpus=0, **asked), **more)


# --- by hand


def test_errors_are_of_all_points_in_the_units_of_the_data(export: Export, two: Path) -> None:
    """Forecasts 5, 5 and 13, 13 for a (errors 3, 7, 3, 7), 6, 6 and 6, 6 for b (errors 1, 1, 1, 3)."""
    found = measured(export(two, split="rows:0", **SHORT), norm="none")
    assert (found.units.mae, found.units.mse, found.units.rmse) == (26 / 8, 128 / 8, 4.0)
    assert found.mae_by_step.tolist() == [(3 + 3 + 1 + 1) / 4, (7 + 7 + 1 + 3) / 4]
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


def test_a_task_scaled_by_train_rows_is_told_in_units_and_scaled(export: Export, two: Path) -> None:
    """Scaled by sqrt(20) and 1, the last value and 1 more is what norm series gives; errors are divided so."""
    found = measured(export(two, split="rows:4", scale="standard", **SHORT))
    errors = [sqrt(20) - 4, 8 - sqrt(20), 1, 3]
    assert found.units.mae == pytest.approx(np.mean(errors), rel=1e-6)
    assert found.scaled is not None
    assert found.scaled.mae == pytest.approx((4 / sqrt(20) + 4) / 4, rel=1e-6)
    assert found.scaled.rmse == pytest.approx(sqrt((errors[0] ** 2 / 20 + errors[1] ** 2 / 20 + 10) / 4), rel=1e-6)


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


def test_the_worst_series_come_first_and_one_without_a_window_is_told(export: Export, jsonl: Jsonl) -> None:
    data = jsonl(short=[1.0, 2.0], b=B, a=A)
    found = measured(export(data, split="rows:0", **SHORT), norm="none")
    assert [row["series"] for row in found.worst()] == ["a", "b"]
    assert [row["series"] for row in found.worst(1)] == ["a"]
    assert found.worst()[0] == {"series": "a", "windows": 2, "points": 4, "mae": 5.0, "mse": 29.0, "rmse": sqrt(29)}
    assert found.notes == ("1 of 3 series have no window and are not measured: short",)


def test_the_csv_has_a_line_a_series(export: Export, jsonl: Jsonl, tmp_path: Path) -> None:
    data = jsonl(a=A, short=[1.0, 2.0], b=B)
    measured(export(data, split="rows:0", **SHORT), norm="none").write_csv(tmp_path / "per_series.csv")
    with (tmp_path / "per_series.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert list(lines[0]) == ["series", "windows", "points", "mae", "mse", "rmse"]
    assert [line["series"] for line in lines] == ["a", "short", "b"]
    assert [line["mae"] for line in lines] == ["5.0", "", "1.5"]
    assert [line["points"] for line in lines] == ["4", "0", "4"]


def test_an_evaluation_is_strict_json(export: Export, two: Path) -> None:
    told = measured(export(two, split="rows:0", **SHORT), norm="none").to_dict()
    json.dumps(told, allow_nan=False)
    keys = """checkpoint trainable data content_hash part split scale norm context_length prediction_length stride
              batch_size series windows points mae mse rmse scaled mae_by_step worst_series device seconds
              forecasts_per_second notes"""
    assert list(told) == keys.split()
    assert (told["series"], told["windows"], told["points"]) == (2, 4, 8)
    assert (told["mae"], told["mae_by_step"], told["scaled"]) == (3.25, [2.0, 4.5], None)
    assert told["forecasts_per_second"] == pytest.approx(4 / told["seconds"])


# --- val.jsonl and its scales.json


@pytest.fixture
def passages(tmp_path: Path) -> Path:
    """40 hours of two sites, t and 2t, cut at hour 20: val.jsonl begins 8 hours before."""
    hours = np.arange(40)
    counts = Counts(
        ids=("S1#fx=1", "S1#fx=2"),
        values=np.stack([hours, 2 * hours]),
        start="2023-12-01T00:00:00",
        bucket_minutes=60,
        rows=Tally(),
        files=(),
    )
    write_counts(counts, tmp_path / "out", train_end="2023-12-01 20:00:00", val_context=8)
    return tmp_path / "out" / "val.jsonl"


def test_windows_of_a_val_jsonl_begin_at_target_start_idx(export: Export, two: Path, passages: Path) -> None:
    """28 rows, targets from row 8 on, two a window: 10 windows a series. Of t, the last and 1 more errs by 0 and 1."""
    folder = export(two, split="rows:0", **SHORT)
    found = measured(folder, data=str(passages), norm="none")
    assert found.assignment.spec.split == "rows:8"
    assert found.windows.tolist() == [10, 10]
    assert found.by_series["mae"].tolist() == [0.5, (1 + 3) / 2]
    assert found.notes == ()


def test_norm_series_of_a_val_jsonl_goes_by_the_training_moments(export: Export, two: Path, passages: Path) -> None:
    """Hours 0 to 19 deviate by sqrt((20² - 1) / 12), and 2t by twice that; val.jsonl alone has only 12 to 19."""
    std = sqrt((20**2 - 1) / 12)
    found = measured(export(two, split="rows:0", **SHORT), data=str(passages), norm="series")
    assert found.by_series["mae"].tolist() == pytest.approx([std - 1.5, 2 * (std - 1.5)])


def test_a_context_longer_than_the_history_is_told(export: Export, two: Path, passages: Path) -> None:
    folder = export(two, split="rows:0", **SHORT)
    found = measured(folder, data=str(passages), context_length=12, norm="none")
    assert found.windows.tolist() == [8, 8]
    assert found.notes == ("targets begin at row 12, the first with a whole context, and not at 8",)


def test_other_files_beside_a_scales_json_begin_after_the_first_context(
    export: Export, two: Path, passages: Path
) -> None:
    found = measured(export(two, split="rows:0", **SHORT), data=str(passages.with_name("full.jsonl")))
    assert found.assignment.spec.split == "rows:0"
    assert found.windows.tolist() == [19, 19]


def test_a_series_that_scales_json_lacks_is_told(export: Export, two: Path, passages: Path) -> None:
    text = passages.read_text().replace("S1#fx=2", "S1#fx=9")
    passages.write_text(text)
    with pytest.raises(UserError, match=r"has none for 'S1#fx=9'; did you mean 'S1#fx="):
        measured(export(two, split="rows:0", **SHORT), data=str(passages), norm="series")


def test_a_damaged_scales_json_is_told(export: Export, two: Path, passages: Path) -> None:
    scales = passages.with_name("scales.json")
    folder = export(two, split="rows:0", **SHORT)
    for text, told in [("{", "cannot be read"), ('{"target_start_idx": -1}', "target_start_idx must be 0 or more")]:
        scales.write_text(text)
        with pytest.raises(UserError, match=rf"scales\.json: {told}"):
            measured(folder, data=str(passages))


# --- what an export records


def test_an_export_alone_is_measured_on_its_own_task(export: Export, two: Path) -> None:
    spec = measured(export(two, split="rows:4", scale="standard", **SHORT)).assignment
    assert spec.spec == TaskSpec(split="rows:4", scale="standard", **SHORT)
    assert spec.norm == "none"  # the model was trained on scaled values


def test_flags_go_before_the_record(export: Export, two: Path) -> None:
    folder = export(two, split="rows:4", scale="standard", **SHORT)
    found = measured(folder, split="rows:0", scale="none", stride=1, context_length=1, prediction_length=1)
    assert found.assignment.spec.model_dump(exclude={"train_stride"}) == {
        "split": "rows:0", "scale": "none", "eval_stride": 1, "context_length": 1, "prediction_length": 1,
    }  # fmt: skip
    assert found.assignment.norm == "series"  # which shows the model what the scaled task did


def test_other_data_has_no_split_and_no_scale_of_the_record(export: Export, two: Path, jsonl: Jsonl) -> None:
    folder = export(two, split="rows:4", scale="standard", **SHORT)
    same = measured(folder, data=str(jsonl("copy.jsonl", a=A, b=B))).assignment
    other = measured(folder, data=str(jsonl("other.jsonl", a=A, b=[*B, 1.0]))).assignment
    assert (same.spec.split, same.spec.scale, same.norm) == ("rows:4", "standard", "none")
    assert (other.spec.split, other.spec.scale, other.norm) == ("rows:0", "none", "context")
    assert other.spec.eval_stride == 2


def test_data_that_changed_since_the_sweep_is_told(export: Export, two: Path) -> None:
    folder = export(two, split="rows:4", **SHORT)
    two.write_text(two.read_text().replace("20.0", "21.0"))
    assert "is not what the sweep was run on" in measured(folder).notes[0]


def test_data_that_is_gone_comes_from_the_sweeps_own_copy(export: Export, two: Path) -> None:
    folder = export(two, split="rows:4", **SHORT)
    panel = read_panel(two)
    two.unlink()
    with pytest.raises(UserError, match=r"was made on .*series\.jsonl, and that file is gone; say with --data"):
        measured(folder)
    panel.save(folder.parent / worker.PANEL_FOLDER)
    assert "these are the series that the sweep has kept" in measured(folder).notes[0]
    Panel.from_series("other", {"a": np.arange(9.0)}).save(folder.parent / worker.PANEL_FOLDER)
    with pytest.raises(UserError, match="that file is gone"):
        measured(folder)


def test_the_sweeps_copy_is_where_workers_look() -> None:
    assert forecast_task.SWEEPS_COPY == worker.PANEL_FOLDER


# --- real models


@pytest.fixture
def waves(jsonl: Jsonl) -> Path:
    rng, steps = np.random.default_rng(3), np.arange(300)
    values = {f"s{i}": 20 + 9 * i + 5 * np.sin(steps / 24 * 6.283 + i) + rng.normal(0, 0.5, 300) for i in range(3)}
    values["s1"][100:110] = np.nan
    lists = {key: [None if np.isnan(v) else v for v in row.tolist()] for key, row in values.items()}
    return jsonl(start="2024-01-01 00:00:00", freq="h", **lists)


@pytest.fixture(scope="session")
def time_moe_tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("time-moe")
    torch.manual_seed(0)
    TimeMoeForPrediction(tiny_config()).save_pretrained(folder)
    return folder


SPEC = {"context_length": 64, "prediction_length": 12, "eval_stride": 5, "split": "ratio", "scale": "standard"}


def trial_scores(trainable: str, hyper: dict[str, Any], data: Path) -> tuple[Callable[..., None], dict[str, float]]:
    """What a sweep's validation measures of a model, and how its export is written."""
    task = ForecastTask(read_panel(data), TaskSpec(**SPEC))
    model = find_trainable(trainable)()
    model.build(check_hyper(type(model), {"lr": 1e-4, "epochs": 2, "batch_size": 4, **hyper}), task)
    scores = trial_evaluation.evaluate(model, task, "val", micro_batch=MicroBatch(256))
    return lambda folder, _: model.save_pretrained(folder), scores.to_dict()


@pytest.mark.parametrize("norm", ["context", "series", "none"])
def test_an_exported_time_moe_gives_its_trials_figures_again(
    export: Export, waves: Path, time_moe_tiny: Path, norm: str
) -> None:
    hyper = {"pretrained": str(time_moe_tiny), "strategy": "heads_only", "norm": norm, "max_length": 64}
    save, scores = trial_scores("time-moe", hyper, waves)
    found = measured(export(waves, trainable="time-moe", save=save, hyperparameters=hyper, **SPEC))
    assert found.assignment.norm == norm
    assert found.scaled is not None
    assert found.scaled.mae == pytest.approx(scores["val_mae"], rel=1e-5)
    assert found.scaled.mse == pytest.approx(scores["val_mse"], rel=1e-5)


def test_an_exported_moirai_gives_its_trials_figures_again_and_again(export: Export, waves: Path) -> None:
    """Its forecasts are medians of samples: the same ones every time."""
    hyper = {"pretrained": "moirai-tiny", "strategy": "head_only", "num_samples": 20}
    save, scores = trial_scores("moirai", hyper, waves)
    folder = export(waves, trainable="moirai", save=save, hyperparameters=hyper, **SPEC)
    found = measured(folder)
    assert found.assignment.norm == "none"
    assert found.scaled is not None
    assert found.scaled.mae == pytest.approx(scores["val_mae"], rel=1e-9)
    again = measured(folder)
    assert (again.units, again.mae_by_step.tolist()) == (found.units, found.mae_by_step.tolist())


@pytest.mark.parametrize("name", ["moirai-tiny", "time-moe"])
def test_a_model_that_is_no_export_is_measured_zero_shot(waves: Path, time_moe_tiny: Path, name: str) -> None:
    """Another unit of the data is another unit of the errors, for every model alike."""
    checkpoint = str(time_moe_tiny) if name == "time-moe" else name
    request = Request(checkpoint, data=str(waves), context_length=64, prediction_length=12, gpus=0)
    small = evaluate(request, batch_size=16)
    lines = [json.loads(line) for line in waves.read_text().splitlines()]
    for line in lines:
        line["sequence"] = [None if value is None else 1000 * value for value in line["sequence"]]
    waves.write_text("".join(json.dumps(line) + "\n" for line in lines))
    large = evaluate(request, batch_size=16)
    assert small.assignment.norm == "context"
    assert small.assignment.spec.eval_stride == 12  # the prediction length
    assert small.windows.tolist() == [(300 - 64 - 12) // 12 + 1] * 3
    assert large.units.mae == pytest.approx(1000 * small.units.mae, rel=1e-3)


def test_time_moe_errs_as_a_plain_loop_over_the_file_finds(waves: Path, time_moe_tiny: Path) -> None:
    """Window by window from the file's own lines, normalised and put back in numpy, forecast by transformers."""
    model = TimeMoeForPrediction.from_pretrained(time_moe_tiny).eval()
    errors = []
    for line in waves.read_text().splitlines()[::2]:  # s1 has gaps
        values = np.array(json.loads(line)["sequence"])
        for first in range(64, 300 - 12 + 1, 50):
            context = values[first - 64 : first]
            mean, std = context.mean(), context.std()
            scaled = torch.tensor((context - mean) / std, dtype=torch.float32)[None]
            forecast = model.generate(scaled, max_new_tokens=12)[0, 64:].numpy() * std + mean
            errors.append(np.abs(forecast - values[first : first + 12]))
    request = Request(str(time_moe_tiny), data=str(waves), columns=("s0", "s2"), context_length=64, gpus=0)
    found = evaluate(replace(request, prediction_length=12, stride=50, norm="context"), batch_size=4)
    assert found.windows.sum() == len(errors) == 10
    assert found.mae_by_step.tolist() == pytest.approx(np.mean(errors, axis=0).tolist(), rel=1e-4)


def test_batches_of_time_moe_change_nothing_that_matters(waves: Path, time_moe_tiny: Path) -> None:
    request = Request(str(time_moe_tiny), data=str(waves), context_length=64, prediction_length=12, gpus=0)
    one, many = evaluate(request, batch_size=7), evaluate(request, batch_size=64)
    assert one.mae_by_step.tolist() == pytest.approx(many.mae_by_step.tolist(), rel=1e-4)


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


# --- what cannot be


def refusal(**asked: Any) -> str:
    with pytest.raises(UserError) as caught:
        measured(**asked)
    return str(caught.value)


def test_without_an_export_all_missing_flags_are_named_at_once() -> None:
    assert refusal(folder="moirai-tiny").endswith("give --data, --context-length and --prediction-length")
    assert refusal(folder="moirai-tiny", data="sample", context_length=8).endswith("give --prediction-length")


def test_wrong_flags_are_told_at_once(export: Export, two: Path) -> None:
    told = refusal(folder=export(two, **SHORT), context_length=0, stride=0, norm="contxt", scale="max", split="rows:x")
    assert sorted(line.split()[0] for line in told.splitlines()) == [
        "--context-length", "--norm", "--scale", "--split", "--stride",
    ]  # fmt: skip
    assert "--stride must be 1 or more, got 0" in told
    assert "--norm must be context, series or none, got 'contxt'; did you mean 'context'?" in told


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"part": "train"}, "--part must be val or test, got 'train'"),
        ({"batch_size": 0}, "--batch-size must be 1 or more, got 0"),
        (
            {"data": "smple"},
            "a file, a folder or a bundled dataset (corpus, passages, sample), and there is no 'smple'",
        ),
        ({"context_length": 5}, "no series has a val window: one needs 7 rows"),
        ({"part": "test"}, "no series has a test window"),
    ],
)
def test_a_request_that_cannot_be_is_told(export: Export, two: Path, asked: dict[str, Any], told: str) -> None:
    assert told in refusal(folder=export(two, split="rows:0", **SHORT), **asked)


def test_more_than_time_moes_positions_is_refused(waves: Path, time_moe_tiny: Path) -> None:
    told = refusal(folder=time_moe_tiny, data=str(waves), context_length=4000, prediction_length=97)
    assert told.startswith("context_length + prediction_length must be at most 4096")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("moirai-tny", "a checkpoint must be a folder, a Hub id like"),
        (".", "a model checkpoint holds config.json"),
        ("night1", r"is a sweep's folder; give the checkpoint in it: .*night1.best"),
    ],
)
def test_what_is_no_checkpoint_is_told(
    export: Export, two: Path, monkeypatch: pytest.MonkeyPatch, name: str, told: str
) -> None:
    monkeypatch.chdir(export(two, **SHORT).parents[1])
    with pytest.raises(UserError, match=told):
        evaluate(Request(name, gpus=0))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "cannot be read as the record of an export"),
        ('{"trainable": "moirai", "hyperparameters": {}, "data": {"path": "x"}}', "task is missing"),
    ],
)
def test_a_damaged_export_is_told(export: Export, two: Path, text: str, told: str) -> None:
    folder = export(two, **SHORT)
    (folder / "foretune.json").write_text(text)
    message = refusal(folder=folder)
    assert told in message
    assert str(folder / "foretune.json") in message


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
