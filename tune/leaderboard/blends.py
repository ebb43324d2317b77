"""Averages of trials' weights, on record beside the trials: what they are made of, and what they score."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from data.errors import DamagedFileError
from data.files import read_object, replace_text
from trainables.trial.report import Scores, finite
from trainables.trial.shared_scores import windows_beside
from tune.leaderboard.standing import Standing
from tune.records.sweep_folder import SweepFolder
from tune.records.trial_record import TrialId

if TYPE_CHECKING:  # numpy: a fifth of a second, and a leaderboard is read without it
    from trainables.trial.window_errors import WindowErrors

STATUS = "blend"


def blend_name(parts: Mapping[str, float], initial_name: str) -> str:
    """Name a blend by its shares: blend(t0011, α 0.6), or soup(t0011, t0004) where all have one share.

    What the shares leave is the initial model's.
    """
    if len(parts) == 1:
        ((trial_id, share),) = parts.items()
        return f"blend({trial_id}, α {share:g})"
    rest = 1 - sum(parts.values())
    return f"soup({', '.join([*parts, *([initial_name] if rest > 1e-6 else [])])})"


def blend_windows(folder: SweepFolder, parts: Mapping[str, float]) -> Path:
    """Return where the window errors of a blend are."""
    return windows_beside(_file(folder, parts))


def write_blend(folder: SweepFolder, standing: Standing, errors: WindowErrors, epochs: Mapping[str, object]) -> None:
    """Keep a blend. epochs: the best epoch of each trial in it."""
    path = _file(folder, standing.parts)
    path.parent.mkdir(parents=True, exist_ok=True)
    row = {
        "name": standing.trial_id,
        "parts": dict(standing.parts),
        "epochs": dict(epochs),
        "hyper": dict(standing.hyper),
    }
    errors.write(windows_beside(path))
    replace_text(path, json.dumps({**row, "gain": standing.gain, "scores": standing.scores.to_row()}, indent=1))


def keep_blends(folder: SweepFolder, standings: Iterable[Standing]) -> None:
    """Remove all blends but these: those that were tried, and those of trials that have gone on since."""
    names = {_file(folder, standing.parts).stem for standing in standings}
    for path in folder.blends.glob("*"):
        if path.stem not in names:
            path.unlink(missing_ok=True)


def read_blends(folder: SweepFolder, epochs: Mapping[str, float | None]) -> list[Standing]:
    """Read the blends of these best epochs of the trials; a damaged one, or one of other epochs, is not there."""
    found = []
    for path in sorted(folder.blends.glob("*.json")):
        with suppress(FileNotFoundError, DamagedFileError, KeyError, TypeError, AttributeError, ValueError):
            row = read_object(path)
            parts = _parts(row["parts"])
            if {name: epochs[name] for name in parts} == row["epochs"]:
                scores, hyper = Scores.of(row["scores"]), dict(row["hyper"].items())
                found.append(blend_standing(str(row["name"]), parts, scores, finite(row["gain"]), hyper))
    return found


def _parts(row: Mapping[str, object]) -> dict[str, float]:
    """Read the shares of a blend; ValueError or TypeError for what are none."""
    parts = {name: finite(share) for name, share in row.items()}
    shares = {name: share for name, share in parts.items() if share is not None and 0 < share <= 1}
    if not shares or len(shares) < len(parts):
        raise ValueError(f"the shares of a blend are above 0 and at most 1, got {parts}")
    return shares


def blend_standing(
    name: str, parts: Mapping[str, float], scores: Scores, gain: float | None, hyper: Mapping[str, object]
) -> Standing:
    """Return a blend's line of the leaderboard. hyper: of the trial with the largest share."""
    return Standing(
        rank=None,
        trial_id=name,
        status=STATUS,
        stopped_by=None,
        best_epoch=None,
        epochs_run=0,
        scores=scores,
        gain=gain,
        seconds=0.0,
        peak_memory_bytes=0,
        hyper=hyper,
        parts=parts,
    )


def _file(folder: SweepFolder, parts: Mapping[str, float]) -> Path:
    ids = {trial_id: replace(found, name="") for trial_id in parts if (found := TrialId.parse(trial_id)) is not None}
    name = "_".join(f"{ids.get(trial_id, trial_id)}-{round(share * 1000):03d}" for trial_id, share in parts.items())
    return folder.blends / f"{name}.json"
