"""The record of a sweep's trials: what survives a kill, and what is read back."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.tune.reports import report
from trainables.trial.report import Report, Scores
from tune.records.journal import Journal, read_record, read_records
from tune.records.sweep_folder import SweepFolder
from tune.records.trial_record import TrialConfig, TrialRecord

CONFIG = TrialConfig("t0000", 7, {"lr": 5e-7, "epochs": 3, "strategy": "full"})


def row(epoch: float, loss: float | None, **changed: Any) -> Report:
    values = {"mae": 0.5, "mse": 0.25, "train_loss": 1.0, "lr": 1e-5, "seconds": 2.0, "peak_memory_bytes": 10}
    return report(epoch, loss, **{**values, "best_epoch": epoch, **changed})


def record_of(*reports: Report, error: str | None = None) -> TrialRecord:
    return TrialRecord(CONFIG, reports, error)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """A journal with one trial that has started."""
    journal = Journal(SweepFolder(tmp_path))
    journal.start(CONFIG)
    return journal


def cut_last_line(path: Path, characters: int) -> None:
    """Take the end of a file away, as a kill in the middle of a write does."""
    path.write_bytes(path.read_bytes()[:-characters])


# What is on the disk


def test_reports_and_hyperparameters_survive_the_process_that_wrote_them(journal: Journal) -> None:
    for epoch, loss in enumerate([0.9, 0.8, 0.7]):
        journal.append("t0000", row(epoch, loss))
    record = read_record(journal.folder.trial("t0000"))
    assert record.config == CONFIG
    assert journal.record("t0000") == record
    assert record.reports == (
        row(0, 0.9),
        row(1, 0.8),
        row(2, 0.7),
    )
    assert record.error is None


def test_a_report_is_on_the_disk_when_append_returns(journal: Journal) -> None:
    journal.append("t0000", row(0, 0.9))
    assert json.loads(journal.folder.trial("t0000").result.read_text()) == row(0, 0.9).to_row()


def test_half_a_line_that_a_kill_left_is_ignored_and_the_next_stands_alone(journal: Journal) -> None:
    journal.append("t0000", row(0, 0.9))
    journal.append("t0000", row(1, 0.8))
    cut_last_line(journal.folder.trial("t0000").result, 20)
    cut_last_line(journal.folder.trial("t0000").progress, 12)  # a kill comes before this line is begun
    assert read_record(journal.folder.trial("t0000")).reports == (row(0, 0.9),)
    journal.append("t0000", row(1, 0.8))
    assert read_record(journal.folder.trial("t0000")).reports == (
        row(0, 0.9),
        row(1, 0.8),
    )


def test_a_report_that_the_disk_has_lost_is_read_from_progress_csv(journal: Journal) -> None:
    journal.append("t0000", row(0, 0.9))
    journal.append("t0000", row(1, 0.8))
    journal.folder.trial("t0000").result.write_bytes(b"\xff\x00 junk\n[1]\n")
    assert read_record(journal.folder.trial("t0000")).reports == (row(0, 0.9), row(1, 0.8))


def test_a_line_that_lacks_only_its_end_still_counts(journal: Journal) -> None:
    journal.append("t0000", row(0, 0.9))
    cut_last_line(journal.folder.trial("t0000").result, 1)
    journal.append("t0000", row(1, 0.8))
    assert read_record(journal.folder.trial("t0000")).reports == (
        row(0, 0.9),
        row(1, 0.8),
    )


def test_of_a_repeated_epoch_the_last_report_counts(journal: Journal) -> None:
    for epoch, loss in [(0, 0.9), (1, 0.8), (2, 0.7), (1, 0.6)]:
        journal.append("t0000", row(epoch, loss))
    assert [(r.epoch, r.scores.val_loss) for r in read_record(journal.folder.trial("t0000")).reports] == [
        (0, 0.9),
        (1, 0.6),
        (2, 0.7),
    ]


def test_fractional_epochs_are_read_in_order(journal: Journal) -> None:
    for epoch in [0, 0.5, 1, 1.5]:
        journal.append("t0000", row(epoch, 0.9))
    assert [r.epoch for r in read_record(journal.folder.trial("t0000")).reports] == [0, 0.5, 1, 1.5]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_none_is_written_as_null(journal: Journal, value: float) -> None:
    """Strict JSON knows neither NaN nor Infinity; other tools could not read the file."""
    journal.append("t0000", row(1, value, train_loss=value))

    def reject(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    text = (journal.folder.trial("t0000").result).read_text()
    written = json.loads(text, parse_constant=reject)
    assert written["val_loss"] is None
    assert written["train_loss"] is None
    assert read_record(journal.folder.trial("t0000")).reports[0].best_so_far is None


def test_small_numbers_come_back_exactly(journal: Journal) -> None:
    journal.append("t0000", row(1, 0.1 + 0.2, lr=5e-7))
    read = read_record(journal.folder.trial("t0000")).reports[0]
    assert (read.scores.val_loss, read.lr) == (0.1 + 0.2, 5e-7)


def test_progress_csv_has_one_header_and_a_line_a_report(journal: Journal) -> None:
    journal.append("t0000", row(0, 0.9, extra={"val_crps": 3.0}))
    journal.append("t0000", row(1, math.nan, stopped_by="diverged"))
    lines = (journal.folder.trial("t0000").progress).read_text().splitlines()
    assert lines[0] == (
        "epoch,val_loss,val_mae,val_mse,val_rmse,val_mase,val_wql,val_smape,val_coverage,val_width,"
        "val_data_mae,val_data_mse,val_data_rmse,"
        "train_loss,gradient_norm,lr,seconds,waited_seconds,peak_memory_bytes,micro_batch_size,"
        "fall_backs,gpu_used_bytes,gpu_utilisation,"
        "gpu_temperature,gpu_power,gpu_slowed,warmup_epochs,best_epoch,best_so_far,stopped_by"
    )
    assert lines[1] == "0,0.9,0.5,0.25,,,,,,,,,,1.0,,1e-05,2.0,,10,,,,,,,,0.0,0,0.9,"
    assert lines[2] == "1,,0.5,0.25,,,,,,,,,,1.0,,1e-05,2.0,,10,,,,,,,,0.0,1,,diverged"


def test_progress_csv_of_before_some_measures_goes_on_with_its_columns(journal: Journal) -> None:
    progress = journal.folder.trial("t0000").progress
    before = "epoch,val_loss,val_mae,val_mse,train_loss,lr,seconds,peak_memory_bytes,best_epoch,best_so_far,stopped_by"
    progress.write_text(f"{before}\n0,0.9,0.5,0.25,,,2.0,10,,0.9,\n")
    journal.append("t0000", row(1, 0.5))
    assert progress.read_text().splitlines()[2] == "1,0.5,0.5,0.25,1.0,1e-05,2.0,10,1,0.5,"
    journal.folder.trial("t0000").result.unlink()  # both lines are read without it
    found = read_record(journal.folder.trial("t0000")).reports
    assert [(r.epoch, r.scores) for r in found] == [(0, Scores(0.9, 0.5, 0.25)), (1, Scores(0.5, 0.5, 0.25))]


def test_half_a_line_in_progress_csv_spoils_no_other(journal: Journal) -> None:
    journal.append("t0000", row(0, 0.9))
    progress = journal.folder.trial("t0000").progress
    cut_last_line(progress, 12)
    journal.append("t0000", row(1, 0.8))
    with progress.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert (rows[-1]["epoch"], rows[-1]["best_so_far"]) == ("1", "0.8")


def test_a_progress_csv_that_a_kill_left_empty_gets_its_header(journal: Journal) -> None:
    progress = journal.folder.trial("t0000").progress
    progress.touch()
    journal.append("t0000", row(0, 0.9))
    assert progress.read_text().splitlines()[0].startswith("epoch,val_loss,")


# How a trial ended


def test_an_error_is_on_record_with_its_text(journal: Journal) -> None:
    journal.append("t0000", row(1, 0.8))
    journal.fail("t0000", "ValueError: no\nsecond line")
    record = read_record(journal.folder.trial("t0000"))
    assert (journal.folder.trial("t0000").error).read_text() == "ValueError: no\nsecond line"
    assert record.error == "ValueError: no\nsecond line"
    assert record.stopped_by == "error"


def test_a_trial_that_starts_again_keeps_its_reports_and_loses_its_error(journal: Journal) -> None:
    journal.append("t0000", row(1, 0.8))
    journal.fail("t0000", "the worker died")
    journal.start(CONFIG)
    record = read_record(journal.folder.trial("t0000"))
    assert journal.record("t0000") == record
    assert record.error is None
    assert record.reports == (row(1, 0.8),)


@pytest.mark.parametrize(
    ("stopped_by", "status"),
    [("epochs", "completed"), ("patience", "stopped"), ("diverged", "stopped"), ("asha", "stopped"),
     ("median", "stopped")],
)  # fmt: skip
def test_a_trial_that_ended_says_how(stopped_by: str, status: str) -> None:
    record = record_of(row(0, 0.9), row(1, 0.8, stopped_by=stopped_by))
    assert record.is_finished
    assert record.stopped_by == stopped_by
    assert {record.status(sweep_is_running=running) for running in (True, False)} == {status}


def test_a_trial_with_an_error_failed_whatever_it_reported() -> None:
    record = record_of(row(1, 0.8, stopped_by="epochs"), error="the worker died")
    assert record.is_finished
    assert record.status(sweep_is_running=False) == "failed"


@pytest.mark.parametrize("rows", [[], [row(0, 0.9), row(1, 0.8)]])
def test_a_trial_that_has_not_ended_is_running_or_was_interrupted(rows: list[Report]) -> None:
    record = record_of(*rows)
    assert not record.is_finished
    assert record.stopped_by is None
    assert record.status(sweep_is_running=True) == "running"
    assert record.status(sweep_is_running=False) == "interrupted"


# What the reports say


def test_best_is_the_smallest_after_epoch_0_and_skips_what_is_missing() -> None:
    rows = [row(0, 0.1), row(1, 0.8, mae=0.3), row(2, 0.6, mae=0.4), row(3, None), row(4, 0.7)]
    record = record_of(*rows)
    assert record.best("val_loss") == rows[2]
    assert record.best("val_mae") == rows[1]


def test_of_equal_epochs_the_first_is_best() -> None:
    record = record_of(row(0, 0.1), row(1, 0.5), row(2, 0.5))
    assert record.best("val_loss") == row(1, 0.5)


@pytest.mark.parametrize("rows", [[], [row(0, 0.1)], [row(0, 0.1), row(1, None)]])
def test_a_trial_without_a_number_after_epoch_0_has_no_best(rows: list[Report]) -> None:
    assert record_of(*rows).best("val_loss") is None


def test_the_initial_report_is_epoch_0_or_nothing() -> None:
    assert record_of(row(0, 0.9), row(1, 0.8)).initial == row(0, 0.9)
    assert record_of(row(1, 0.8)).initial is None
    assert record_of().initial is None


def test_seconds_add_up_and_memory_is_the_peak() -> None:
    rows = [row(0, 0.9, seconds=1.5, peak_memory_bytes=10), row(1, 0.8, seconds=2.0, peak_memory_bytes=30),
            row(2, 0.7, seconds=0.0, peak_memory_bytes=0)]  # fmt: skip
    record = record_of(*rows)
    assert (record.seconds, record.peak_memory_bytes) == (3.5, 30)
    assert (record_of().seconds, record_of().peak_memory_bytes) == (0.0, 0)


def test_trials_are_read_in_order_of_their_ids(tmp_path: Path) -> None:
    journal = Journal(SweepFolder(tmp_path))
    for trial_id in ("t0010", "t0002", "t10000", "t0000"):
        journal.start(replace(CONFIG, trial_id=trial_id))
    (tmp_path / "tmp").mkdir()  # no trial: it has no params.json
    assert [record.trial_id for record in read_records(journal.folder)] == ["t0000", "t0002", "t0010", "t10000"]


def test_a_sweep_without_trials_has_no_records(tmp_path: Path) -> None:
    assert read_records(SweepFolder(tmp_path)) == Journal(SweepFolder(tmp_path)).records == []


@pytest.mark.parametrize("epoch", ["NaN", "Infinity", "-1", "1" + "0" * 400, '"1"', "true", "null"])
def test_a_report_of_no_epoch_is_passed_over(journal: Journal, epoch: str) -> None:
    journal.append("t0000", row(0, 0.5))
    trial = journal.folder.trial("t0000")
    line = json.loads(trial.result.read_text())
    trial.result.write_text(json.dumps(line) + "\n" + json.dumps({**line, "epoch": "X"}).replace('"X"', epoch) + "\n")
    assert [report.epoch for report in read_record(trial).reports] == [0]


def test_the_configuration_of_another_trial_is_damage(journal: Journal) -> None:
    trial = journal.folder.trial("t0000")
    trial.params.write_text(json.dumps({**CONFIG.to_row(), "trial_id": "../../elsewhere"}))
    assert read_record(trial).error == f"{trial.params} is damaged"
    assert Journal(journal.folder).next_number == 1


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999"])
def test_a_number_that_is_not_finite_is_damage(journal: Journal, number: str) -> None:
    trial = journal.folder.trial("t0000")
    trial.params.write_text(trial.params.read_text().replace("5e-07", number))
    assert read_record(trial).error == f"{trial.params} is damaged"
