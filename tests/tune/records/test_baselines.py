"""The specification of tune/records/baselines.py: what is listed beside the trials, and decides nothing."""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
import pandas as pd

from data.metrics import ForecastErrors
from tests.tune.ranked_sweep import add_baseline, read
from trainables.trial.evaluation import Evaluation
from trainables.trial.folders import SharedFolder
from trainables.trial.report import Scores
from trainables.trial.shared_scores import baseline_scores
from trainables.trial.window_errors import WindowErrors
from tune.leaderboard.ranking import leaderboard_lines
from tune.records.baselines import Baseline


def test_baselines_are_read_where_a_trial_writes_them(sweep: Path) -> None:
    windows = WindowErrors(np.zeros(2, np.int32), {"val_mae": np.array([0.125, 0.375], np.float32)})
    measured = Evaluation(Scores(None, 0.25, 0.0625), windows, ForecastErrors(1, 1), ForecastErrors(1, 1))
    baseline_scores(SharedFolder(sweep / "shared"), "seasonal-naive", lambda: measured)
    add_baseline(sweep, "naive", 0.625)
    assert read(sweep).baselines == [
        Baseline("naive", Scores(0.625, 0.25, 0.125)),
        Baseline("seasonal-naive", Scores(None, 0.25, 0.0625)),
    ]


def test_a_sweep_without_baselines_lists_none(sweep: Path) -> None:
    board = read(sweep)
    assert board.baselines == []
    assert "baselines" not in board.to_dict()
    assert [line.name for line in leaderboard_lines(board)] == ["t0001", "t0000", "zero-shot", "t0002", "t0003"]


def test_a_score_that_is_no_number_is_none_in_strict_json(sweep: Path) -> None:
    add_baseline(sweep, "naive", math.nan)
    (baseline,) = read(sweep).to_dict()["baselines"]
    assert {k: baseline[k] for k in ("name", "val_loss", "val_mae")} == {
        "name": "naive",
        "val_loss": None,
        "val_mae": 0.25,
    }
    assert "NaN" not in read(sweep).to_json()


def test_csv_has_a_line_a_baseline_below_zero_shot(sweep: Path) -> None:
    add_baseline(sweep, "naive", 0.625)
    table = pd.read_csv(io.StringIO(read(sweep).to_csv()))
    assert list(table["trial_id"][:3]) == ["zero-shot", "naive", "t0001"]
    assert table["status"][1] == "baseline"
    assert list(table.loc[1, ["val_loss", "val_mae", "val_mse"]]) == [0.625, 0.25, 0.125]
    assert pd.isna(table["rank"][1])


def test_a_baseline_decides_nothing(sweep: Path) -> None:
    add_baseline(sweep, "naive", 0.0625)
    board = read(sweep)
    assert board.beats_initial
    assert board.verdict == "beats zero-shot"
    assert [s.rank for s in board.standings] == [1, 2, 3, None]
