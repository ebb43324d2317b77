"""The specification of tune/cli/progress.py: the lines and the live table against the initial model."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tests.tune.reports import config, report
from tests.tune.untrained_sweep import UNTRAINED, make_sweep
from tune.cli.progress import LiveProgress, PlainProgress
from tune.cli.sweep_state import SweepState
from tune.records.journal import Journal
from tune.sweep import Sweep


def watch(sweep: Sweep, console: Console, kind: type[PlainProgress] | type[LiveProgress]) -> Any:
    state = SweepState(sweep.spec.name, "val_loss", 1, budget_left=None, initial_name=sweep.spec.initial_name)
    return kind(console, Journal(sweep.folder), state)


@pytest.mark.parametrize("initial_name", [UNTRAINED, "zero-shot"])
def test_progress_lines_hold_every_epoch_against_the_start(tmp_path: Path, initial_name: str) -> None:
    sweep = make_sweep(tmp_path / "new", {}, initial_name)
    console = Console(width=160, file=io.StringIO(), record=True)
    progress = watch(sweep, console, PlainProgress)
    progress.journal.start(config("t0000", {"lr": 1e-5}))
    progress.trial_started(config("t0000", {"lr": 1e-5}))
    for each in (report(0, 0.5), report(1, 0.25, stopped_by="epochs")):
        progress.journal.append("t0000", each)
        progress.trial_reported("t0000", each)
    assert console.export_text().splitlines() == [
        "t0000 starts: lr 1e-5",
        f"{initial_name} val_loss 0.5",
        f"t0000 epoch 1 val_loss 0.25 (0.25 better than {initial_name})",
    ]


def test_the_live_table_measures_the_untrained_model_first(tmp_path: Path, better: Sweep) -> None:
    for sweep, told in (
        (make_sweep(tmp_path / "new", {}), "starting Ray and measuring the untrained model …"),
        (make_sweep(tmp_path / "old", {}, "zero-shot"), "starting Ray and measuring zero-shot …"),
        (better, "untrained val_loss 0.5   best t0000 0.25 (0.25 better than untrained)"),
    ):
        console = Console(width=160, file=io.StringIO(), record=True)
        progress = watch(sweep, console, LiveProgress)
        progress.close()
        console.print(progress._draw())
        assert told in console.export_text()
