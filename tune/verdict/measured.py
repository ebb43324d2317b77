"""What is on record of each window: of the initial model, and of every trial's best epoch."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from data.errors import DamagedFileError
from trainables.trial.folders import WINDOWS_FILE
from trainables.trial.shared_scores import read_scores, windows_beside
from trainables.trial.trial import folder_of_epoch
from trainables.trial.window_errors import WindowErrors
from tune.leaderboard.blends import blend_windows
from tune.leaderboard.standing import Standing
from tune.records.sweep_folder import SweepFolder


def initial_errors(folder: SweepFolder, metric: str) -> WindowErrors | None:
    """Return the window errors of the initial model, of the strongest where there are several; None without any."""
    found: list[tuple[float, WindowErrors]] = []
    for path in sorted(folder.shared.initial.glob("*.json")):
        with suppress(FileNotFoundError, DamagedFileError):
            value = read_scores(path)[1][metric]
            if value is not None:
                found.append((value, WindowErrors.read(windows_beside(path))))
    return min(found, key=lambda pair: pair[0])[1] if found else None


def baseline_errors(folder: SweepFolder, name: str) -> WindowErrors | None:
    """Return the window errors of a baseline; None where they cannot be read."""
    with suppress(FileNotFoundError, DamagedFileError):
        return WindowErrors.read(windows_beside(folder.shared.baseline(name)))
    return None


def trial_errors(folder: SweepFolder, standing: Standing) -> WindowErrors | None:
    """Return the window errors of a trial's best epoch on record, or of a blend; None where they cannot be read.

    Of a configuration with repeats, their mean.
    """
    if standing.seeds:
        found = [errors for run in standing.repeats if (errors := trial_errors(folder, run)) is not None]
        return WindowErrors.mean(found) if len(found) == standing.seeds else None
    path = windows_file(folder, standing)
    with suppress(FileNotFoundError, DamagedFileError):
        return None if path is None else WindowErrors.read(path)
    return None


def windows_file(folder: SweepFolder, standing: Standing) -> Path | None:
    """Return where the window errors of a trial's best epoch or a blend are; None where it kept no weights."""
    if standing.parts:
        return blend_windows(folder, standing.parts)
    best = folder_of_epoch(folder.trial(standing.trial_id).path, standing.best_epoch)
    return None if best is None else best / WINDOWS_FILE
