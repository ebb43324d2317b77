"""The checkpoint to take away: the best epoch in the model's own format, read back and measured before it is given."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from data.files import give_umask_mode, replace_text
from trainables.trial.report import DATA_MEASURES, MEASURES, Scores
from tune.export.blends import build
from tune.export.model_card import ModelCard
from tune.export.trial_models import TrialModel, TrialModels
from tune.forecasts.forecaster import RECORD_FILE
from tune.leaderboard.leaderboard import Leaderboard
from tune.leaderboard.standing import Standing
from tune.records.spec import SweepError

TOLERANCE = 1e-5


class ExportError(SweepError):
    """A checkpoint that cannot be written, or does not give back its figures."""


def export_trial(models: TrialModels, leaderboard: Leaderboard, standing: Standing, target: Path) -> Path:
    """Write a trial's best epoch to `target`, which must not exist or be empty.

    The checkpoint is loaded back by the model's own `from_pretrained` and must give the leaderboard's validation
    figures to 1e-5. Raises ExportError otherwise; then `target` is not there.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ExportError(f"--to must name a new or an empty folder, and {target} is not; choose another")
    unfinished = target.with_name(f".{target.name}.tmp")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        trial = build(models, leaderboard, standing)
        trial.model.save_pretrained(unfinished)
        scores = _read_back(models, trial, standing, unfinished)
        card = _card(models, leaderboard, standing, trial, scores, target)
        replace_text(unfinished / RECORD_FILE, json.dumps(card.to_row(), indent=1))
        replace_text(unfinished / "README.md", card.to_markdown())
        give_umask_mode(unfinished)
        if target.exists():
            target.rmdir()
        unfinished.replace(target)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    return target


def _read_back(models: TrialModels, trial: TrialModel, standing: Standing, folder: Path) -> Scores:
    model = models.model_class()
    model.rebuild(folder, trial.hyper, models.task).to(models.device)
    scores = TrialModel(model, trial.hyper, models.task).measure("val").scores
    for name in MEASURES:
        recorded, found = standing.run.scores[name], scores[name]
        if recorded is None and name in DATA_MEASURES:
            continue  # a record from before they were measured
        if not _are_close(recorded, found):
            raise ExportError(
                f"the exported checkpoint must give {standing.run.trial_id}'s {name} {recorded!r} again to "
                f"{TOLERANCE:g}, and gives {found!r} on {models.device.type}; was the sweep run on another device?"
            )
    return scores


def _are_close(recorded: float | None, found: float | None) -> bool:
    if recorded is None or found is None:
        return recorded is found
    return abs(recorded - found) <= TOLERANCE * max(1.0, abs(recorded))


def _card(
    models: TrialModels, leaderboard: Leaderboard, standing: Standing, trial: TrialModel, scores: Scores, folder: Path
) -> ModelCard:
    comparison = leaderboard.comparison if standing.rank == 1 else {}
    return ModelCard(
        spec=models.sweep.spec,
        task=models.task,
        standing=standing,
        leaderboard=leaderboard,
        validation=scores,
        folder=folder,
        about=[*trial.model.about(), *(f"{name}: {sentence}." for name, sentence in comparison.items())],
    )
