"""Several sweeps over the same windows on one leaderboard: what each would use, by a measure that compares models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trainables.trial.window_errors import WindowErrors
from tune.command_text import command_text
from tune.leaderboard.leaderboard import Leaderboard
from tune.records.spec import SweepError
from tune.records.verdict import Decision
from tune.sweep import Sweep
from tune.verdict.measured import initial_errors, trial_errors
from tune.verdict.resampling import Units
from tune.verdict.statistics import confidence_set

COMPARABLE = ("val_mase", "val_wql", "val_mae")  # a model's own loss says nothing of another model
SAME_TASK = ("split", "prediction_length", "eval_stride", "max_eval_windows")  # or the windows are others


@dataclass(frozen=True, eq=False)
class Entry:
    """A sweep's line. used: the trial, blend or initial model of its verdict. value, initial, test: by the metric.

    in_top_set: whether it cannot be distinguished from the best of the sweeps. seconds: of search; trials: on record.
    """

    sweep: str
    model: str
    space: str
    verdict: str
    used: str
    value: float
    initial: float | None
    test: float | None
    trials: int
    seconds: float
    in_top_set: bool = False

    def to_row(self) -> dict[str, object]:
        """Return plain values that JSON can hold."""
        return dict(vars(self))


@dataclass(frozen=True)
class Comparison:
    """Sweeps by what they would use, the best first."""

    metric: str
    entries: Sequence[Entry]

    def to_dict(self) -> dict[str, object]:
        return {"metric": self.metric, "sweeps": [entry.to_row() for entry in self.entries]}


def compare_sweeps(sweeps: Sequence[Sweep], metric: str) -> Comparison:
    """Rank sweeps over the same series and windows; SweepError that names what differs, or what is missing."""
    if metric not in COMPARABLE:
        raise SweepError(f"--metric must be {', '.join(COMPARABLE[:-1])} or {COMPARABLE[-1]}, got {metric!r}")
    if len(sweeps) < 2:
        raise SweepError("compare needs two sweeps or more; foretune status lists them")
    names = [sweep.spec.name for sweep in sweeps]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise SweepError(f"a sweep is compared once, got {repeated[0]} twice; leave one out")
    for other in sweeps[1:]:
        _check_same(sweeps[0], other, metric)
    found = [_entry(sweep, metric) for sweep in sweeps]
    first = found[0][1]
    for sweep, (_, errors) in zip(sweeps, found, strict=True):
        if not errors.is_of_same_windows(first):
            raise SweepError(
                f"{sweep.spec.name} was validated on {len(errors)} windows and {sweeps[0].spec.name} on {len(first)}, "
                "or on those of other series; give both the same --context-length"
            )
    top = _top_set(found, metric, sweeps[0])
    entries = [Entry(**{**vars(entry), "in_top_set": entry.sweep in top}) for entry, _ in found]
    return Comparison(metric, sorted(entries, key=lambda entry: entry.value))


def _check_same(first: Sweep, other: Sweep, metric: str) -> None:
    """Reject sweeps whose figures are not of the same targets."""
    names = f"{first.spec.name} and {other.spec.name}"
    if first.spec.data.content_hash != other.spec.data.content_hash:
        raise SweepError(
            f"{names} are of different series ({first.spec.data.path} and {other.spec.data.path}); "
            "their figures do not compare"
        )
    fields = (*SAME_TASK, "scale") if metric == "val_mae" else SAME_TASK
    for name in fields:
        a, b = getattr(first.spec.task, name), getattr(other.spec.task, name)
        if a != b:
            option = name.replace("_", "-")
            hint = "; val_mase and val_wql compare all the same" if name == "scale" else ""
            raise SweepError(f"{names} differ in --{option} ({a} and {b}); their figures do not compare{hint}")


def _entry(sweep: Sweep, metric: str) -> tuple[Entry, WindowErrors]:
    board, spec = sweep.leaderboard(), sweep.spec
    used, errors = _used(sweep, board)
    shares = None if errors is None else errors.of(metric)
    if errors is None or shares is None:
        finish = command_text("finish", spec.name, storage=sweep.folder.path.parent)
        raise SweepError(f"{spec.name} has no {metric} of its windows yet; {finish} measures what is there")
    test = board.test.get(used)
    entry = Entry(
        sweep=spec.name,
        model=spec.trainable,
        space=str(spec.space.get("name", "")),
        verdict=board.verdict,
        used=used,
        value=float(shares.mean()),
        initial=board.initial[metric],
        test=None if test is None else test[metric],
        trials=len(board.standings),
        seconds=sweep.seconds_used,
    )
    return entry, errors


def _used(sweep: Sweep, board: Leaderboard) -> tuple[str, WindowErrors | None]:
    """Return what a sweep would use, and its windows."""
    folder, chosen = sweep.folder, board.chosen
    if chosen is None:
        kept = board.decided is None or board.decided.decision is Decision.KEEP
        return board.initial_name, initial_errors(folder, board.metric) if kept else None
    return chosen.trial_id, trial_errors(folder, chosen)


def _top_set(found: Sequence[tuple[Entry, WindowErrors]], metric: str, first: Sweep) -> frozenset[str]:
    shares = {entry.sweep: of for entry, errors in found if (of := errors.of(metric)) is not None}
    reference, *others = shares.values()
    gains = np.stack([reference - other for other in others], axis=1)
    units = Units.of(found[0][1].series, first.spec.task.eval_overlap).with_memory_of(gains)
    return confidence_set(shares, units, confidence=first.spec.confidence)
