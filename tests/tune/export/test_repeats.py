"""A search whose best were trained again: what its verdict is about, and which run is exported."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.tune.export.searched import TOY, board_of, models_of
from tune.export.blends import Blends
from tune.export.conclude import conclude
from tune.export.export import export_trial
from tune.export.trial_models import TrialModels
from tune.registry import find_trainable
from tune.verdict.measured import trial_errors


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> TrialModels:
    """Two repeats of each of the best two of three trials."""
    folder = tmp_path_factory.mktemp("searched")
    return models_of(folder, find_trainable(TOY), (1e-2, 3e-3, 1e-6), epochs=2, repeats=2)


def test_a_lines_windows_are_the_mean_of_its_repeats(searched: TrialModels) -> None:
    board, folder = board_of(searched), searched.sweep.folder
    assert board.best is not None
    assert (board.best.trial_id, board.best.seeds) == ("t0000", 2)
    mean = trial_errors(folder, board.best)
    runs = [trial_errors(folder, run) for run in board.best.repeats]
    assert mean is not None
    of_each = [errors.shares["val_mae"].astype(float) for errors in runs if errors is not None]
    assert len(of_each) == 2
    assert np.allclose(mean.shares["val_mae"], (of_each[0] + of_each[1]) / 2, atol=1e-7)
    assert mean.score("val_loss") == pytest.approx(board.best.scores.val_loss, rel=1e-5)


def test_the_verdict_is_about_the_mean_and_only_what_was_repeated_may_win(searched: TrialModels) -> None:
    board = conclude(searched, board_of(searched))
    verdict = board.decided
    assert verdict is not None
    assert verdict.trials_compared == 3 + len(board.blends)
    assert set(verdict.of) == {"t0000", "t0001", "t0002", "t0000-r1", "t0000-r2", "t0001-r1", "t0001-r2"}
    best = board.best
    assert best is not None
    chosen = board.find(str(verdict.candidate))
    assert chosen is not None
    assert (verdict.seeds, verdict.spread) == (chosen.seeds, chosen.spread)
    assert "t0000" in board.test


def test_blends_are_of_runs_and_a_soup_may_hold_repeats(searched: TrialModels) -> None:
    board = board_of(searched)
    assert board.best is not None
    runs = {run.trial_id for run in board.trials}
    made = Blends(searched, board).make(["t0000"])
    assert made
    assert all(set(standing.parts) <= runs for standing, _ in made)
    lines = [standing for standing, _ in made if len(standing.parts) == 1]
    assert {next(iter(standing.parts)) for standing in lines} == {board.best.run.trial_id}
    of_repeats = [standing for standing, _ in made if len(standing.parts) > 1]
    assert all(name.startswith("t0000") for standing in of_repeats for name in standing.parts)


def test_the_best_run_is_exported_and_any_other_by_its_name(searched: TrialModels, tmp_path: Path) -> None:
    board = conclude(searched, board_of(searched))
    assert board.best is not None
    export_trial(searched, board, board.best, tmp_path / "best")
    record = json.loads((tmp_path / "best" / "foretune.json").read_text())
    assert record["trial_id"] == board.best.run.trial_id
    assert record["validation"]["val_loss"] == pytest.approx(board.best.run.scores.val_loss, abs=1e-6)
    card = (tmp_path / "best" / "README.md").read_text()
    assert "Its configuration was trained 3 times, and was chosen for the mean of its repeats" in card
    other = board.best.runs[-1]
    export_trial(searched, board, other, tmp_path / "other")
    assert json.loads((tmp_path / "other" / "foretune.json").read_text())["trial_id"] == other.trial_id
