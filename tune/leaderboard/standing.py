"""A trial's line on the leaderboard."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from trainables.trial.report import MEASURES, Scores, StopReason
from tune.format import short_number

HYPERPARAMETERS = ("lr", "epochs", "warmup_steps", "warmup_fraction", "weight_decay", "batch_size")  # of all models


@dataclass(frozen=True)
class Standing:
    """One trial's line. gain: initial model minus its best, in units of the metric; above 0 is better.

    rank is None for a trial without a validation after epoch 0; seconds and memory are over all its epochs.
    scores: of its best epoch. parts: of a blend, the share of each trial's weights; the rest is the initial model's.

    Of a configuration that was trained again with other seeds, runs are its trials, the best first. scores and gain are
    then means over the `seeds` repeats that have ended, spread their standard deviation in the metric; the first run is
    not among them, because it was picked for being the best. Epochs are those of the best run, seconds of all. counts:
    of a run, whether it is one that the line is the mean of. fall_backs: what was done because memory ran out, beside a
    smaller micro-batch.
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
    runs: Sequence[Standing] = ()
    seeds: int = 0
    spread: float | None = None
    counts: bool = False
    fall_backs: str | None = None

    @property
    def run(self) -> Standing:
        """The trial whose weights are used: of a configuration with repeats the best run, else itself."""
        return self.runs[0] if self.runs else self

    @property
    def repeats(self) -> Sequence[Standing]:
        """The runs that the line is the mean of."""
        return [run for run in self.runs if run.counts]

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
        if self.fall_backs:
            row["fall_backs"] = self.fall_backs
        if self.parts:
            row["parts"] = dict(self.parts)
        if self.runs:
            row |= {"seeds": self.seeds, "spread": self.spread, "runs": [run.to_row() for run in self.runs]}
        return {**row, "extra": dict(self.scores.extra)} if self.scores.extra else row


def varying(standings: Iterable[Standing]) -> list[str]:
    """Name the hyperparameters of which these trials hold more than one value, the common ones first."""
    seen: dict[str, set[str]] = {}
    for standing in standings:
        for name, value in standing.hyper.items():
            if value is not None:
                seen.setdefault(name, set()).add(short_number(value, 12))
    found = [name for name, values in seen.items() if len(values) > 1]
    return [n for n in HYPERPARAMETERS if n in found] + sorted(n for n in found if n not in HYPERPARAMETERS)
