"""A trial epoch by epoch: the terms of its loss beside the loss."""

from __future__ import annotations

import io

from rich.console import Console

from tests.tune.reports import config, report
from tune.cli.tables.epochs import print_epochs
from tune.records.trial_record import TrialRecord


def printed(*losses: dict[str, float | None]) -> list[str]:
    reports = tuple(
        report(epoch, 0.5, train_loss=0.75 if epoch else None, loss_parts=parts) for epoch, parts in enumerate(losses)
    )
    console = Console(width=160, file=io.StringIO(), record=True)
    print_epochs(console, TrialRecord(config("t0000", {"lr": 1e-4}), reports), "val_loss")
    return console.export_text().splitlines()


def test_each_term_of_the_loss_is_a_column() -> None:
    lines = printed({"distill": None, "hard": None}, {"distill": 0.25, "hard": 0.625})
    assert lines[1].split()[:8] == ["epoch", "val_loss", "train", "loss", "train", "distill", "train", "hard"]
    assert lines[3].split()[:5] == ["1", "0.5000", "0.75", "0.25", "0.625"]


def test_a_term_that_was_never_computed_has_no_column() -> None:
    lines = printed({"distill": None, "hard": None}, {"distill": None, "hard": 0.625})
    assert "distill" not in lines[1]
    assert "train hard" in lines[1]
