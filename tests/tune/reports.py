"""Trials on record, written by hand as the driver of a sweep writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trainables.trial.report import Report, Scores, StopReason
from tune.records.journal import Journal
from tune.records.sweep_folder import SweepFolder
from tune.records.trial_record import TrialConfig


def report(
    epoch: float,
    loss: float | None,
    *,
    mae: float | None = 0.25,
    mse: float | None = 0.125,
    stopped_by: str | None = None,
    extra: Mapping[str, float | None] | None = None,
    **changed: Any,
) -> Report:
    """A report of these validation scores; the loss is the best so far unless it is said."""
    return Report(
        epoch=epoch,
        scores=Scores.of({"val_loss": loss, "val_mae": mae, "val_mse": mse, **(extra or {})}),
        stopped_by=None if stopped_by is None else StopReason(stopped_by),
        **{"seconds": 40.0, "peak_memory_bytes": 2_500_000, "best_so_far": loss, **changed},
    )


def config(trial_id: str, hyper: Mapping[str, object]) -> TrialConfig:
    return TrialConfig(trial_id, 0, hyper)


def write_trial(folder: Path, trial_id: str, hyper: Mapping[str, object], reports: Sequence[Report]) -> None:
    """Start a trial in a sweep's folder and record its reports."""
    journal = Journal(SweepFolder(folder))
    journal.start(config(trial_id, hyper))
    for each in reports:
        journal.append(trial_id, each)


def to_its_end(losses: Sequence[float | None], stopped_by: str | None = "epochs", **changed: Any) -> list[Report]:
    """A report an epoch for these losses, the first of them epoch 0; the last one says why the trial ended."""
    last = len(losses) - 1
    return [report(i, loss, stopped_by=stopped_by if i == last else None, **changed) for i, loss in enumerate(losses)]
