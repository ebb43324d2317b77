"""The order of trials where the best were trained again: by the mean of the repeats, the first run left out."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from tests.tune.ranked_sweep import add_trial, read
from tests.tune.reports import report, write_trial


@pytest.fixture
def repeated(tmp_path: Path) -> Path:
    """t0000 was lucky at 0.40: its repeats came to 0.50 and 0.54. t0001 keeps its word: 0.45, then 0.46 and 0.48.

    t0002, at 0.47, was not repeated.
    """
    for trial_id, best in {
        "t0000": 0.40,
        "t0000-r1": 0.50,
        "t0000-r2": 0.54,
        "t0001": 0.45,
        "t0001-r1": 0.46,
        "t0001-r2": 0.48,
        "t0002": 0.47,
    }.items():
        add_trial(tmp_path, trial_id, [1.0, 0.9, best, best + 0.01])
    return tmp_path


def test_the_mean_of_the_repeats_decides(repeated: Path) -> None:
    first, second, third = read(repeated).standings
    assert [first.trial_id, second.trial_id, third.trial_id] == ["t0001", "t0000", "t0002"]
    assert (first.rank, second.rank, third.rank) == (1, 2, 3)
    assert first.scores.val_loss == pytest.approx(0.47)
    assert second.scores.val_loss == pytest.approx(0.52)
    assert first.gain == pytest.approx(0.53)
    assert first.spread == pytest.approx(0.02 / 2**0.5)  # of 0.46 and 0.48, with one degree of freedom
    assert (first.seeds, third.seeds, third.runs) == (2, 0, ())


def test_the_best_run_is_the_one_to_use(repeated: Path) -> None:
    board = read(repeated)
    assert board.best is not None
    assert [run.trial_id for run in board.best.runs] == ["t0001", "t0001-r1", "t0001-r2"]
    assert (board.best.run.trial_id, board.best.run.scores.val_loss) == ("t0001", 0.45)
    assert [run.trial_id for run in board.best.repeats] == ["t0001-r1", "t0001-r2"]
    assert board.best_epochs == dict.fromkeys([t.trial_id for t in board.trials], 2)
    assert board.find("t0000-r2") in board.trials


def test_a_line_costs_what_all_its_runs_cost(repeated: Path) -> None:
    board = read(repeated)
    assert board.best is not None
    assert board.best.seconds == 3 * 4  # three runs of four reports, a second each


def test_a_repeat_counts_when_it_has_ended(repeated: Path) -> None:
    write_trial(repeated, "t0001-r3", {}, [report(0, 1.0), report(1, 0.1)])
    write_trial(repeated, "t0002-r1", {}, [report(0, 1.0), report(1, 0.1)])
    board = read(repeated)
    assert board.best is not None
    assert (board.best.trial_id, board.best.seeds, board.best.run.trial_id) == ("t0001", 2, "t0001")
    third = board.standings[2]
    assert (third.trial_id, third.seeds, third.scores.val_loss, len(third.runs)) == ("t0002", 0, 0.47, 2)
    assert third.run.trial_id == "t0002"


def test_one_repeat_has_no_spread(tmp_path: Path) -> None:
    add_trial(tmp_path, "t0000", [1.0, 0.4])
    add_trial(tmp_path, "t0000-r1", [1.0, 0.6])
    (line,) = read(tmp_path).standings
    assert (line.seeds, line.spread, line.scores.val_loss) == (1, None, 0.6)


def test_the_root_of_a_mean_is_not_the_mean_of_roots(tmp_path: Path) -> None:
    """MSE 0.04 and 0.16, RMSE 0.2 and 0.4: the mean MSE is 0.1, and its root 0.316."""
    for trial_id, mse, rmse in (("t0000", 0.01, 0.1), ("t0000-r1", 0.04, 0.2), ("t0000-r2", 0.16, 0.4)):
        ends = {"mse": mse, "extra": {"val_rmse": rmse}}
        write_trial(tmp_path, trial_id, {}, [report(0, 1.0), report(1, 0.5, stopped_by="epochs", **ends)])
    (line,) = read(tmp_path).standings
    assert line.scores.val_mse == pytest.approx(0.1)
    assert line.scores.val_rmse == pytest.approx(0.1**0.5)


def test_the_files_have_the_repeats(repeated: Path) -> None:
    board = read(repeated)
    first = json.loads(board.to_json())["trials"][0]
    assert (first["trial_id"], first["seeds"], first["spread"]) == ("t0001", 2, pytest.approx(0.02 / 2**0.5))
    assert [run["trial_id"] for run in first["runs"]] == ["t0001", "t0001-r1", "t0001-r2"]
    assert "runs" not in json.loads(board.to_json())["trials"][2]
    rows = {row["trial_id"]: row for row in csv.DictReader(io.StringIO(board.to_csv()))}
    assert (rows["t0001"]["seeds"], rows["t0002"]["seeds"]) == ("2", "")


def test_a_repeat_of_a_trial_that_is_gone_is_a_trial(tmp_path: Path) -> None:
    add_trial(tmp_path, "t0003-r1", [1.0, 0.4])
    (line,) = read(tmp_path).standings
    assert (line.trial_id, line.rank, line.seeds) == ("t0003-r1", 1, 0)
