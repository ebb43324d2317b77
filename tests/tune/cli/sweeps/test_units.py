"""Errors in the units of the data on the leaderboard."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tune.cli.command_line import Foretune
from tests.tune.reports import report, write_trial
from trainables.trial.report import Scores
from tune.leaderboard.trials import _mean
from tune.records.spec import SweepSpec
from tune.records.sweep_folder import SweepFolder

HYPER = {"lr": 1e-5, "epochs": 1}


def errors(mae: float, rmse: float) -> dict[str, float | None]:
    return {"val_data_mae": mae, "val_data_mse": rmse**2, "val_data_rmse": rmse}


@pytest.fixture
def measured(new_sweep: Path) -> Path:
    """A trial whose MAE falls from 250 to 125 in the units of the data, and from 0.5 to 0.25 scaled."""
    before = report(0, 0.5, mae=0.5, extra=errors(250.0, 300.0))
    after = report(1, 0.25, mae=0.25, stopped_by="epochs", best_epoch=1, extra=errors(125.0, 150.0))
    write_trial(new_sweep, "t0000", HYPER, [before, after])
    return new_sweep


def rows(foretune: Foretune, sweep: Path, *more: object) -> list[list[str]]:
    out = foretune("leaderboard", "night1", "--storage", sweep.parent, "--format", "md", *more).out
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in out.splitlines() if "|" in line]


def test_errors_are_scaled_unless_the_units_of_the_data_are_asked_for(foretune: Foretune, measured: Path) -> None:
    head, _, trial, initial = rows(foretune, measured)
    assert "val_data_mae" not in head
    assert trial[head.index("val_mae")] == "0.25"
    head, _, trial, initial = rows(foretune, measured, "--units", "data")
    assert not {"val_mae", "val_mse"} & set(head)
    assert [trial[head.index(f"val_data_{name}")] for name in ("mae", "mse", "rmse")] == ["125", "22500", "150"]
    assert initial[head.index("val_data_mae")] == "250"
    assert trial[head.index("val_loss")] == "0.25"  # what trials are ranked by stays


def test_the_files_have_both(foretune: Foretune, measured: Path) -> None:
    out = foretune("leaderboard", "night1", "--storage", measured.parent, "--format", "json").out
    (trial,) = json.loads(out)["trials"]
    assert (trial["val_mae"], trial["val_data_mae"], trial["val_data_rmse"]) == (0.25, 125.0, 150.0)


def test_a_sweep_may_be_started_with_them_and_a_report_be_asked_for_them(foretune: Foretune, measured: Path) -> None:
    folder = SweepFolder(measured)
    assert foretune("report", "night1", "--storage", measured.parent, "--units", "data").status == 0
    assert "val_data_mae" in folder.report.read_text()
    assert foretune("report", "night1", "--storage", measured.parent).status == 0
    assert "val_data_mae" not in folder.report.read_text()
    SweepSpec.read(folder).model_copy(update={"units": "data"}).write(folder)
    assert "val_data_mae" in rows(foretune, measured)[0]
    assert "val_data_mae" not in rows(foretune, measured, "--units", "scaled")[0]


def test_a_sweep_of_before_they_were_measured_says_so(
    foretune: Foretune, night1: Path, rejected: Callable[..., str]
) -> None:
    message = rejected("leaderboard", "night1", "--units", "data", storage=night1.parent)
    assert message.startswith("--units data needs errors in the units of the data, and night1 is of before")
    assert "foretune evaluate" in message
    assert foretune("leaderboard", "night1", "--storage", night1.parent, "--units", "scaled").status == 0


def test_other_units_are_one_message(rejected: Callable[..., str], night1: Path) -> None:
    message = rejected("leaderboard", "night1", "--units", "dat", storage=night1.parent)
    assert message == "--units must be scaled or data, got 'dat'; did you mean 'data'?"
    assert "--units" in rejected("sweep", "--units", "dollars", "--dry-run")


def test_the_rmse_of_repeats_is_the_root_of_their_mean_mse() -> None:
    """3 and 4 squared are 9 and 16, whose mean is 12.5."""
    mean = _mean([Scores.of(errors(1.0, 3.0)), Scores.of(errors(2.0, 4.0))])
    assert (mean.val_data_mae, mean.val_data_mse) == (1.5, 12.5)
    assert mean.val_data_rmse == pytest.approx(12.5**0.5)
