"""The specification of tune/leaderboard/blends.py: a blend whose file is damaged is not there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainables.trial.report import Scores
from trainables.trial.window_errors import WindowErrors
from tune.leaderboard.blends import blend_standing, read_blends, write_blend
from tune.records.sweep_folder import SweepFolder

EPOCHS = {"t0000": 2.0, "t0001": 1.0}


@pytest.fixture
def blend(tmp_path: Path) -> Path:
    """The file of a blend of two trials."""
    standing = blend_standing("soup", {"t0000": 0.5, "t0001": 0.5}, Scores(val_loss=0.25), 0.125, {"lr": 1e-5})
    errors = WindowErrors(np.zeros(1, dtype=np.int32), {"val_loss": np.full(1, 0.25, dtype=np.float32)})
    write_blend(SweepFolder(tmp_path), standing, errors, EPOCHS)
    (found,) = read_blends(SweepFolder(tmp_path), EPOCHS)
    assert (found.trial_id, found.gain, found.hyper) == ("soup", 0.125, {"lr": 1e-5})
    (file,) = (tmp_path / "blends").glob("*.json")
    return file


@pytest.mark.parametrize(
    "changed",
    [
        {"gain": "0342-06-01"},
        {"gain": [1]},
        {"hyper": ["lr"]},
        {"hyper": None},
        {"scores": {"val_loss": "x"}},
        {"parts": {}, "epochs": {}},
        {"parts": {"t0000": 1e300, "t0001": 0.5}},
        {"parts": {"t0000": -0.5, "t0001": 0.5}},
        {"parts": {"t0000": None, "t0001": 0.5}},
        {"parts": {"../x": 0.5}, "epochs": {"../x": None}},
    ],
)
def test_a_damaged_blend_is_not_there(blend: Path, changed: dict[str, Any]) -> None:
    blend.write_text(json.dumps({**json.loads(blend.read_text()), **changed}))
    assert read_blends(SweepFolder(blend.parents[1]), EPOCHS) == []
