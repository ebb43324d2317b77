"""What tests of sweeps and forecasts share: files of series, exported models, and sweeps written by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from data.readers.panel_reader import read_panel
from data.task.task import ForecastTask, TaskSpec
from tests.paths import TOYS
from tests.tune.ranked_sweep import add_trial
from tests.tune.untrained_sweep import make_sweep
from tune.sweep import Sweep


@pytest.fixture
def jsonl(tmp_path: Path) -> Callable[..., Path]:
    """`jsonl(a=[1, None], start="2024-01-01", freq="h")` writes a file of series."""

    def write(name: str = "series.jsonl", *, start: str | None = None, freq: str | None = None, **series: Any) -> Path:
        lines = [{"id": key, "sequence": values, "start": start, "freq": freq} for key, values in series.items()]
        path = tmp_path / name
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        return path

    return write


@pytest.fixture
def export(tmp_path: Path) -> Callable[..., Path]:
    """Write what an export of a sweep is: the model's files, and what foretune.json records.

    data: the file that it was trained on; task: the fields of its TaskSpec.
    """

    def write(
        data: Path,
        *,
        trainable: str = f"{TOYS / 'last_plus_one.py'}",
        save: Callable[[Path, ForecastTask], None] = lambda folder, task: None,
        hyperparameters: dict[str, Any] | None = None,
        **task: Any,
    ) -> Path:
        panel = read_panel(data)
        made = ForecastTask(panel, TaskSpec(**task), parts=())
        folder = tmp_path / "night1" / "best"
        folder.mkdir(parents=True)
        save(folder, made)
        record = {
            "sweep": "night1",
            "trial_id": "t0007",
            "trainable": trainable,
            "best_epoch": 2,
            "hyperparameters": {"lr": 1e-4, "epochs": 2, "batch_size": 4, **(hyperparameters or {})},
            "task": made.describe(),
            "data": {"path": str(data), "format": None, "columns": None, "time_column": None,
                     "content_hash": panel.content_hash},
        }  # fmt: skip
        (folder / "foretune.json").write_text(json.dumps(record), encoding="utf-8")
        return folder

    return write


@pytest.fixture
def better(tmp_path: Path) -> Sweep:
    return make_sweep(tmp_path / "better", {"t0000": [0.5, 0.25], "t0001": [0.5, 0.75]})


@pytest.fixture
def worse(tmp_path: Path) -> Sweep:
    return make_sweep(tmp_path / "worse", {"t0000": [0.5, 0.625], "t0001": [0.5, 0.75]})


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """Zero-shot 0.5; t0001 0.25, t0000 0.375, t0002 0.75; t0003 has only started."""
    for trial_id, loss in (("t0000", 0.375), ("t0001", 0.25), ("t0002", 0.75)):
        add_trial(tmp_path, trial_id, [0.5, loss])
    add_trial(tmp_path, "t0003", [0.5])
    return tmp_path
