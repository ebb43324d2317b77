"""The specification of tune/ray_backend/messages.py: what Ray carries comes out as it went in."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from tests.tune.reports import report
from trainables.trial.report import Report, Scores, StopReason
from tune.ray_backend.messages import Failure, WorkerSettings, config_of, read_result, to_result
from tune.records.trial_record import TrialConfig

SETTINGS = WorkerSettings(
    sweep=str(Path("ray_results").absolute() / "night1"),
    trainable="moirai",
    task={"context_length": 512, "prediction_length": 96},
    metric="val_mae",
    cpus=2,
    use_gpu=True,
    gpu_memory_bytes=8_000_000_000,
)


def test_settings_and_a_trials_configuration_share_rays_configuration() -> None:
    trial = TrialConfig("t0001", 7, {"lr": 1e-5, "worker": "a hyperparameter of that name"})
    config = json.loads(json.dumps({**trial.to_row(), **SETTINGS.to_config()}))
    assert WorkerSettings.from_config(config) == SETTINGS
    assert config_of(config) == trial
    assert SETTINGS.folder.path == Path(SETTINGS.sweep)


@pytest.mark.parametrize(
    "sent", [report(0, 1.0), report(1, 0.5, extra={"val_crps": 0.25}), report(2, 0.5, stopped_by="patience")]
)
def test_a_report_comes_out_as_it_went_in(sent: Report) -> None:
    assert read_result({**to_result(sent), "trial_id": "abc"}, scheduler="asha") == sent


def test_ray_gets_a_number_where_nothing_finite_was_measured() -> None:
    result = to_result(Report(1, Scores(val_loss=math.nan)))
    assert isinstance(result["best_so_far"], float)
    assert math.isnan(result["best_so_far"])
    assert read_result(result, scheduler="none") == Report(1, Scores())


@pytest.mark.parametrize(
    ("scheduler", "stopped_by"), [("asha", StopReason.ASHA), ("median", StopReason.MEDIAN), ("none", None)]
)
def test_a_stop_that_the_trial_did_not_ask_for_is_the_schedulers(scheduler: str, stopped_by: StopReason | None) -> None:
    result = {**to_result(report(3, 0.5)), "done": True}
    read = read_result(result, scheduler=scheduler)
    assert isinstance(read, Report)
    assert read.stopped_by is stopped_by


def test_a_trial_that_stops_itself_keeps_its_own_reason() -> None:
    read = read_result(to_result(report(3, 0.5, stopped_by="diverged")), scheduler="asha")
    assert isinstance(read, Report)
    assert read.stopped_by is StopReason.DIVERGED


def test_a_failure_ends_a_trial_with_its_text() -> None:
    failure = Failure("batch_size: must be at least 1, got 0; raise it")
    result = failure.to_result()
    assert result["done"] is True
    assert read_result(result, scheduler="asha") == failure
