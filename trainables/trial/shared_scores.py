"""What is measured once a sweep, by the first trial that needs it: the initial model and the baselines."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from data.errors import DamagedFileError
from data.files import read_object, replace_text
from trainables.trial.folders import SharedFolder
from trainables.trial.report import Scores

if TYPE_CHECKING:  # torch: seconds, and records are read without it
    from trainables.trial.evaluation import Evaluation

NAME = "name"


def initial_scores(shared: SharedFolder, name: str, key: str, measure: Callable[[], Evaluation]) -> Scores:
    """Return the validation of an initial model. name: the model's; key: all that its scores depend on."""
    return _measured_once(shared.initial_scores(key), name, measure)


def baseline_scores(shared: SharedFolder, name: str, measure: Callable[[], Evaluation]) -> Scores:
    """Return the validation of a baseline."""
    return _measured_once(shared.baseline(name), name, measure)


def read_scores(path: Path) -> tuple[str, Scores]:
    """Read the name and the scores of what was measured; raises FileNotFoundError or DamagedFileError."""
    row = read_object(path, strict=False)  # a score that is no number is none
    try:
        return str(row.pop(NAME)), Scores.of(row)
    except (KeyError, TypeError) as error:
        raise DamagedFileError(f"{path}: the file is damaged (it holds no scores: {error})") from error


def windows_beside(path: Path) -> Path:
    """Return where the window errors of these scores are."""
    return path.with_suffix(".safetensors")


def _measured_once(path: Path, name: str, measure: Callable[[], Evaluation]) -> Scores:
    from trainables.trial.window_errors import WindowErrors  # numpy: a fifth of a second, and names are read without it

    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        try:
            WindowErrors.read(windows_beside(path))
            return read_scores(path)[1]
        except (FileNotFoundError, DamagedFileError):
            evaluation = measure()
            evaluation.windows.write(windows_beside(path))
            replace_text(path, json.dumps({NAME: name, **evaluation.scores.to_row()}, indent=1))
            return evaluation.scores
