"""Trials and baselines on the disk, written by hand, and the leaderboard that is read from them."""

from __future__ import annotations

import json
from pathlib import Path

from tests.tune.reports import to_its_end, write_trial
from tune.leaderboard.leaderboard import Leaderboard
from tune.records.sweep_folder import SweepFolder

HYPER = {"lr": 1e-4, "epochs": 2, "batch_size": 4}


def add_trial(folder: Path, trial_id: str, losses: list[float], *, mse: float = 0.25) -> None:
    """Write a trial with one report an epoch, the first of them epoch 0; val_mae is always 0.5."""
    write_trial(folder, trial_id, HYPER, to_its_end(losses, mae=0.5, mse=mse, seconds=1.0, peak_memory_bytes=1))


def add_baseline(folder: Path, name: str, val_loss: float | None, val_mse: float = 0.125) -> None:
    path = SweepFolder(folder).shared.baseline(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {"name": name, "val_loss": val_loss, "val_mae": 0.25, "val_mse": val_mse}
    path.write_text(json.dumps(document), encoding="utf-8")


def read(folder: Path, metric: str = "val_loss") -> Leaderboard:
    return Leaderboard.read(SweepFolder(folder), metric=metric, sweep_is_running=False)
