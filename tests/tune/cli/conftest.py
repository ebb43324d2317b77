"""Commands run in this process, and the sweeps on the disk that they are about."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from data.readers.panel_reader import read_panel
from search_spaces.library import load_space
from tests.tune.cli.command_line import TWO_CORES, Ended, Foretune, everything, write_csv
from tests.tune.reports import to_its_end, write_trial
from tune.cli import main as cli
from tune.cli import sweep_steps
from tune.planning import request
from tune.records.spec import SweepSpec
from tune.records.sweep_folder import SweepFolder


@pytest.fixture
def foretune(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Foretune:
    """Run a command line in this process, on a machine of two cores; a sweep that would start fails the test."""

    def no_search(*_: Any) -> int:
        raise AssertionError("a search was about to start")

    def run(*arguments: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["foretune", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        written = capsys.readouterr()
        return Ended(ended.value.code or 0, written.out, written.err)  # type: ignore[arg-type]  # always a number

    monkeypatch.setattr(sweep_steps, "_run", no_search)
    monkeypatch.setattr(request, "look_at_machine", lambda: TWO_CORES)
    monkeypatch.setenv("COLUMNS", "200")
    return run


@pytest.fixture
def rejected(foretune: Foretune, tmp_path: Path) -> Callable[..., str]:
    """Run what must be rejected: one message on stderr alone, exit 2, and nothing new or changed on the disk."""

    def run(*arguments: object, storage: Path = tmp_path / "ray_results") -> str:
        before = everything(tmp_path)
        ended = foretune(*arguments, "--storage", storage)
        assert (ended.status, ended.out) == (2, ""), ended
        assert ended.err.startswith("foretune: ")
        assert "Traceback" not in ended.err
        assert everything(tmp_path) == before
        return ended.err.removeprefix("foretune: ").rstrip("\n")

    return run


@pytest.fixture
def two_series(tmp_path: Path) -> Path:
    """400 hours from 2024-01-01 of two series."""
    return write_csv(tmp_path / "two.csv", 400, "a", "b")


def add_trial(folder: Path, number: int, losses: list[float], stopped_by: str | None = "epochs") -> None:
    hyper = {"strategy": "full", "lr": 5e-7, "epochs": 3, "warmup_steps": 50, "weight_decay": 0.1, "batch_size": 64,
             "pretrained": "moirai-tiny", "patch_size": 16}  # fmt: skip
    write_trial(folder, f"t{number:04d}", hyper, to_its_end(losses, stopped_by))


@pytest.fixture
def new_sweep(tmp_path: Path) -> Path:
    """A sweep 'night1' of 24 trials that has not begun."""
    folder = tmp_path / "ray_results" / "night1"
    folder.mkdir(parents=True)
    space = load_space("moirai-small")
    panel = read_panel(write_csv(tmp_path / "two.csv", 400, "a", "b"))
    panel.save(folder / "data")
    fields = {
        "name": "night1",
        "space": space.to_dict(),
        "trainable": space.trainable,
        "data": {"path": str(tmp_path / "two.csv"), "content_hash": panel.content_hash},
        "task": {"context_length": 64, "prediction_length": 16},
        "trials": 24,
    }
    SweepSpec.model_validate(fields).write(SweepFolder(folder))
    (folder / ".lock").touch()
    return folder


@pytest.fixture
def night1(new_sweep: Path) -> Path:
    """Zero-shot 0.5; t0001 beats it with 0.4 at epoch 2, t0000 does not; t0002 diverged, t0003 was interrupted."""
    add_trial(new_sweep, 0, [0.5, 0.7, 0.6], "asha")
    add_trial(new_sweep, 1, [0.5, 0.45, 0.4, 0.41])
    add_trial(new_sweep, 2, [0.5, float("nan")], "diverged")
    add_trial(new_sweep, 3, [0.5], None)
    return new_sweep
