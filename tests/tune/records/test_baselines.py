"""What stands beside the trials without being one: where it is listed, drawn and told, and who beats it."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

from trainables.trial.trial import BASELINES
from tune.cli.tables import leaderboard_markdown, print_leaderboard, verdict_sentence
from tune.records.baselines import FOLDER, Baseline
from tune.records.journal import Journal
from tune.records.leaderboard import Leaderboard
from tune.records.ranking import leaderboard_lines
from tune.report.learning_curves import validation_curves
from tune.report.page import table_lines
from tune.report.sentences import verdict_of

HYPER = {"lr": 1e-4, "epochs": 2, "batch_size": 4}


def add_trial(folder: Path, trial_id: str, losses: list[float], *, mse: float = 0.25) -> None:
    """Write a trial with one report an epoch, the first of them epoch 0; val_mae is always 0.5."""
    journal = Journal(folder)
    journal.start(trial_id, {"trial_id": trial_id, "seed": 0, "hyper": HYPER})
    for epoch, loss in enumerate(losses):
        row = {"epoch": epoch, "val_loss": loss, "val_mae": 0.5, "val_mse": mse, "train_loss": None, "lr": None}
        ended = "epochs" if epoch == len(losses) - 1 else None
        journal.append(trial_id, {**row, "seconds": 1.0, "peak_memory_bytes": 1, "stopped_by": ended})


def add_baseline(folder: Path, name: str, val_loss: float | None, val_mse: float = 0.125, **more: Any) -> None:
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    document = {"name": name, "val_loss": val_loss, "val_mae": 0.25, "val_mse": val_mse, **more}
    (folder / FOLDER / f"{name}.json").write_text(json.dumps(document), encoding="utf-8")


def read(folder: Path, metric: str = "val_loss") -> Leaderboard:
    return Leaderboard.read(folder, metric=metric, sweep_is_running=False)


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """Zero-shot 0.5; t0001 0.25, t0000 0.375, t0002 0.75; t0003 has only started."""
    for trial_id, loss in (("t0000", 0.375), ("t0001", 0.25), ("t0002", 0.75)):
        add_trial(tmp_path, trial_id, [0.5, loss])
    add_trial(tmp_path, "t0003", [0.5])
    return tmp_path


# Reading


def test_baselines_are_read_where_a_trial_writes_them(sweep: Path) -> None:
    assert FOLDER.parts == ("shared", BASELINES)
    add_baseline(sweep, "seasonal-naive", None, val_mse=0.0625)
    add_baseline(sweep, "naive", 0.625, facts={"season": 24})
    assert read(sweep).baselines == [
        Baseline("naive", 0.625, 0.25, 0.125, {"season": 24}),
        Baseline("seasonal-naive", None, 0.25, 0.0625),
    ]


def test_a_sweep_of_before_there_were_baselines_reads_as_it_did(sweep: Path) -> None:
    board = read(sweep)
    assert board.baselines == []
    assert "baselines" not in board.to_dict()
    assert [line.name for line in leaderboard_lines(board)] == ["t0001", "t0000", "zero-shot", "t0002", "t0003"]


def test_a_score_that_is_no_number_is_none_in_strict_json(sweep: Path) -> None:
    add_baseline(sweep, "naive", math.nan)
    assert read(sweep).to_dict()["baselines"] == [
        {"name": "naive", "val_loss": None, "val_mae": 0.25, "val_mse": 0.125, "facts": {}}
    ]
    assert "NaN" not in read(sweep).to_json()


def test_csv_has_a_line_a_baseline_below_zero_shot(sweep: Path) -> None:
    add_baseline(sweep, "naive", 0.625)
    table = pd.read_csv(io.StringIO(read(sweep).to_csv()))
    assert list(table["trial_id"][:3]) == ["zero-shot", "naive", "t0001"]
    assert table["status"][1] == "baseline"
    assert list(table.loc[1, ["val_loss", "val_mae", "val_mse"]]) == [0.625, 0.25, 0.125]
    assert pd.isna(table["rank"][1])


# Where it stands


@pytest.mark.parametrize(
    ("loss", "order"),
    [
        (0.125, ["naive", "t0001", "t0000", "zero-shot", "t0002", "t0003"]),
        (0.375, ["t0001", "naive", "t0000", "zero-shot", "t0002", "t0003"]),  # who ties with it does not beat it
        (0.5, ["t0001", "t0000", "zero-shot", "naive", "t0002", "t0003"]),
        (1.0, ["t0001", "t0000", "zero-shot", "t0002", "naive", "t0003"]),
        (None, ["t0001", "t0000", "zero-shot", "t0002", "t0003", "naive"]),
    ],
)
def test_a_baseline_stands_where_it_would_rank_or_at_the_end(sweep: Path, loss: float | None, order: list[str]) -> None:
    add_baseline(sweep, "naive", loss)
    board = read(sweep)
    assert [line.name for line in leaderboard_lines(board)] == order
    assert [line.name for line in table_lines(board)] == order
    cells = [line.split("|")[2].strip() for line in leaderboard_markdown(board).splitlines()[2 : 2 + len(order)]]
    assert cells == order


def test_the_table_shows_a_baseline_dim_and_the_test_scores_with_a_dash_for_no_loss(sweep: Path) -> None:
    add_baseline(sweep, "naive", None)
    scores = {"zero-shot": {"test_loss": 0.5, "test_mse": 0.25}, "naive": {"test_loss": None, "test_mse": 0.125}}
    (sweep / "test_scores.json").write_text(json.dumps(scores))
    console = Console(width=160, force_terminal=True, color_system="standard", record=True, file=io.StringIO())
    board = read(sweep)
    print_leaderboard(console, board)
    dim = next(line for line in console.export_text(styles=True, clear=False).splitlines() if "naive" in line)
    assert "\x1b[2mnaive" in dim
    assert "naive: test_loss –, test_mse 0.125" in console.export_text()
    assert board.to_dict()["test"] == scores


@pytest.mark.parametrize("width", [80, 100, 110, 120, 130, 140, 200])
def test_no_cell_is_cut_whatever_the_width(sweep: Path, width: int) -> None:
    add_baseline(sweep, "seasonal-naive", 0.4375)
    console = Console(width=width, record=True, file=io.StringIO())
    print_leaderboard(console, read(sweep))
    assert "…" not in console.export_text()


# Who beats it


def test_nothing_is_said_of_a_baseline_that_is_beaten(sweep: Path) -> None:
    add_baseline(sweep, "naive", 0.375)
    assert verdict_sentence(read(sweep)) == "t0001 beats zero-shot: val_loss 0.25 at epoch 1, zero-shot 0.5."
    assert "does not beat" not in verdict_of(read(sweep)).text


def test_a_baseline_that_is_not_beaten_is_named_with_both_values(sweep: Path) -> None:
    add_baseline(sweep, "naive", 0.125)
    assert verdict_sentence(read(sweep)).endswith(
        "zero-shot 0.5. It does not beat naive (val_loss 0.125 against 0.25)."
    )
    assert verdict_of(read(sweep)).text.endswith("It does not beat naive (val_loss 0.1250 against 0.2500).")


def test_a_tie_beats_no_baseline(sweep: Path) -> None:
    add_baseline(sweep, "naive", 0.25)
    assert "does not beat naive (val_loss 0.25 against 0.25)" in verdict_sentence(read(sweep))


def test_without_a_loss_of_its_own_a_baseline_is_compared_on_val_mse(sweep: Path) -> None:
    add_baseline(sweep, "naive", None, val_mse=0.125)  # the trials have 0.25
    add_baseline(sweep, "other", None, val_mse=0.1875)
    add_baseline(sweep, "third", None, val_mse=0.375)
    assert verdict_sentence(read(sweep)).endswith(
        "It does not beat naive (val_mse 0.125 against 0.25) or other (val_mse 0.1875 against 0.25)."
    )


def test_a_trial_that_beats_nothing_is_named_again(tmp_path: Path) -> None:
    add_trial(tmp_path, "t0000", [0.5, 0.75])
    add_baseline(tmp_path, "naive", 0.625)
    told = "keep zero-shot. t0000 does not beat naive (val_loss 0.625 against 0.75)."
    assert verdict_sentence(read(tmp_path)).endswith(told)
    assert verdict_of(read(tmp_path)).text.endswith(
        "worse. t0000 does not beat naive (val_loss 0.6250 against 0.7500)."
    )


def test_before_the_first_epoch_nothing_is_compared(tmp_path: Path) -> None:
    add_trial(tmp_path, "t0000", [0.5])
    add_baseline(tmp_path, "naive", 0.125)
    assert verdict_sentence(read(tmp_path)) == "No trial has trained for an epoch yet."
    assert "does not beat" not in verdict_of(read(tmp_path)).text


def test_a_baseline_decides_nothing(sweep: Path) -> None:
    add_baseline(sweep, "naive", 0.0625)
    board = read(sweep)
    assert board.beats_zero_shot
    assert board.verdict == "beats zero-shot"
    assert [s.rank for s in board.standings] == [1, 2, 3, None]


# The picture


def drawn(folder: Path, metric: str = "val_loss") -> tuple[tuple[float, float], list[float], str]:
    """The limits of the picture, the heights of its thin level lines, and its words."""
    ax = validation_curves(Journal(folder).read(), read(folder, metric)).axes[0]
    level = [line.get_ydata()[0] for line in ax.lines if list(line.get_xdata()) == [0, 1] and line.get_linewidth() < 1]
    return ax.get_ylim(), level, " ".join(text.get_text() for text in ax.texts)


def test_a_baseline_is_a_thin_line_with_its_name_and_moves_no_axis(sweep: Path) -> None:
    limits, level, _ = drawn(sweep)
    assert level == []
    add_baseline(sweep, "naive", 0.4375)
    assert drawn(sweep)[:2] == (limits, [0.4375])
    assert "naive 0.4375" in drawn(sweep)[2]


@pytest.mark.parametrize("loss", [None, 9.0, -9.0])
def test_a_baseline_outside_the_picture_is_left_out(sweep: Path, loss: float | None) -> None:
    before = drawn(sweep)
    add_baseline(sweep, "naive", loss)
    assert drawn(sweep) == before
