"""What is written of a sweep at any time: its leaderboard and its report, with what Optuna says of hyperparameters."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tune.command_text import command_text
from tune.format import count_text
from tune.leaderboard.leaderboard import Leaderboard
from tune.records.spec import SweepError, Units
from tune.sweep import Sweep

if TYPE_CHECKING:
    from tune.report.charts.importances import Importances
    from tune.report.page import Life


def write_page(sweep: Sweep, board: Leaderboard) -> Path:
    """Write report.html of a sweep, whether it runs or not, and return its path."""
    from tune.report.page import write_report  # matplotlib

    importances = _importances(sweep, board)
    return write_report(sweep.folder, board, sweep.spec, life=life_of(sweep, board), importances=importances)


def write_summary(sweep: Sweep, units: Units | None = None) -> Leaderboard:
    """Write leaderboard.csv, report.html and TensorBoard's conclusion from what is on record; errors in these units."""
    board = sweep.leaderboard_in(units)
    write_results(sweep, board)
    return board


def write_results(sweep: Sweep, board: Leaderboard) -> None:
    """Write leaderboard.csv, report.html and TensorBoard's conclusion."""
    from tune.report.tensorboard.conclusion import write_conclusion

    board.write_csv(sweep.folder)
    write_page(sweep, board)
    write_conclusion(sweep.folder, board, sweep.spec)


def write_paper_pictures(sweep: Sweep, board: Leaderboard, folders: Mapping[str, Path]) -> dict[str, list[Path]]:
    """Write a sweep's pictures as files for a paper, and return them; SweepError where a folder cannot be written.

    folders: by the format of the pictures in it, png or svg; so is what is returned.
    """
    from tune.report.pictures import Shown, write_pictures

    shown = Shown.of(sweep.folder, board, _importances(sweep, board))
    written = {}
    for format, folder in folders.items():
        try:
            written[format] = write_pictures(shown, folder, format)
        except OSError as error:
            reason = error.strerror or str(error)
            raise SweepError(f"--{format} must be a folder that can be written, got {folder}: {reason}") from error
    return written


def _importances(sweep: Sweep, board: Leaderboard) -> Importances:
    from tune.report.charts.importances import too_few

    if (none := too_few(sum(trial.rank is not None for trial in board.standings))) is not None:
        return none
    from tune.ray_backend.importance.ped_anova import hyperparameter_importances  # optuna: a second

    return hyperparameter_importances(board, seed=sweep.spec.seed)


def life_of(sweep: Sweep, board: Leaderboard) -> Life:
    """Say whether a sweep runs, and if it stopped before its end, how to go on."""
    from tune.report.page import Life

    if sweep.is_running:
        return Life(is_running=True, written=time.strftime("%H:%M:%S"))
    left = sweep.unfinished_trials()
    if not left or board.decided is not None:
        return Life()
    name, storage = sweep.spec.name, sweep.folder.path.parent
    return Life(
        note=f"It stopped with {count_text(left, 'trial')} to go, and this page is not written again. Go on with: "
        f"{command_text('resume', name, storage=storage)}; or score and export what is there: "
        f"{command_text('finish', name, storage=storage)}"
    )
