"""The specification of trainables/trial/report.py: rows written and read again, and numbers that are none."""

from __future__ import annotations

import json
import math

import pytest

from trainables.device.card_use import CardUse
from trainables.trial.report import (
    COLUMNS,
    LATER_COLUMNS,
    MEASURES,
    Report,
    Scores,
    StopReason,
    best_report,
    finite,
    whole,
)

FULL = Report(
    epoch=2.5,
    scores=Scores(val_loss=0.5, val_mae=0.25, val_mse=0.125, extra={"val_crps": 0.75}),
    seconds=12.5,
    train_loss=0.625,
    gradient_norm=1.5,
    lr=5e-7,
    waited_seconds=3.5,
    card=CardUse(4e9, 95.0, 80.0, 150.0, 0.25),
    peak_memory_bytes=2_500_000,
    micro_batch_size=1,
    fall_backs="gradient checkpointing + bf16",
    warmup_epochs=0.25,
    best_epoch=2,
    best_so_far=0.4375,
    stopped_by=StopReason.PATIENCE,
)


def test_a_row_has_the_columns_in_their_order_and_further_scores_last() -> None:
    assert FULL.to_row() == {
        "epoch": 2.5,
        "val_loss": 0.5,
        "val_mae": 0.25,
        "val_mse": 0.125,
        **dict.fromkeys(MEASURES[3:]),
        "train_loss": 0.625,
        "gradient_norm": 1.5,
        "lr": 5e-7,
        "seconds": 12.5,
        "waited_seconds": 3.5,
        "peak_memory_bytes": 2_500_000,
        "micro_batch_size": 1,
        "fall_backs": "gradient checkpointing + bf16",
        "gpu_used_bytes": 4e9,
        "gpu_utilisation": 95.0,
        "gpu_temperature": 80.0,
        "gpu_power": 150.0,
        "gpu_slowed": 0.25,
        "warmup_epochs": 0.25,
        "best_epoch": 2,
        "best_so_far": 0.4375,
        "stopped_by": "patience",
        "val_crps": 0.75,
    }
    assert tuple(FULL.to_row()) == (*COLUMNS, "val_crps")


@pytest.mark.parametrize("report", [FULL, Report(0, Scores()), Report(1, Scores(val_mse=1.0), best_epoch=1)])
def test_a_row_through_json_is_the_same_report(report: Report) -> None:
    assert Report.from_row(json.loads(json.dumps(report.to_row(), allow_nan=False))) == report


def test_a_number_that_is_not_finite_is_none_everywhere() -> None:
    scores = Scores(val_loss=math.nan, val_mae=math.inf, val_mse=1.0, extra={"val_crps": -math.inf})
    report = Report(1, scores, train_loss=math.nan, lr=math.inf, best_so_far=math.nan)
    assert report == Report(1, Scores(val_mse=1.0, extra={"val_crps": None}))
    json.dumps(report.to_row(), allow_nan=False)


def test_what_a_row_holds_besides_is_left_alone() -> None:
    assert Report.from_row({**FULL.to_row(), "trial_id": "t0000", "done": True}) == FULL


@pytest.mark.parametrize(
    ("changed", "error"),
    [({"epoch": "2"}, TypeError), ({"lr": True}, TypeError), ({"stopped_by": "tired"}, ValueError)],
)
def test_a_row_of_other_types_is_rejected(changed: dict[str, object], error: type[Exception]) -> None:
    with pytest.raises(error):
        Report.from_row({**FULL.to_row(), **changed})


@pytest.mark.parametrize("column", sorted({*COLUMNS} - {*MEASURES, *LATER_COLUMNS}))
def test_a_row_without_a_column_is_rejected(column: str) -> None:
    row = FULL.to_row()
    del row[column]
    with pytest.raises(KeyError, match=column):
        Report.from_row(row)


def test_scores_are_read_by_name() -> None:
    assert [FULL.scores[name] for name in ("val_loss", "val_mae", "val_mse", "val_crps")] == [0.5, 0.25, 0.125, 0.75]
    with pytest.raises(KeyError):
        FULL.scores["val_pinball"]


def test_the_best_report_is_the_first_of_the_lowest_after_epoch_0() -> None:
    losses = {0: 0.1, 1: None, 2: 0.5, 3: 0.25, 4: 0.25}
    reports = [Report(epoch, Scores(val_loss=loss)) for epoch, loss in losses.items()]
    best = best_report(reports, "val_loss")
    assert best is not None
    assert best.epoch == 3
    assert best_report(reports[:2], "val_loss") is None
    assert best_report(reports, "val_mae") is None


def test_a_report_is_its_trials_best_only_after_epoch_0() -> None:
    assert Report(2, Scores(), best_epoch=2).is_best
    assert not Report(2, Scores(), best_epoch=1).is_best
    assert not Report(0, Scores(), best_epoch=0).is_best


def test_whole_epochs_are_written_as_whole_numbers() -> None:
    assert [str(whole(epoch)) for epoch in (2.0, 2.5, 3)] == ["2", "2.5", "3"]


@pytest.mark.parametrize(("value", "number"), [(None, None), (math.nan, None), (-math.inf, None), (0, 0), (1.5, 1.5)])
def test_only_a_finite_number_is_one(value: float | None, number: float | None) -> None:
    assert finite(value) == number


def test_only_asha_and_median_are_stops_of_the_scheduler() -> None:
    assert [reason for reason in StopReason if reason.is_of_scheduler] == ["asha", "median"]
