"""The specification of tune/records/trial_record.py: a trial's configuration, its reports, and how it ended."""

from __future__ import annotations

import json

import pytest

from tests.tune.reports import report, to_its_end
from trainables.trial.report import StopReason
from tune.records.trial_record import TrialConfig, TrialId, TrialRecord, full_id

CONFIG = TrialConfig("t0007", 41, {"lr": 5e-7, "strategy": "head_only", "patience": None})


def test_a_configuration_through_json_is_the_same() -> None:
    assert TrialConfig.from_row({**json.loads(json.dumps(CONFIG.to_row())), "more": 1}) == CONFIG


@pytest.mark.parametrize("changed", [{"seed": "41"}, {"seed": 4.1}, {"hyper": [1]}])
def test_a_configuration_of_other_types_is_rejected(changed: dict[str, object]) -> None:
    with pytest.raises(TypeError, match="whole number as seed"):
        TrialConfig.from_row({**CONFIG.to_row(), **changed})


def test_reports_are_kept_by_epoch_and_the_last_of_an_epoch_counts() -> None:
    record = TrialRecord(CONFIG)
    for each in (report(0, 1.0), report(2, 0.5), report(1, 0.75), report(2, 0.25)):
        record = record.with_report(each)
    assert [(r.epoch, r.scores.val_loss) for r in record.reports] == [(0, 1.0), (1, 0.75), (2, 0.25)]
    assert record.initial == report(0, 1.0)
    assert [r.epoch for r in record.trained] == [1, 2]
    best = record.best("val_loss")
    assert best is not None
    assert best.epoch == 2


@pytest.mark.parametrize(
    ("stopped_by", "error", "status"),
    [
        (None, None, "running"),
        ("epochs", None, "completed"),
        ("asha", None, "stopped"),
        ("median", None, "stopped"),
        ("patience", None, "stopped"),
        ("diverged", None, "stopped"),
        (None, "out of memory", "failed"),
    ],
)
def test_how_it_ended(stopped_by: str | None, error: str | None, status: str) -> None:
    record = TrialRecord(CONFIG, tuple(to_its_end([1.0, 0.5], stopped_by)), error)
    assert record.status(sweep_is_running=True) == status
    assert record.is_finished == (status != "running")
    if status == "running":
        assert record.status(sweep_is_running=False) == "interrupted"
    if error:
        assert record.stopped_by is StopReason.ERROR


def test_seconds_add_up_and_memory_is_the_highest() -> None:
    reports = report(0, 1.0, seconds=2.0, peak_memory_bytes=5), report(1, 0.5, seconds=3.0, peak_memory_bytes=4)
    record = TrialRecord(CONFIG, reports)
    assert (record.seconds, record.peak_memory_bytes) == (5.0, 5)
    assert (TrialRecord(CONFIG).seconds, TrialRecord(CONFIG).peak_memory_bytes) == (0.0, 0)


def test_without_epoch_0_there_is_no_initial_report() -> None:
    assert TrialRecord(CONFIG).initial is None
    assert TrialRecord(CONFIG, (report(1, 0.5),)).initial is None


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("t0003", TrialId(3)),
        ("t12345", TrialId(12345)),
        ("t0003-r2", TrialId(3, repeat=2)),
        ("t0003_paper", TrialId(3, "paper")),
        ("t0003_big-recipe", TrialId(3, "big-recipe")),
        ("t0003_big-recipe-r12", TrialId(3, "big-recipe", 12)),
    ],
)
def test_an_id_is_read_back_as_it_was_made(text: str, parsed: TrialId) -> None:
    assert TrialId.parse(text) == parsed
    assert str(parsed) == text


@pytest.mark.parametrize("text", ["", "t3", "trial", "t0003_", "xt0003", "t0003-r", "t0003 paper"])
def test_what_is_no_id_is_none(text: str) -> None:
    assert TrialId.parse(text) is None


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("t0000_paper", "t0000_paper"),
        ("t0000", "t0000_paper"),
        ("paper", "t0000_paper"),
        ("paper-r1", "t0000_paper-r1"),
        ("t0000-r1", "t0000_paper-r1"),
        ("t0001", "t0001"),
        ("pap", "pap"),
    ],
)
def test_a_trial_may_be_called_by_its_number_or_by_its_name(typed: str, meant: str) -> None:
    assert full_id(typed, ["t0000_paper", "t0001", "t0000_paper-r1"]) == meant


def test_a_repeat_of_a_named_trial_repeats_it() -> None:
    assert TrialConfig("t0000_big-recipe-r1", 0, {}).repeat_of == "t0000_big-recipe"
    assert TrialConfig("t0000_big-recipe", 0, {}).repeat_of is None
