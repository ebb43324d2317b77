"""After the search: the test scores, the exported winner, the page to look at."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

from data.errors import near_names
from tune.records.journal import Journal, Row
from tune.records.leaderboard import Leaderboard
from tune.records.spec import SweepError
from tune.sweep import Sweep

logger = logging.getLogger(__name__)

BEST_FOLDER = "best"


def finish_sweep(sweep: Sweep) -> Leaderboard:
    """Score, export and report a sweep whose search has ended; doing it again after an extension replaces the old."""
    from tune.export.export import compare_best, export_trial, score_finalists
    from tune.report.page import write_report

    workshop = _workshop(sweep)
    score_finalists(workshop, sweep.leaderboard())
    compare_best(workshop, sweep.leaderboard())
    leaderboard = sweep.leaderboard()
    best = sweep.folder / BEST_FOLDER
    shutil.rmtree(best, ignore_errors=True)
    if leaderboard.best is not None and leaderboard.beats_zero_shot:
        export_trial(workshop, leaderboard, leaderboard.best, best)
    leaderboard.write_csv(sweep.folder)
    write_report(sweep.folder, leaderboard, sweep.spec)
    return leaderboard


def export(sweep: Sweep, *, trial_id: str | None, target: Path, force: bool) -> Path:
    """Export one trial, the best by default; SweepError for one that does not beat zero-shot, unless forced."""
    from tune.export.export import export_trial

    leaderboard = sweep.leaderboard()
    standing = leaderboard.best if trial_id is None else leaderboard.find(trial_id)
    if standing is None:
        known = [s.trial_id for s in leaderboard.standings]
        what = "trial that has trained for an epoch" if trial_id is None else f"trial {trial_id}"
        hint = f"its trials are {', '.join(known)}" if known else f"go on with: foretune resume {sweep.spec.name}"
        raise SweepError(f"{sweep.spec.name} has no {what}; {hint}{near_names(trial_id or '', known)}")
    if standing.rank is None:
        raise SweepError(f"{standing.trial_id} has not trained for an epoch, so there is nothing to export")
    if (standing.gain is None or standing.gain <= 0) and not force:
        start = leaderboard.start
        keep = ": keep the model it started from, or" if start.is_pretrained else ", so nothing of it is worth keeping;"
        raise SweepError(
            f"{standing.trial_id} does not beat {start.own} on {leaderboard.metric}{keep} "
            "export it all the same with --force"
        )
    return export_trial(_workshop(sweep), leaderboard, standing, target.absolute())


def _workshop(sweep: Sweep) -> Any:
    import torch

    from tune.export.export import Workshop
    from tune.planning.budget import look_at_machine

    machine = look_at_machine()
    wants_gpu = machine.gpus > 0 and sweep.spec.gpus != 0
    return Workshop(sweep.folder, sweep.spec, torch.device("cuda" if wants_gpu else "cpu"))


class LeaderboardFile:
    """Rewrites leaderboard.csv whenever a trial ends; an observer."""

    def __init__(self, sweep: Sweep, journal: Journal) -> None:
        self.sweep = sweep

    def trial_started(self, trial_id: str, hyper: dict[str, Any]) -> None:
        """A trial that has only started changes no rank."""

    def trial_reported(self, trial_id: str, row: Row) -> None:
        """Ranks are settled when trials end."""

    def trial_ended(self, trial_id: str) -> None:
        self.sweep.leaderboard_of(sweep_is_running=True).write_csv(self.sweep.folder)

    def tick(self) -> None:
        """Nothing between reports."""

    def close(self) -> None:
        """Nothing to release."""
