"""The leaderboard of a sweep on the disk, as a table, as CSV, as JSON and as Markdown."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tune.cli.command_line import Foretune, strict_json
from trainables.trial.report import MEASURES


def test_leaderboard_as_json_has_exactly_the_promised_keys(foretune: Foretune, night1: Path) -> None:
    ended = foretune("leaderboard", "night1", "--format", "json", "--storage", night1.parent)
    board = strict_json(ended.out)
    assert (ended.status, ended.err) == (0, "")
    assert list(board) == ["sweep", "metric", "mode", "zero_shot", "start", "verdict", "trials", "advice"]
    assert (board["sweep"], board["metric"], board["mode"]) == ("night1", "val_loss", "min")
    unknown = dict.fromkeys(MEASURES[3:])
    assert board["zero_shot"] == {"val_loss": 0.5, "val_mae": 0.25, "val_mse": 0.125, **unknown}
    assert (board["verdict"]["decision"], board["verdict"]["text"]) == ("undecided", "beats zero-shot")
    keys = f"""rank trial_id status stopped_by best_epoch epochs_run {" ".join(MEASURES)} gain seconds
               peak_memory_bytes config"""
    assert all(list(trial) == keys.split() for trial in board["trials"])
    hyperparameters = {"strategy", "lr", "epochs", "warmup_steps", "weight_decay", "batch_size"}
    assert all(hyperparameters <= trial["config"].keys() for trial in board["trials"])
    assert [(trial["rank"], trial["trial_id"], trial["status"]) for trial in board["trials"]] == [
        (1, "t0001", "completed"),
        (2, "t0000", "stopped"),
        (None, "t0002", "stopped"),
        (None, "t0003", "interrupted"),
    ]
    assert board["trials"][0] | {"config": None} == {
        "rank": 1, "trial_id": "t0001", "status": "completed", "stopped_by": "epochs", "best_epoch": 2,
        "epochs_run": 3, "val_loss": 0.4, "val_mae": 0.25, "val_mse": 0.125, "gain": pytest.approx(0.1),
        "seconds": 160.0, "peak_memory_bytes": 2_500_000, "config": None, **unknown,
    }  # fmt: skip


def test_leaderboard_as_csv_has_a_line_a_trial_below_zero_shot(foretune: Foretune, night1: Path) -> None:
    ended = foretune("leaderboard", "night1", "--format", "csv", "--storage", night1.parent)
    lines = list(csv.DictReader(ended.out.splitlines()))
    assert [line["trial_id"] for line in lines] == ["zero-shot", "t0001", "t0000", "t0002", "t0003"]
    assert [line["val_loss"] for line in lines] == ["0.5", "0.4", "0.6", "", ""]
    assert lines[1]["lr"] == "5e-07"


def test_leaderboard_as_markdown_is_a_table_and_a_verdict(foretune: Foretune, night1: Path) -> None:
    ended = foretune("leaderboard", "night1", "--format", "md", "--storage", night1.parent)
    table, _, verdict = ended.out.rstrip("\n").rpartition("\n\n")
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    assert len({len(row) for row in cells}) == 1
    assert cells[0][:4] == ["#", "trial", "val_loss", "gain"]
    assert [row[:4] for row in cells[2:5]] == [
        ["1", "t0001", "0.4", "+0.1000"],
        ["", "zero-shot", "0.5", ""],
        ["2", "t0000", "0.6", "-0.1000"],
    ]
    assert "5e-7" in cells[2]
    assert verdict == "t0001 beats zero-shot: val_loss 0.4 at epoch 2, zero-shot 0.5."


def test_leaderboard_as_a_table_tells_the_same(foretune: Foretune, night1: Path) -> None:
    out = foretune("leaderboard", "night1", "--storage", night1.parent).out
    ranked = [line.split()[:3] for line in out.splitlines() if re.search(r"t000\d|zero-shot  ", line)]
    assert ranked[:3] == [["1", "t0001", "0.4"], ["zero-shot", "0.5", "0.25"], ["2", "t0000", "0.6"]]
    assert "t0001 beats zero-shot" in out


def test_leaderboard_refuses_another_format(rejected: Callable[..., str], night1: Path) -> None:
    message = rejected("leaderboard", "night1", "--format", "xml", storage=night1.parent)
    assert message == "--format must be table, csv, json or md, got 'xml'"


def test_leaderboard_of_a_sweep_without_trials_is_empty_and_strict(foretune: Foretune, new_sweep: Path) -> None:
    board = strict_json(foretune("leaderboard", "night1", "--format", "json", "--storage", new_sweep.parent).out)
    assert board["zero_shot"] == dict.fromkeys(MEASURES)
    assert (board["trials"], board["advice"]) == ([], [])
    assert board["verdict"]["text"] == "no trial has trained for an epoch yet"
