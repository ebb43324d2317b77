"""The specification of tune/report/tensorboard.py: curves and HPARAMS, asked of a real TensorBoard."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tensorboard.plugins.hparams import api_pb2

from tests.tune.report.tensorboard.watched_sweep import (
    CONSTANT,
    FULL,
    Board,
    Server,
    Session,
    read_space,
    row,
    write_sweep,
)
from trainables.trial.report import MEASURES
from tune.report.tensorboard.hyperparameters import hyperparameter_columns


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory, tensorboard_server: Server) -> Iterator[Board]:
    folder = tmp_path_factory.mktemp("night1")
    write_sweep(folder)
    with tensorboard_server(folder) as url:
        yield Board(url)


def test_every_trial_is_a_run_whose_name_says_what_it_is(board: Board) -> None:
    curves = {"val_loss", "val_mae", "val_mse", "train_loss", "lr", "seconds", "peak_memory_bytes"}
    best = {"best/val_loss", "best/val_mae", "best/val_mse"}
    assert board.tags() == dict.fromkeys(
        ("t0000 head_only lr 2e-5", "t0001 full lr 5e-7", "t0002 freeze_ffn lr 1e-6"), curves | best
    )


def test_curves_begin_at_epoch_0_and_steps_are_epochs(board: Board) -> None:
    assert board.curve("t0000", "val_loss") == {0: 0.5, 1: 0.375, 2: 0.25, 3: 0.3125}
    assert board.curve("t0000", "val_mae") == {0: 0.25, 1: 0.1875, 2: 0.125, 3: 0.15625}
    assert board.curve("t0002", "val_mse") == {0: 0.125, 1: 0.1171875}


def test_what_epoch_0_does_not_have_begins_at_epoch_1(board: Board) -> None:
    assert board.curve("t0000", "train_loss") == {1: 1.125, 2: 1.125, 3: 1.125}
    assert board.curve("t0001", "lr") == pytest.approx({1: 5e-7})


def test_costs_are_curves_too(board: Board) -> None:
    assert board.curve("t0001", "peak_memory_bytes") == {0: 5 * 2**30, 1: 5 * 2**30}
    assert board.curve("t0001", "seconds") == {0: 12.5, 1: 12.5}


def test_the_best_epochs_stand_at_their_steps(board: Board) -> None:
    assert board.curve("t0000", "best/val_loss") == {1: 0.375, 2: 0.25}


def test_hparams_lists_every_hyperparameter_with_its_domain(board: Board) -> None:
    described = {info["name"]: info for info in board.experiment()["hparamInfos"]}
    discrete = {name: info["domainDiscrete"] for name, info in described.items() if "domainDiscrete" in info}
    ranges = {name: info["domainInterval"] for name, info in described.items() if "domainInterval" in info}
    assert discrete == {
        "strategy": ["head_only", "freeze_ffn", "full"],
        "batch_size": [16, 32],
        "patience": [2, 3, 6],
    }
    assert ranges == {
        "lr": {"minValue": 5e-7, "maxValue": 1e-4},
        "epochs": {"minValue": 1, "maxValue": 25},
        "weight_decay": {"minValue": 0, "maxValue": 0.2},
        "dropout": {"minValue": 0.1, "maxValue": 0.3},
    }
    assert described.keys() == discrete.keys() | ranges.keys()


def test_hparams_keeps_small_numbers_exactly(board: Board) -> None:
    sessions = board.sessions()
    assert sessions["t0001"]["hparams"] == {**CONSTANT, **FULL}
    assert sessions["t0000"]["hparams"]["lr"] == 2e-5
    assert "dropout" not in sessions["t0001"]["hparams"]


def test_hparams_shows_how_each_trial_ended(board: Board) -> None:
    status = {name: session["status"] for name, session in board.sessions().items()}
    assert status == {"t0000": "STATUS_SUCCESS", "t0001": "STATUS_FAILURE", "t0002": "STATUS_UNKNOWN"}


def test_hparams_shows_the_best_epoch_and_the_last(board: Board) -> None:
    tags = [info["name"]["tag"] for info in board.experiment()["metricInfos"]]
    assert tags == [*(f"best/{name}" for name in MEASURES), *MEASURES]
    assert board.sessions()["t0000"]["metrics"] == {
        **{"best/val_loss": 0.25, "best/val_mae": 0.125, "best/val_mse": 0.0625},
        **{"val_loss": 0.3125, "val_mae": 0.15625, "val_mse": 0.078125},
    }


def test_tensorboard_started_by_hand_shows_the_same(tmp_path: Path, tensorboard_server: Server) -> None:
    write_sweep(tmp_path)
    with tensorboard_server(tmp_path, stock=True) as url:
        by_hand = Board(url)
        assert by_hand.curve("t0000", "val_loss") == {0: 0.5, 1: 0.375, 2: 0.25, 3: 0.3125}
        assert by_hand.curve("t0001", "lr") == pytest.approx({1: 5e-7})
        sessions = by_hand.sessions()
        assert sessions["t0001"]["hparams"]["lr"] == 5e-7
        assert sessions["t0001"]["status"] == "STATUS_FAILURE"


def test_a_trial_that_fails_before_it_reports_is_shown_as_failed(tmp_path: Path, tensorboard_server: Server) -> None:
    session = Session(tmp_path, read_space(tmp_path))
    session.start("t0000", FULL)
    session.end("t0000", error="no such checkpoint")
    with tensorboard_server(tmp_path) as url:
        shown = Board(url).sessions()["t0000"]
        assert shown == {"hparams": FULL, "status": "STATUS_FAILURE", "metrics": {}}


def test_several_evaluations_an_epoch_are_counted_and_the_epoch_is_reported(
    tmp_path: Path, tensorboard_server: Server
) -> None:
    session = Session(tmp_path, read_space(tmp_path))
    session.start("t0000", {**FULL, "evals_per_epoch": 2})
    session.report("t0000", row(0, 0.5), row(0.5, 0.25, best_epoch=0.5), row(1, 0.125, best_epoch=1))
    session.close()
    with tensorboard_server(tmp_path) as url:
        board = Board(url)
        assert board.curve("t0000", "val_loss") == {0: 0.5, 1: 0.25, 2: 0.125}
        assert board.curve("t0000", "epoch") == {0: 0, 1: 0.5, 2: 1}


def test_missing_and_infinite_numbers_leave_gaps_and_further_metrics_are_shown(
    tmp_path: Path, tensorboard_server: Server
) -> None:
    session = Session(tmp_path, read_space(tmp_path))
    session.start("t0000", FULL)
    session.report("t0000", row(0, None), row(1, 0.25, best_epoch=1, extra={"val_mase": 0.75}, mae=math.inf))
    session.report("t0000", row(2, math.nan, best_epoch=1, train_loss=math.nan, lr=None, stopped_by="diverged"))
    session.end("t0000")
    with tensorboard_server(tmp_path) as url:
        board = Board(url)
        assert board.curve("t0000", "val_loss") == {1: 0.25}
        assert board.curve("t0000", "train_loss") == {1: 1.125}
        assert board.curve("t0000", "best/val_mase") == {1: 0.75}
        assert "val_mae" not in board.tags()[board.run_of("t0000")]


@pytest.mark.parametrize(
    ("yaml", "kind", "values"),
    [
        ("{choice: [true, false]}", api_pb2.DATA_TYPE_BOOL, [True, False]),
        ("{choice: [16, auto, null]}", api_pb2.DATA_TYPE_STRING, ["16", "auto", "null"]),
        ("{choice: [0.5, 0.25]}", api_pb2.DATA_TYPE_FLOAT64, [0.25, 0.5]),
    ],
)
def test_choices_of_mixed_types_are_shown_as_text(tmp_path: Path, yaml: str, kind: int, values: list[Any]) -> None:
    space = read_space(tmp_path, f"trainable: moirai\nsearch: {{thing: {yaml}}}\n")
    column = hyperparameter_columns(space)["thing"]
    assert column.type == kind
    assert list(column.domain_discrete) == values


def test_a_list_of_points_shows_the_values_seen(tmp_path: Path) -> None:
    text = "trainable: moirai\nfirst:\n  - {lr: 5.0e-7, strategy: full}\n  - {lr: 1.0e-5, strategy: head_only}\n"
    columns = hyperparameter_columns(read_space(tmp_path, text))
    assert list(columns["lr"].domain_discrete) == [5e-7, 1e-5]
    assert list(columns["strategy"].domain_discrete) == ["full", "head_only"]
