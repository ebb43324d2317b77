"""Sweeps on the disk, written by hand as a journal writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from search_spaces.library import load_space
from tests.tune.reports import to_its_end, write_trial
from tune.leaderboard.leaderboard import Leaderboard
from tune.records.journal import read_records
from tune.records.spec import SweepSpec
from tune.records.sweep_folder import SweepFolder
from tune.report.charts.learning_curves import validation_curves

HYPER = {
    "strategy": "head_only",
    "lr": 5e-07,
    "epochs": 3,
    "warmup_steps": 50,
    "weight_decay": 0.1,
    "batch_size": 64,
}
ZERO_SHOT = 0.5
MEMORY = 2_500_000_000


def add_trial(
    folder: Path, trial_id: str, losses: list[float], *, stopped_by: str | None = "epochs", **hyper: Any
) -> None:
    """Write a trial with one report an epoch, the first of them epoch 0."""
    write_trial(folder, trial_id, {**HYPER, **hyper}, to_its_end(losses, stopped_by, peak_memory_bytes=MEMORY))


def three_trials(folder: Path) -> Path:
    """t0001 beats zero-shot (0.5) with 0.4 at epoch 2, t0000 with 0.45; t0002 does not."""
    add_trial(folder, "t0000", [ZERO_SHOT, 0.46, 0.45, 0.47], strategy="freeze_ffn", lr=1e-5)
    add_trial(folder, "t0001", [ZERO_SHOT, 0.42, 0.40, 0.41])
    add_trial(folder, "t0002", [ZERO_SHOT, 0.55, 0.56], stopped_by="asha", strategy="full", lr=1e-4)
    return folder


def make_spec(**changed: Any) -> SweepSpec:
    space = load_space("moirai-small")
    fields = {
        "name": "night1",
        "space": space.to_dict(),
        "trainable": space.trainable,
        "data": {"path": "/data/<b>etth1</b>.csv", "content_hash": "abc123"},
        "task": {
            "split": "ett",
            "context_length": 512,
            "prediction_length": 96,
            "train_stride": 24,
            "eval_stride": 48,
            "scale": "standard",
        },
        "trials": 24,
        "searcher": "gp",
        "seed": 1234,
        "created": "2026-11-20T22:41:07+00:00",
        "versions": {"torch": "2.15.0", "ray": "2.60.0"},
    }
    return SweepSpec.model_validate({**fields, **changed})


def read_board(folder: Path, *, running: bool = False, metric: str = "val_loss") -> Leaderboard:
    return Leaderboard.read(SweepFolder(folder), metric=metric, sweep_is_running=running)


def draw(folder: Path) -> Figure:
    return validation_curves(read_records(SweepFolder(folder)), read_board(folder))
