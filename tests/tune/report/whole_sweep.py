"""A sweep on the disk that has all that a page can show, written by hand."""

from __future__ import annotations

from pathlib import Path

from tests.tune.report.written_sweep import ZERO_SHOT, add_trial, make_spec, read_board
from trainables.timeline import Activity, Timeline
from trainables.trial.report import Scores
from tune.records.journal import Journal
from tune.records.scores_on_test import ErrorsOnTest, write_test_scores
from tune.records.sweep_folder import SweepFolder
from tune.records.verdict import Decision, Interval, Verdict
from tune.report.charts.forecast_examples import Drawn, Example, write_examples
from tune.report.charts.importances import Importance, Importances
from tune.report.page import ENDED, Life, write_report

STRATEGIES = ("head_only", "freeze_ffn", "full")
SHARES = Importances(24, {"lr": Importance(0.7, 0.5, 0.8), "epochs": Importance(0.3, 0.1, 0.5)})


def whole_sweep(folder: Path, trials: int = 12) -> SweepFolder:
    """Write trials t0000 and on, each better than the one before, and one that failed; the last of them wins.

    The learning rate of trial i is 1e-6 * (i + 1), and its strategy the i-th of three in turn.
    """
    sweep = SweepFolder(folder)
    for i in range(trials):
        end = 0.47 - 0.2 * i / trials
        stopped_by = "asha" if i % 4 == 1 else "epochs"
        hyper = {"strategy": STRATEGIES[i % 3], "lr": 1e-6 * (i + 1), "weight_decay": 0.01 * (i % 5)}
        add_trial(folder, f"t{i:04d}", [ZERO_SHOT, 0.48, end, end + 0.01], stopped_by=stopped_by, **hyper)
    failed = f"t{trials:04d}"
    add_trial(folder, failed, [ZERO_SHOT], stopped_by=None)
    Journal(sweep).fail(failed, "Traceback\nOutOfMemoryError: 8 GB gone")
    write_timeline(sweep, trials)
    winner = f"t{trials - 1:04d}"
    write_end(sweep, winner)
    return sweep


def write_timeline(sweep: SweepFolder, trials: int) -> None:
    timeline = Timeline(sweep.timeline)
    timeline.write(Activity.SESSION, 100.0, 200.0 + 60 * trials)
    timeline.write(Activity.RAY_START, 105.0, 115.0)
    for i in range(trials):
        Timeline(sweep.timeline, f"t{i:04d}").write(Activity.TRAINING, 120.0 + 60 * i, 175.0 + 60 * i)


def write_end(sweep: SweepFolder, winner: str) -> None:
    """Write the verdict, the test scores and what the test part showed."""
    better, worse = Scores(val_loss=0.4, val_mae=0.3), Scores(val_loss=0.45, val_mae=0.5)
    write_test_scores(sweep, {"zero-shot": Scores(val_loss=0.5, val_mae=0.4), winner: better, "t0000": worse})
    drawn = {"zero-shot": Drawn([1.0, 2.0]), winner: Drawn([1.0, 1.5], [0.5, 1.0], [1.5, 2.0])}
    rows = [f"2026-01-0{day}T00:00:00" for day in (1, 2, 3)]
    write_examples(sweep, [Example("typical", "site_1", rows, [1.0], [1.0, 2.0], drawn)])
    ErrorsOnTest(
        step_measure="MAE",
        by_step={"zero-shot": [0.2, 0.4, 0.6], winner: [0.1, 0.3, 0.5]},
        series_measure="MASE",
        series=["site_1", "site_2"],
        by_series={"zero-shot": [1.5, 0.9], winner: [1.25, 1.0]},
        worst=["site_1"],
        left_out=3,
    ).write(sweep)
    board = read_board(sweep.path)
    Verdict(
        Decision.USE,
        "val_loss",
        0.9,
        candidate=winner,
        best=winner,
        value=0.27,
        initial=ZERO_SHOT,
        difference=Interval(0.22, 0.18, 0.26),
        p_value=0.001,
        windows=120,
        blocks=8,
        confidence_set=(winner, f"t{int(winner[1:]) - 1:04d}"),
        of=board.best_epochs,
    ).write(sweep)


def whole_page(folder: Path, trials: int = 12, *, life: Life = ENDED) -> Path:
    """Write such a sweep and its page."""
    sweep = whole_sweep(folder, trials)
    return write_report(sweep, read_board(folder), make_spec(), life=life, importances=SHARES)
