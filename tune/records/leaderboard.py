"""Trials ranked on validation beside the model they started from; the only reader of results."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from data.files import replace_text
from tune.format import short_number
from tune.records.baselines import Baseline, Pair, finite_or_none, read_baselines, unbeaten_by
from tune.records.initial_model import ZERO_SHOT, Start
from tune.records.journal import Journal, TrialRecord

METRICS = ("val_loss", "val_mae", "val_mse")
HYPERPARAMETERS = ("lr", "epochs", "warmup_steps", "warmup_fraction", "weight_decay", "batch_size")  # of all models
TEST_FILE = "test_scores.json"
COMPARISON_FILE = "comparison.json"

TestScores = dict[str, dict[str, float | None]]  # a name to its scores on the test part

UNDECIDED = "no trial has trained for an epoch yet"


@dataclass(frozen=True)
class Standing:
    """One trial's line. gain: zero-shot minus its best, in units of the metric; above 0 is better than zero-shot.

    rank is None for a trial without a validation after epoch 0; seconds and memory are over all its epochs.
    extra: its model's further scores at the best epoch, such as val_distill.
    """

    rank: int | None
    trial_id: str
    status: str
    stopped_by: str | None
    best_epoch: float | None
    epochs_run: float
    val_loss: float | None
    val_mae: float | None
    val_mse: float | None
    gain: float | None
    seconds: float
    peak_memory_bytes: int
    config: dict[str, Any]
    extra: dict[str, float] = field(default_factory=dict)

    @property
    def scores(self) -> dict[str, float | None]:
        return {"val_loss": self.val_loss, "val_mae": self.val_mae, "val_mse": self.val_mse, **self.extra}


@dataclass(frozen=True)
class Leaderboard:
    """sweep, metric (smaller is better), zero_shot (of the strongest start where there are several), standings.

    baselines: what was measured beside the trials. start_name: what epoch 0 is, zero-shot or untrained.
    test: scores on the test part for zero-shot, the baselines and the best few; empty until the search has ended.
    comparison: what else the best trial's model is worth, a sentence by name, where its kind has something to say.
    """

    sweep: str
    metric: str
    zero_shot: dict[str, float | None]
    standings: list[Standing]
    test: TestScores = field(default_factory=dict)
    mode: str = "min"
    baselines: list[Baseline] = field(default_factory=list)
    start_name: str = ZERO_SHOT
    comparison: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path, *, metric: str, sweep_is_running: bool, start_name: str = ZERO_SHOT) -> Leaderboard:
        """Read a sweep's folder."""
        records = Journal(folder).read()
        starts = [r.zero_shot for r in records if r.zero_shot is not None and r.zero_shot[metric] is not None]
        start = min(starts, key=lambda row: row[metric]) if starts else None
        standings = _rank(records, metric, sweep_is_running)
        return cls(
            sweep=folder.name,
            metric=metric,
            zero_shot={name: start[name] if start else None for name in METRICS},
            standings=standings,
            test=_read(folder / TEST_FILE),
            comparison=_comparison(folder, standings),
            baselines=read_baselines(folder),
            start_name=start_name,
        )

    @property
    def start(self) -> Start:
        """The words for epoch 0."""
        return Start(self.start_name)

    @property
    def best(self) -> Standing | None:
        """The first of the ranked trials, whether or not it beats zero-shot."""
        return _best(self.standings)

    @property
    def beats_zero_shot(self) -> bool:
        start = self.zero_shot[self.metric]
        best = self.best
        if best is None or start is None:
            return False
        value: float | None = getattr(best, self.metric)
        return value is not None and value < start

    @property
    def verdict(self) -> str:
        if self.best is None:
            return UNDECIDED
        return self.start.when_beaten if self.beats_zero_shot else self.start.when_unbeaten

    @property
    def unbeaten_baselines(self) -> list[Pair]:
        """The baselines that the best trial does not beat; none while no trial has trained."""
        best = self.best
        return [] if best is None else unbeaten_by(best.scores, self.baselines, self.metric)

    @property
    def scores(self) -> list[str]:
        """The scores that its trials have: those of all models, then their own model's further ones."""
        return [*METRICS, *sorted({name for s in self.standings for name in s.extra})]

    def find(self, trial_id: str) -> Standing | None:
        return next((s for s in self.standings if s.trial_id == trial_id), None)

    def to_dict(self) -> dict[str, Any]:
        """The stable form that other tools may read."""
        document: dict[str, Any] = {
            "sweep": self.sweep,
            "metric": self.metric,
            "mode": self.mode,
            "zero_shot": self.zero_shot,
            "start": self.start_name,
            "verdict": self.verdict,
            "trials": [_as_dict(standing) for standing in self.standings],
        }
        if self.baselines:
            document["baselines"] = [asdict(baseline) for baseline in self.baselines]
        if self.test:
            document["test"] = {name: {k: finite_or_none(v) for k, v in row.items()} for name, row in self.test.items()}
        return document

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=1)

    def to_csv(self) -> str:
        """A line a trial; before them the start, its name in trial_id and status, and the baselines, without rank."""
        keys = sorted({key for s in self.standings for key in (*s.extra, *s.config)})
        plain = [name for name in Standing.__dataclass_fields__ if name not in ("config", "extra")]
        buffer = io.StringIO()
        writer = csv.DictWriter(buffer, [*plain, *keys], lineterminator="\n")
        writer.writeheader()
        writer.writerow({"trial_id": self.start_name, "status": self.start_name, "best_epoch": 0, **self.zero_shot})
        for baseline in self.baselines:
            writer.writerow({"trial_id": baseline.name, "status": "baseline", **baseline.scores})
        for standing in self.standings:
            values = asdict(standing)
            writer.writerow({**{name: values[name] for name in plain}, **standing.extra, **standing.config})
        return buffer.getvalue()

    def write_csv(self, folder: Path) -> None:
        replace_text(folder / "leaderboard.csv", self.to_csv())


def _best(standings: Iterable[Standing]) -> Standing | None:
    return next((s for s in standings if s.rank == 1), None)


def _comparison(folder: Path, standings: list[Standing]) -> dict[str, str]:
    """Read what was said of the best trial, if it is still the best."""
    facts = _read(folder / COMPARISON_FILE)
    best = _best(standings)
    is_of_best = best is not None and (facts.get("trial_id"), facts.get("best_epoch")) == (
        best.trial_id,
        best.best_epoch,
    )
    return dict(facts["told"]) if is_of_best else {}


def _as_dict(standing: Standing) -> dict[str, Any]:
    """Leave out what only some models have, where there is none."""
    values = asdict(standing)
    return values if standing.extra else {k: v for k, v in values.items() if k != "extra"}


def _read(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


def varying(standings: Iterable[Standing]) -> list[str]:
    """Name the hyperparameters of which these trials hold more than one value, the common ones first."""
    seen: dict[str, set[str]] = {}
    for standing in standings:
        for name, value in standing.config.items():
            if value is not None:
                seen.setdefault(name, set()).add(short_number(value, 12))
    found = [name for name, values in seen.items() if len(values) > 1]
    return [n for n in HYPERPARAMETERS if n in found] + sorted(n for n in found if n not in HYPERPARAMETERS)


def _rank(records: list[TrialRecord], metric: str, sweep_is_running: bool) -> list[Standing]:
    def value(record: TrialRecord) -> float:
        best = record.best(metric)
        return float("inf") if best is None else float(best[metric])

    ordered = sorted(records, key=lambda record: (value(record), record.trial_id))
    ranked = sum(record.best(metric) is not None for record in records)
    return [
        _standing(record, rank if rank <= ranked else None, metric, sweep_is_running)
        for rank, record in enumerate(ordered, start=1)
    ]


def _standing(record: TrialRecord, rank: int | None, metric: str, sweep_is_running: bool) -> Standing:
    best = record.best(metric) or {}
    start = record.zero_shot or {}
    gain = start[metric] - best[metric] if best and start.get(metric) is not None else None
    return Standing(
        rank=rank,
        trial_id=record.trial_id,
        status=record.status(sweep_is_running=sweep_is_running),
        stopped_by=record.stopped_by,
        best_epoch=best.get("epoch"),
        epochs_run=record.rows[-1]["epoch"] if record.rows else 0,
        val_loss=best.get("val_loss"),
        val_mae=best.get("val_mae"),
        val_mse=best.get("val_mse"),
        gain=gain,
        seconds=record.seconds,
        peak_memory_bytes=record.peak_memory_bytes,
        config=record.config["hyper"],
        extra={name: value for name, value in best.items() if name.startswith("val_") and name not in METRICS},
    )
