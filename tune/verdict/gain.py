"""By how much one model is better than another on the same windows, with its interval."""

from __future__ import annotations

from contextlib import suppress

from data.errors import DamagedFileError
from trainables.trial.folders import WINDOWS_FILE
from trainables.trial.trial import folder_of_epoch
from trainables.trial.window_errors import WindowErrors
from tune.records.spec import SweepSpec
from tune.records.sweep_folder import SweepFolder
from tune.verdict.measured import initial_errors
from tune.verdict.resampling import Units
from tune.verdict.statistics import Difference, paired_difference


def difference_between(base: WindowErrors | None, other: WindowErrors | None, spec: SweepSpec) -> Difference | None:
    """Return by how much the other one is better, with its interval; None where windows are lost."""
    shares = None if base is None else base.of(spec.metric)
    own = None if other is None else other.of(spec.metric)
    if base is None or other is None or shares is None or own is None or not base.is_of_same_windows(other):
        return None
    units = Units.of(base.series, spec.task.eval_overlap).with_memory_of((shares - own)[:, None])
    return paired_difference(shares, own, units, confidence=spec.confidence)


def gain_so_far(folder: SweepFolder, spec: SweepSpec, trial_id: str) -> Difference | None:
    """Return by how much the best epoch that a trial has kept is better than the initial model; None where its windows
    are not there."""
    best = folder_of_epoch(folder.trial(trial_id).path)
    if best is None:
        return None
    with suppress(FileNotFoundError, DamagedFileError):
        return difference_between(initial_errors(folder, spec.metric), WindowErrors.read(best / WINDOWS_FILE), spec)
    return None
