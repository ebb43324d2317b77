"""The order of the trials: by their best epoch, and where the best were trained again, these first, by their mean."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean, stdev

from trainables.trial.report import MEASURES, Scores
from tune.leaderboard.standing import Standing
from tune.records.trial_record import TrialRecord


def rank_trials(records: Sequence[TrialRecord], metric: str, *, sweep_is_running: bool) -> list[Standing]:
    """Return a line a configuration, the best first, those without a validation after epoch 0 last and unranked.

    Configurations with repeats that have ended come before the others: what others had in their single run, of which
    the best were picked, does not compare with a mean.
    """
    searched = {record.trial_id for record in records if record.repeat_of is None}
    repeats: dict[str, list[TrialRecord]] = {}
    for record in records:
        if record.repeat_of in searched:
            repeats.setdefault(str(record.repeat_of), []).append(record)
    lines = [
        _line(record, repeats.get(record.trial_id, ()), metric, sweep_is_running=sweep_is_running)
        for record in records
        if record.repeat_of not in searched
    ]

    def place(line: Standing) -> tuple[bool, float, str]:
        return not line.seeds, _value(line, metric), line.trial_id

    ordered = sorted(lines, key=place)
    return [
        replace(line, rank=rank if _value(line, metric) < math.inf else None) for rank, line in enumerate(ordered, 1)
    ]


def _line(record: TrialRecord, repeats: Sequence[TrialRecord], metric: str, *, sweep_is_running: bool) -> Standing:
    """Return a configuration's line: a trial, and the repeats of it."""
    own = _standing(record, metric, sweep_is_running=sweep_is_running)
    if not repeats:
        return own
    runs = [own]
    for repeat in repeats:
        run = _standing(repeat, metric, sweep_is_running=sweep_is_running)
        runs.append(replace(run, counts=repeat.is_finished and _value(run, metric) < math.inf))
    counted = [run for run in runs if run.counts]
    ordered = sorted(runs, key=lambda run: (not (run is own or run.counts), _value(run, metric)))  # the usable first
    line = replace(
        ordered[0],
        trial_id=record.trial_id,
        runs=ordered,
        counts=False,
        seconds=sum(run.seconds for run in runs),
        peak_memory_bytes=max(run.peak_memory_bytes for run in runs),
    )
    if not counted:
        return line
    values = [_value(run, metric) for run in counted]
    gains = [run.gain for run in counted if run.gain is not None]
    return replace(
        line,
        scores=_mean([run.scores for run in counted]),
        gain=fmean(gains) if gains else None,
        seeds=len(counted),
        spread=stdev(values) if len(values) > 1 else None,
    )


def _value(standing: Standing, metric: str) -> float:
    value = standing.scores[metric]
    return math.inf if value is None else value


def _mean(found: Sequence[Scores]) -> Scores:
    """Return the mean of each score that all have; an RMSE is the root of the mean MSE."""
    names = [*MEASURES, *dict.fromkeys(name for scores in found for name in scores.extra)]
    means: dict[str, float | None] = {}
    for name in names:
        values = [scores[name] for scores in found]
        known = [value for value in values if value is not None]
        means[name] = fmean(known) if len(known) == len(values) else None
    for root, square in (("val_rmse", "val_mse"), ("val_data_rmse", "val_data_mse")):
        if (mse := means.get(square)) is not None and means.get(root) is not None:
            means[root] = math.sqrt(mse)
    return Scores.of(means)


def _standing(record: TrialRecord, metric: str, *, sweep_is_running: bool) -> Standing:
    best = record.best(metric)
    return Standing(
        rank=None,
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
        fall_backs=record.reports[-1].fall_backs if record.reports else None,
    )


def _gain(record: TrialRecord, metric: str) -> float | None:
    best, initial = record.best(metric), record.initial
    if best is None or initial is None:
        return None
    reached, started = best.scores[metric], initial.scores[metric]
    return None if reached is None or started is None else started - reached
