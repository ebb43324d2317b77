"""After the search: the test scores, the exported winner, the page to look at."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from data.errors import DamagedFileError, UserError, near_names
from tune.command_text import command_text
from tune.format import number
from tune.leaderboard.leaderboard import Leaderboard
from tune.leaderboard.standing import Standing
from tune.records.comparison import Comparison
from tune.records.spec import SweepError
from tune.records.verdict import Decision
from tune.sweep import Sweep

if TYPE_CHECKING:  # torch: seconds, and a mistake in the arguments is answered without it
    from tune.export.trial_models import TrialModels

logger = logging.getLogger(__name__)


def finalize(sweep: Sweep) -> Leaderboard:
    """Decide, score, export and report a sweep whose search has ended; after an extension it replaces the old."""
    from tune.export.conclude import conclude, initial_standing
    from tune.export.export import export_trial
    from tune.export.summary import write_results
    from tune.export.trial_models import TrialModels

    models = TrialModels(sweep)
    ranked = sweep.leaderboard()
    unreadable: list[str] = []
    while True:
        board = conclude(models, ranked, without=unreadable)
        shutil.rmtree(sweep.folder.best, ignore_errors=True)
        standing, decided = board.chosen, board.decided
        if decided is not None and decided.decision is Decision.KEEP and board.initial_model.is_pretrained:
            standing = initial_standing(board)
        try:
            if standing is not None:
                export_trial(models, board, standing, sweep.folder.best)
            break
        except DamagedFileError as error:
            if standing is None or standing.trial_id in unreadable:
                raise
            logger.warning("%s; the verdict is made without it", error)
            unreadable.append(standing.trial_id)
    board = replace(board, comparison=compare_best(models, board))
    write_results(sweep, board)
    return board


def export(sweep: Sweep, *, trial_id: str | None, target: Path, force: bool) -> Path:
    """Export one trial, the best by default; SweepError for one that does not beat the initial model, unless forced."""
    from tune.export.export import export_trial
    from tune.export.trial_models import TrialModels

    board = sweep.leaderboard()
    standing = board.chosen or board.best if trial_id is None else board.find(trial_id)
    if standing is None:
        known = [s.trial_id for s in (*board.standings, *board.blends)]
        what = "trial that has trained for an epoch" if trial_id is None else f"trial {trial_id}"
        go_on = command_text("resume", sweep.spec.name, storage=sweep.folder.path.parent)
        hint = f"its trials are {', '.join(known)}" if known else f"go on with: {go_on}"
        raise SweepError(f"{sweep.spec.name} has no {what}; {hint}{near_names(trial_id or '', known)}")
    if standing.best_epoch is None and not standing.parts:
        raise SweepError(f"{standing.trial_id} has not trained for an epoch, so there is nothing to export")
    if force:
        return export_trial(TrialModels(sweep), board, standing, target.absolute())
    words = board.initial_model
    if standing.gain is None or standing.gain <= 0:
        keep = ": keep the model it started from, or" if words.is_pretrained else ", so nothing of it is worth keeping;"
        raise SweepError(
            f"{standing.trial_id} does not beat {words.own} on {board.metric}{keep} export it all the same with --force"
        )
    if (reason := _against(board, standing)) is not None:
        raise SweepError(f"{reason}; export it all the same with --trial '{standing.trial_id}' --force")
    return export_trial(TrialModels(sweep), board, standing, target.absolute())


def _against(board: Leaderboard, standing: Standing) -> str | None:
    """Say why the verdict is against a trial that is better by the metric; None where it is not."""
    decided = board.decided
    if decided is None:
        return None
    flaw = next((flaw for flaw in decided.passed_over if flaw.name == standing.trial_id), None)
    words = board.initial_model
    if flaw is not None:
        return (
            f"{standing.trial_id} is better than {words.name} by {decided.metric} and worse by {flaw.metric} "
            f"({number(flaw.value)} against {number(flaw.initial)})"
        )
    if decided.decision is Decision.KEEP:
        return f"the verdict is against it: {standing.trial_id} is not better than {words.own} beyond chance"
    return None


def compare_best(models: TrialModels, board: Leaderboard) -> Mapping[str, str]:
    """Return, and keep, what the best trial's model says of itself beside the leaderboard, where it can say it."""
    import torch

    best = board.best
    if best is None:
        return {}
    trial = models.trained(best)
    baselines = {baseline.name: baseline.scores for baseline in board.baselines}
    try:
        sentences = trial.model.compare(trial.hyper, trial.task, scores=best.run.scores, baselines=baselines)
    except (UserError, torch.OutOfMemoryError) as error:
        logger.warning("the best trial could not be compared with what it came from: %s", error)
        return {}
    comparison = Comparison(best.trial_id, best.best_epoch, sentences)
    comparison.write(models.sweep.folder)
    return sentences
