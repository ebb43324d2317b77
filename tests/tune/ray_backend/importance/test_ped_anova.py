"""Importance is said where the trials show it, with intervals, and not where they cannot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.tune.reports import to_its_end, write_trial
from tune.leaderboard.leaderboard import Leaderboard
from tune.ray_backend.importance.ped_anova import hyperparameter_importances
from tune.records.sweep_folder import SweepFolder


def board_of(folder: Path, trials: int, *, by_rate: float) -> Leaderboard:
    """Trials of random settings whose loss has a valley in the learning rate, of this depth, and noise of 0.1."""
    generator = np.random.default_rng(7)
    for i in range(trials):
        rate = float(10 ** generator.uniform(-6, -3))
        hyper = {
            "lr": rate,
            "weight_decay": float(generator.uniform(0, 0.2)),
            "strategy": str(generator.choice(["full", "head_only"])),
            "batch_size": int(generator.choice([16, 32, 64])),
        }
        loss = by_rate * (np.log10(rate) + 4.5) ** 2 + 0.1 * float(generator.normal())
        write_trial(folder, f"t{i:04d}", hyper, to_its_end([5.0, loss]))
    return Leaderboard.read(SweepFolder(folder), metric="val_loss", sweep_is_running=False)


def test_what_decides_the_loss_has_most_of_the_importance_and_an_interval_above_the_others(tmp_path: Path) -> None:
    found = hyperparameter_importances(board_of(tmp_path, 50, by_rate=1.0))
    assert not found.why_none
    assert next(iter(found.of)) == "lr"
    assert set(found.of) == {"lr", "weight_decay", "strategy", "batch_size"}
    assert sum(each.share for each in found.of.values()) == pytest.approx(1)
    assert all(0 <= each.low <= each.share <= each.high <= 1 for each in found.of.values())
    rate = found.of.pop("lr")  # type: ignore[attr-defined]
    assert rate.low > max(each.share for each in found.of.values())


def test_noise_has_no_importance(tmp_path: Path) -> None:
    found = hyperparameter_importances(board_of(tmp_path, 50, by_rate=0.0))
    assert found.of == {}
    assert found.why_none == "50 trials cannot tell: shuffled results give importances as large"


def test_few_trials_and_none_say_nothing(tmp_path: Path) -> None:
    found = hyperparameter_importances(board_of(tmp_path, 19, by_rate=1.0))
    assert found.of == {}
    assert found.why_none == "it takes 20 trials to say, and 19 trials came to a value"


def test_trials_that_do_not_differ_say_nothing(tmp_path: Path) -> None:
    for i in range(20):
        write_trial(tmp_path, f"t{i:04d}", {"lr": 1e-5}, to_its_end([5.0, 1.0 + i]))
    board = Leaderboard.read(SweepFolder(tmp_path), metric="val_loss", sweep_is_running=False)
    assert hyperparameter_importances(board).why_none == "no hyperparameter has more than one value"
