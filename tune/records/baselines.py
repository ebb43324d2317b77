"""Forecasts that are listed beside the trials without being one, and whether a trial beats them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

from data.errors import DamagedFileError
from trainables.trial.report import Scores
from trainables.trial.shared_scores import read_scores
from tune.records.sweep_folder import SweepFolder

FALLBACK_METRIC = "val_mse"


@dataclass(frozen=True)
class Baseline:
    """One forecaster's validation; a point forecast may have no val_loss."""

    name: str
    scores: Scores

    def to_row(self) -> dict[str, object]:
        return {"name": self.name, **self.scores.to_row()}


@dataclass(frozen=True)
class Pair:
    """A baseline beside the best trial: the values of both, in units of `metric`."""

    name: str
    metric: str
    value: float
    best: float


def read_baselines(folder: SweepFolder) -> list[Baseline]:
    """Read the baselines of a sweep's folder, in order of name; none where the sweep has measured none.

    One whose file is damaged is left out; the next trial measures it again.
    """
    found = []
    for path in sorted(folder.shared.baselines.glob("*.json"), key=lambda path: path.stem):
        with suppress(DamagedFileError):
            found.append(Baseline(*read_scores(path)))
    return found


def unbeaten_by(best: Scores, baselines: Iterable[Baseline], metric: str) -> list[Pair]:
    """List the baselines that the best trial does not beat, on the metric or, where one has no value in it, on val_mse.

    best: the trial's scores.
    """
    compared = [_compare(best, baseline, metric) or _compare(best, baseline, FALLBACK_METRIC) for baseline in baselines]
    return [pair for pair in compared if pair is not None and pair.best >= pair.value]


def _compare(best: Scores, baseline: Baseline, metric: str) -> Pair | None:
    value, reached = baseline.scores[metric], best[metric]
    return None if value is None or reached is None else Pair(baseline.name, metric, value, reached)


def unbeaten_sentence(subject: str, unbeaten: list[Pair], text: Callable[[float], str]) -> str:
    """Say what the subject does not beat, a space first; nothing where there is nothing. text: writes a value."""
    if not unbeaten:
        return ""
    names = [f"{u.name} ({u.metric} {text(u.value)} against {text(u.best)})" for u in unbeaten]
    return f" {subject} does not beat {' or '.join(names)}."
