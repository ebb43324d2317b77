"""The specification of tune/forecasts/request.py: flags, then what the export records, then defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.errors import UserError
from data.panel import Panel
from data.readers.panel_reader import read_panel
from data.task.task import TaskSpec
from tests.tune.forecasts.measured import SHORT, A, B, Export, Jsonl, measured, refusal
from tune.forecasts.evaluation import evaluate
from tune.forecasts.request import ForecastRequest
from tune.records.sweep_folder import SweepFolder


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


def test_data_that_changed_since_the_sweep_is_reported(export: Export, two: Path) -> None:
    folder = export(two, split="rows:4", **SHORT)
    two.write_text(two.read_text().replace("20.0", "21.0"))
    assert "is not what the sweep was run on" in measured(folder).notes[0]


def test_data_that_is_gone_comes_from_the_sweeps_own_copy(export: Export, two: Path) -> None:
    folder = export(two, split="rows:4", **SHORT)
    panel = read_panel(two)
    two.unlink()
    with pytest.raises(UserError, match=r"was made on .*series\.jsonl, and that file is gone; say with --data"):
        measured(folder)
    panel.save(SweepFolder(folder.parent).data)
    assert "these are the series that the sweep has kept" in measured(folder).notes[0]
    Panel.from_series("other", {"a": np.arange(9.0)}).save(SweepFolder(folder.parent).data)
    with pytest.raises(UserError, match="that file is gone"):
        measured(folder)


# --- what cannot be


def test_without_an_export_all_missing_flags_are_named_at_once() -> None:
    assert refusal(folder="moirai-tiny").endswith("give --data, --context-length and --prediction-length")
    assert refusal(folder="moirai-tiny", data="sample", context_length=8).endswith("give --prediction-length")


def test_wrong_flags_are_reported_at_once(export: Export, two: Path) -> None:
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
def test_a_request_that_cannot_be_is_reported(export: Export, two: Path, asked: dict[str, Any], told: str) -> None:
    assert told in refusal(folder=export(two, split="rows:0", **SHORT), **asked)


def test_more_than_time_moes_positions_is_rejected(waves: Path, time_moe_tiny: Path) -> None:
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
def test_what_is_no_checkpoint_is_reported(
    export: Export, two: Path, monkeypatch: pytest.MonkeyPatch, name: str, told: str
) -> None:
    monkeypatch.chdir(export(two, **SHORT).parents[1])
    with pytest.raises(UserError, match=told):
        evaluate(ForecastRequest(name, gpus=0))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "cannot be read as the record of an export"),
        ('{"trainable": "moirai", "hyperparameters": {}, "data": {"path": "x"}}', "task is missing"),
    ],
)
def test_a_damaged_export_is_reported(export: Export, two: Path, text: str, told: str) -> None:
    folder = export(two, **SHORT)
    (folder / "foretune.json").write_text(text)
    message = refusal(folder=folder)
    assert told in message
    assert str(folder / "foretune.json") in message
