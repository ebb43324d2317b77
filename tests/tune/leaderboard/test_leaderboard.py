"""The ranking of trials beside zero-shot: read from sweeps written by hand, as a journal writes them."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.tune.reports import report, write_trial
from trainables.trial.report import MEASURES, Scores
from tune.leaderboard.leaderboard import UNDECIDED, Leaderboard
from tune.records.journal import Journal
from tune.records.sweep_folder import SweepFolder

HYPER = {"strategy": "full", "lr": 5e-7, "epochs": 3, "warmup_steps": 50, "weight_decay": 0.1, "batch_size": 64}
STANDING_KEYS = {"rank", "trial_id", "status", "stopped_by", "best_epoch", "epochs_run", "val_loss", "val_mae",
                 "val_mse", "gain", "seconds", "peak_memory_bytes", "config"}  # fmt: skip


def add_trial(
    folder: Path,
    trial_id: str,
    losses: list[float],
    *,
    stopped_by: str | None = "epochs",
    maes: list[float] | None = None,
    **hyper: Any,
) -> None:
    """Write a trial with one report an epoch, the first of them epoch 0; an epoch takes 10 s and 100, 200, ... bytes.

    val_mae is half of val_loss unless it is given, val_mse a quarter.
    """
    reports = [
        report(
            epoch,
            loss,
            mae=maes[epoch] if maes else loss / 2,
            mse=loss / 4,
            seconds=10.0,
            peak_memory_bytes=100 * (epoch + 1),
            stopped_by=stopped_by if epoch == len(losses) - 1 else None,
        )
        for epoch, loss in enumerate(losses)
    ]
    write_trial(folder, trial_id, {**HYPER, **hyper}, reports)


def fail(folder: Path, trial_id: str, message: str) -> None:
    Journal(SweepFolder(folder)).fail(trial_id, message)


def read(folder: Path, *, metric: str = "val_loss", running: bool = False) -> Leaderboard:
    return Leaderboard.read(SweepFolder(folder), metric=metric, sweep_is_running=running)


def strict(text: str) -> Any:
    """Read JSON as other languages do: without NaN and Infinity."""

    def reject(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    return json.loads(text, parse_constant=reject)


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """Zero-shot is 0.5; t0002 is best with 0.25 at epoch 2, then t0000 with 0.375; t0001 is worse than zero-shot."""
    add_trial(tmp_path, "t0000", [0.5, 0.4375, 0.375, 0.4375])
    add_trial(tmp_path, "t0001", [0.5, 0.75], stopped_by="asha", strategy="head_only")
    add_trial(tmp_path, "t0002", [0.5, 0.375, 0.25, 0.5], stopped_by="patience")
    return tmp_path


# Ranks


def test_trials_stand_in_order_of_their_best_epoch(sweep: Path) -> None:
    standings = read(sweep).standings
    assert [(s.rank, s.trial_id, s.scores.val_loss, s.best_epoch) for s in standings] == [
        (1, "t0002", 0.25, 2),
        (2, "t0000", 0.375, 2),
        (3, "t0001", 0.75, 1),
    ]


def test_a_standing_tells_what_a_trial_did_and_cost(sweep: Path) -> None:
    best = read(sweep).standings[0]
    assert (best.status, best.stopped_by, best.epochs_run) == ("stopped", "patience", 3)
    assert (best.scores.val_mae, best.scores.val_mse) == (0.125, 0.0625)  # of the best epoch, not of the last
    assert (best.seconds, best.peak_memory_bytes) == (40.0, 400)
    assert best.hyper == HYPER


def test_gain_is_above_0_for_who_is_better_than_zero_shot(sweep: Path) -> None:
    assert [s.gain for s in read(sweep).standings] == [0.25, 0.125, -0.25]


def test_another_metric_ranks_otherwise_and_takes_its_own_best_epoch(tmp_path: Path) -> None:
    add_trial(tmp_path, "t0000", [0.5, 0.25, 0.375], maes=[1.0, 0.875, 0.5])
    add_trial(tmp_path, "t0001", [0.5, 0.375, 0.375], maes=[1.0, 0.25, 0.75])
    board = read(tmp_path, metric="val_mae")
    assert [(s.trial_id, s.best_epoch, s.scores.val_mae, s.scores.val_loss, s.gain) for s in board.standings] == [
        ("t0001", 1, 0.25, 0.375, 0.75),
        ("t0000", 2, 0.5, 0.375, 0.5),
    ]
    assert board.metric == "val_mae"


def test_equal_trials_stand_in_order_of_their_ids(tmp_path: Path) -> None:
    for trial_id in ("t0001", "t0000"):
        add_trial(tmp_path, trial_id, [0.5, 0.25])
    assert [(s.rank, s.trial_id) for s in read(tmp_path).standings] == [(1, "t0000"), (2, "t0001")]


def test_negative_losses_rank_by_the_smallest(tmp_path: Path) -> None:
    add_trial(tmp_path, "t0000", [-1.0, -0.5])
    add_trial(tmp_path, "t0001", [-1.0, -2.0])
    board = read(tmp_path)
    assert [(s.trial_id, s.gain) for s in board.standings] == [("t0001", 1.0), ("t0000", -0.5)]
    assert board.verdict == "beats zero-shot"


def test_failed_trials_without_a_validation_are_unranked_at_the_end(tmp_path: Path) -> None:
    add_trial(tmp_path, "t0000", [0.5], stopped_by=None)
    fail(tmp_path, "t0000", "out of memory")
    add_trial(tmp_path, "t0001", [], stopped_by=None)
    fail(tmp_path, "t0001", "ValueError")
    add_trial(tmp_path, "t0002", [0.5, math.nan], stopped_by="diverged")
    add_trial(tmp_path, "t0003", [0.5, 0.75])
    standings = read(tmp_path).standings
    assert [(s.rank, s.trial_id, s.status, s.scores.val_loss, s.gain) for s in standings] == [
        (1, "t0003", "completed", 0.75, -0.25),
        (None, "t0000", "failed", None, None),
        (None, "t0001", "failed", None, None),
        (None, "t0002", "stopped", None, None),
    ]
    assert [s.epochs_run for s in standings] == [1, 0, 0, 1]


def test_a_trial_that_failed_later_keeps_the_rank_of_its_best_epoch(tmp_path: Path) -> None:
    """Its best weights are on the disk."""
    add_trial(tmp_path, "t0000", [0.5, 0.25], stopped_by=None)
    fail(tmp_path, "t0000", "the worker died")
    add_trial(tmp_path, "t0001", [0.5, 0.375])
    assert [(s.rank, s.trial_id, s.status) for s in read(tmp_path).standings] == [
        (1, "t0000", "failed"),
        (2, "t0001", "completed"),
    ]


def test_an_open_trial_is_running_or_interrupted(tmp_path: Path) -> None:
    add_trial(tmp_path, "t0000", [0.5, 0.25], stopped_by=None)
    assert read(tmp_path, running=True).standings[0].status == "running"
    assert read(tmp_path, running=False).standings[0].status == "interrupted"


def test_a_trial_is_found_by_its_id(sweep: Path) -> None:
    found = read(sweep).find("t0001")
    assert found is not None
    assert found.rank == 3
    assert read(sweep).find("t0009") is None


# Zero-shot and the verdict


def test_zero_shot_is_the_initial_model(sweep: Path) -> None:
    assert read(sweep).initial == Scores(0.5, 0.25, 0.125)


def test_of_several_starting_points_the_strongest_is_zero_shot_and_gains_are_over_the_own_start(tmp_path: Path) -> None:
    add_trial(tmp_path, "t0000", [0.75, 0.625], pretrained="small")
    add_trial(tmp_path, "t0001", [0.5, 0.5625], pretrained="base")
    board = read(tmp_path)
    assert board.initial.val_loss == 0.5
    assert {s.trial_id: s.gain for s in board.standings} == {"t0000": 0.125, "t0001": -0.0625}
    assert board.verdict == "keep zero-shot"  # 0.5625 is the best of them


def test_who_is_below_zero_shot_beats_it(sweep: Path) -> None:
    board = read(sweep)
    assert board.best is not None
    assert board.best.trial_id == "t0002"
    assert board.beats_initial
    assert board.verdict == "beats zero-shot"


@pytest.mark.parametrize("loss", [0.5, 0.625])
def test_who_is_no_better_than_zero_shot_leaves_it_standing(tmp_path: Path, loss: float) -> None:
    add_trial(tmp_path, "t0000", [0.5, loss])
    board = read(tmp_path)
    assert not board.beats_initial
    assert board.verdict == "keep zero-shot"


def test_before_the_first_epoch_nothing_is_decided(tmp_path: Path) -> None:
    assert read(tmp_path).verdict == UNDECIDED
    add_trial(tmp_path, "t0000", [0.5], stopped_by=None)
    board = read(tmp_path)
    assert board.best is None
    assert not board.beats_initial
    assert board.verdict == UNDECIDED
    assert board.initial.val_loss == 0.5


def test_without_a_zero_shot_nothing_is_said_to_beat_it(tmp_path: Path) -> None:
    add_trial(tmp_path, "t0000", [math.nan, 0.25])
    board = read(tmp_path)
    assert board.initial == Scores()
    assert not board.beats_initial
    assert board.standings[0].gain is None


# What other tools read


def test_json_has_the_keys_that_other_tools_rely_on(sweep: Path) -> None:
    document = strict(read(sweep).to_json())
    assert set(document) == {"sweep", "metric", "mode", "zero_shot", "start", "verdict", "trials"}
    assert (document["sweep"], document["metric"], document["mode"]) == (sweep.name, "val_loss", "min")
    assert all(set(trial) == {*STANDING_KEYS, *MEASURES} for trial in document["trials"])
    assert (document["verdict"]["decision"], document["verdict"]["text"]) == ("undecided", "beats zero-shot")
    assert document["trials"][0]["config"] == HYPER


def test_json_is_strict_whatever_diverged(tmp_path: Path) -> None:
    add_trial(tmp_path, "t0000", [math.nan, math.inf, math.nan], stopped_by="diverged")
    scores = {"test_loss": math.nan, "test_mae": 0.5, "test_mse": math.inf}
    SweepFolder(tmp_path).test_scores.write_text(json.dumps({"zero-shot": scores}))
    document = strict(read(tmp_path).to_json())
    assert document["trials"][0]["val_loss"] is None
    found = document["test"]["zero-shot"]
    assert (found["test_loss"], found["test_mae"], found["test_mse"]) == (None, 0.5, None)


def test_test_scores_are_there_once_the_search_has_ended(sweep: Path) -> None:
    scores = {
        "zero-shot": {"test_loss": 0.625, "test_mae": 0.5, "test_mse": 0.25},
        "t0002": {"test_loss": 0.375, "test_mae": 0.25, "test_mse": 0.125},
    }
    assert "test" not in read(sweep).to_dict()
    SweepFolder(sweep).test_scores.write_text(json.dumps(scores))
    assert read(sweep).test == {"zero-shot": Scores(0.625, 0.5, 0.25), "t0002": Scores(0.375, 0.25, 0.125)}
    rows = read(sweep).to_dict()["test"]
    assert {name: {k: row[k] for k in scores[name]} for name, row in rows.items()} == scores


def test_csv_is_read_back_by_pandas_with_zero_shot_first(sweep: Path) -> None:
    read(sweep).write_csv(SweepFolder(sweep))
    table = pd.read_csv(sweep / "leaderboard.csv")
    assert list(table["trial_id"]) == ["zero-shot", "t0002", "t0000", "t0001"]
    assert pd.isna(table["rank"][0])
    assert list(table["rank"][1:]) == [1, 2, 3]
    assert list(table["status"]) == ["zero-shot", "stopped", "completed", "stopped"]
    assert list(table["val_loss"]) == [0.5, 0.25, 0.375, 0.75]
    assert list(table["gain"][1:]) == [0.25, 0.125, -0.25]
    assert table["best_epoch"][0] == 0
    assert list(table["strategy"][1:]) == ["full", "full", "head_only"]


def test_csv_keeps_every_digit_and_every_hyperparameter(tmp_path: Path) -> None:
    add_trial(tmp_path, "t0000", [0.5, 0.1 + 0.2], lr=5e-7)
    add_trial(tmp_path, "t0001", [0.5, 0.375], patch_size=32, note='a, "b"')
    table = pd.read_csv(io.StringIO(read(tmp_path).to_csv()), float_precision="round_trip").set_index("trial_id")
    assert table.loc["t0000", "val_loss"] == 0.1 + 0.2
    assert table.loc["t0000", "lr"] == 5e-7
    assert pd.isna(table.loc["t0000", "patch_size"])  # a key that this trial does not have
    assert table.loc["t0001", "patch_size"] == 32
    assert table.loc["t0001", "note"] == 'a, "b"'


def test_csv_of_a_sweep_without_trials_is_zero_shot_alone(tmp_path: Path) -> None:
    table = pd.read_csv(io.StringIO(read(tmp_path).to_csv()))
    assert list(table["trial_id"]) == ["zero-shot"]


def test_what_was_said_of_the_best_trial_goes_with_it_alone(sweep: Path) -> None:
    best = read(sweep).best
    assert best is not None
    facts = {"trial_id": best.trial_id, "best_epoch": best.best_epoch, "sentences": {"parameters": "1.3 M"}}
    SweepFolder(sweep).comparison.write_text(json.dumps(facts))
    assert read(sweep).comparison == {"parameters": "1.3 M"}
    SweepFolder(sweep).comparison.write_text(json.dumps(facts | {"trial_id": "another"}))
    assert read(sweep).comparison == {}
