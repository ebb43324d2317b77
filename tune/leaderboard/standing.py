"""A trial's line on the leaderboard, and the order of the trials."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from trainables.trial.report import MEASURES, Scores, StopReason
from tune.format import short_number
from tune.records.trial_record import TrialRecord

HYPERPARAMETERS = ("lr", "epochs", "warmup_steps", "warmup_fraction", "weight_decay", "batch_size")  # of all models


@dataclass(frozen=True)
class Standing:
    """One trial's line. gain: initial model minus its best, in units of the metric; above 0 is better.

    rank is None for a trial without a validation after epoch 0; seconds and memory are over all its epochs.
    scores: of its best epoch. parts: of a blend, the share of each trial's weights; the rest is the initial model's.
    """

    rank: int | None
    trial_id: str
    status: str
    stopped_by: StopReason | None
    best_epoch: float | None
    epochs_run: float
    scores: Scores
    gain: float | None
    seconds: float
    peak_memory_bytes: int
    hyper: Mapping[str, object] = field(default_factory=dict)
    parts: Mapping[str, float] = field(default_factory=dict)

    def to_row(self) -> dict[str, object]:
        """Return the stable form that other tools may read; `extra` is there where the model has further scores."""
        row: dict[str, object] = {
            "rank": self.rank,
            "trial_id": self.trial_id,
            "status": self.status,
            "stopped_by": self.stopped_by,
            "best_epoch": self.best_epoch,
            "epochs_run": self.epochs_run,
            **{name: self.scores[name] for name in MEASURES},
            "gain": self.gain,
            "seconds": self.seconds,
            "peak_memory_bytes": self.peak_memory_bytes,
            "config": dict(self.hyper),
        }
        if self.parts:
            row["parts"] = dict(self.parts)
        return {**row, "extra": dict(self.scores.extra)} if self.scores.extra else row


def rank_trials(records: Sequence[TrialRecord], metric: str, *, sweep_is_running: bool) -> list[Standing]:
    """Return a line a trial, the best first, those without a validation after epoch 0 last and unranked."""

    def value(record: TrialRecord) -> float:
        best = record.best(metric)
        return float("inf") if best is None else float(best.scores[metric] or 0.0)

    ordered = sorted(records, key=lambda record: (value(record), record.trial_id))
    ranked = sum(record.best(metric) is not None for record in records)
    return [
        _standing(record, rank if rank <= ranked else None, metric, sweep_is_running)
        for rank, record in enumerate(ordered, start=1)
    ]


def _standing(record: TrialRecord, rank: int | None, metric: str, sweep_is_running: bool) -> Standing:
    best = record.best(metric)
    return Standing(
        rank=rank,
        trial_id=record.trial_id,
        status=record.status(sweep_is_running=sweep_is_running),
        stopped_by=record.stopped_by,
        best_epoch=best.epoch if best else None,
        epochs_run=record.reports[-1].epoch if record.reports else 0,
        scores=best.scores if best else Scores(),
        gain=_gain(record, metric),
        seconds=record.seconds,
        peak_memory_bytes=record.peak_memory_bytes,
        hyper=record.hyper,
    )


def _gain(record: TrialRecord, metric: str) -> float | None:
    best, initial = record.best(metric), record.initial
    if best is None or initial is None:
        return None
    reached, started = best.scores[metric], initial.scores[metric]
    return None if reached is None or started is None else started - reached


def varying(standings: Iterable[Standing]) -> list[str]:
    """Name the hyperparameters of which these trials hold more than one value, the common ones first."""
    seen: dict[str, set[str]] = {}
    for standing in standings:
        for name, value in standing.hyper.items():
            if value is not None:
                seen.setdefault(name, set()).add(short_number(value, 12))
    found = [name for name, values in seen.items() if len(values) > 1]
    return [n for n in HYPERPARAMETERS if n in found] + sorted(n for n in found if n not in HYPERPARAMETERS)
