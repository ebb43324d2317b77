"""Owns what stands beside the trials without being one: forecasts without a model, and whether a trial beats them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FOLDER = Path("shared") / "baselines"  # `trainables.trial.trial` fills it; it needs torch, and a leaderboard does not
FALLBACK_METRIC = "val_mse"


@dataclass(frozen=True)
class Baseline:
    """One forecaster's validation; a score is None where it has none, as a point forecast may have no val_loss.

    facts: what else is on record of it, as plain values.
    """

    name: str
    val_loss: float | None
    val_mae: float | None
    val_mse: float | None
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def scores(self) -> dict[str, float | None]:
        return {"val_loss": self.val_loss, "val_mae": self.val_mae, "val_mse": self.val_mse}


@dataclass(frozen=True)
class Pair:
    """A baseline beside the best trial: the values of both, in units of `metric`."""

    name: str
    metric: str
    value: float
    best: float


def read_baselines(folder: Path) -> list[Baseline]:
    """Read the baselines of a sweep's folder, in order of name; none where the sweep has measured none."""
    paths = sorted((folder / FOLDER).glob("*.json"), key=lambda path: path.stem)
    documents = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    return [
        Baseline(
            name=document["name"],
            val_loss=finite_or_none(document["val_loss"]),
            val_mae=finite_or_none(document["val_mae"]),
            val_mse=finite_or_none(document["val_mse"]),
            facts=document.get("facts", {}),
        )
        for document in documents
    ]


def finite_or_none(value: float | None) -> float | None:
    """Give a score as strict JSON can hold it."""
    return value if value is not None and math.isfinite(value) else None


def unbeaten_by(best: Mapping[str, float | None], baselines: list[Baseline], metric: str) -> list[Pair]:
    """List the baselines that the best trial does not beat, on the metric or, where one has no value in it, on val_mse.

    best: the trial's score in each metric.
    """
    compared = [_compare(best, baseline, metric) or _compare(best, baseline, FALLBACK_METRIC) for baseline in baselines]
    return [pair for pair in compared if pair is not None and pair.best >= pair.value]


def _compare(best: Mapping[str, float | None], baseline: Baseline, metric: str) -> Pair | None:
    value, reached = baseline.scores[metric], best[metric]
    return None if value is None or reached is None else Pair(baseline.name, metric, value, reached)


def unbeaten_sentence(subject: str, unbeaten: list[Pair], text: Callable[[float], str]) -> str:
    """Say what the subject does not beat, a space first; nothing where there is nothing. text: writes a value."""
    if not unbeaten:
        return ""
    told = [f"{u.name} ({u.metric} {text(u.value)} against {text(u.best)})" for u in unbeaten]
    return f" {subject} does not beat {' or '.join(told)}."
