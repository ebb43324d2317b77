"""The training loss by optimiser step: which rows a trial writes, when, and what a resume leaves of them."""

from __future__ import annotations

import csv
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from data.task.task import ForecastTask
from tests.trainables.trial.toy_trial import CPU, STEPS, Toy, run, spec_in
from trainables.trial import step_losses
from trainables.trial.step_losses import StepLosses
from trainables.trial.trial import Trial

SIZES = [16, 16, 16, 16, 12]  # windows of the steps of an epoch


def rows(folder: Path, name: str = "t0000") -> list[dict[str, float]]:
    with (folder / name / "steps.csv").open(encoding="utf-8", newline="") as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]


def test_a_row_a_step_adds_up_to_the_loss_of_the_epoch(task: ForecastTask, tmp_path: Path) -> None:
    reports = run(Trial(Toy(), spec_in(tmp_path, log_every=1, epochs=2), task, CPU))
    found = rows(tmp_path)
    assert [row["step"] for row in found] == list(range(1, 11))
    for report, epoch in zip(reports[1:], (found[:STEPS], found[STEPS:]), strict=True):
        losses = [row["train_loss"] for row in epoch]
        assert report.train_loss == pytest.approx(
            sum(loss * size for loss, size in zip(losses, SIZES, strict=True)) / 76, rel=1e-6
        )
        assert report.gradient_norm == pytest.approx(sum(row["gradient_norm"] for row in epoch) / 5, rel=1e-6)


def test_a_row_of_several_steps_is_their_mean_and_the_last_of_an_epoch_may_be_of_fewer(
    task: ForecastTask, tmp_path: Path
) -> None:
    run(Trial(Toy(), spec_in(tmp_path, "t0000", log_every=1, epochs=2), task, CPU))
    run(Trial(Toy(), spec_in(tmp_path, "t0001", log_every=2, epochs=2), task, CPU))
    single, pairs = ([row["train_loss"] for row in rows(tmp_path, name)] for name in ("t0000", "t0001"))
    assert [row["step"] for row in rows(tmp_path, "t0001")] == [2, 4, 5, 7, 9, 10]
    first, second = (single[:5], single[5:])
    expected = [mean for e in (first, second) for mean in ((e[0] + e[1]) / 2, (e[2] + e[3]) / 2, e[4])]
    assert pairs == pytest.approx(expected, rel=1e-6)


def test_without_the_option_there_is_no_file(task: ForecastTask, tmp_path: Path) -> None:
    run(Trial(Toy(), spec_in(tmp_path), task, CPU), 2)
    assert not (tmp_path / "t0000" / "steps.csv").exists()


def test_a_resumed_trial_has_every_step_once(
    task: ForecastTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in the second epoch, after three of its steps were written."""
    run(Trial(Toy(), spec_in(tmp_path, "whole", log_every=1), task, CPU))
    monkeypatch.setattr(step_losses, "LEAST_SECONDS", 0.0)
    monkeypatch.setattr(Toy, "dies_at", STEPS + 3)
    with pytest.raises(KeyboardInterrupt):
        run(Trial(Toy(), spec_in(tmp_path, log_every=1), task, CPU))
    assert [row["step"] for row in rows(tmp_path)] == list(range(1, 9))
    with (tmp_path / "t0000" / "steps.csv").open("a") as file:
        file.write("9,0.")  # a kill in the middle of a write
    monkeypatch.setattr(Toy, "dies_at", None)
    run(Trial(Toy(), spec_in(tmp_path, log_every=1, reported_epoch=1.0), task, CPU))
    assert rows(tmp_path) == rows(tmp_path, "whole")


def test_what_a_diverging_trial_lost_is_on_record_until_its_last_step(
    task: ForecastTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Toy, "nan_from", 3)
    assert run(Trial(Toy(), spec_in(tmp_path, log_every=1), task, CPU))[-1].stopped_by == "diverged"
    assert [row["step"] for row in rows(tmp_path)] == [1, 2, 3]  # the fourth ended it


def test_losses_are_read_from_the_device_once_a_second_and_when_a_row_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(step_losses, "time", SimpleNamespace(monotonic=lambda: now[0]))
    losses = StepLosses(tmp_path / "steps.csv", every=2, first_step=0)
    measured, written = torch.arange(24.0).reshape(12, 2), []
    for done in range(1, 13):
        now[0] += 0.3
        losses.step_done(done, measured[:done])
        written.append(len((tmp_path / "steps.csv").read_text().splitlines()) - 1)
    assert written == [0, 0, 0, 2, 2, 2, 2, 4, 4, 4, 4, 6]  # at 1.2, 2.4 and 3.6 s: rows of two steps each
    losses.close()
    assert rows(tmp_path, ".")[0] == {"step": 2, "train_loss": 1.0, "gradient_norm": 2.0}


def test_terms_of_the_loss_have_columns_of_their_own(tmp_path: Path) -> None:
    losses = StepLosses(tmp_path / "steps.csv", every=1, first_step=7, loss_parts=("distill", "hard"))
    losses.step_done(1, torch.tensor([[4.0, 0.5, 1.0, 3.0]]))
    losses.close()
    (row,) = rows(tmp_path, ".")
    assert row == {"step": 8, "train_loss": 4, "gradient_norm": 0.5, "train_distill": 1, "train_hard": 3}
