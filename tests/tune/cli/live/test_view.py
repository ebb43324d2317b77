"""The live view, as text at several widths; a sweep written by hand."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tests.tune.reports import config, report
from tests.tune.untrained_sweep import make_sweep
from trainables.device.card_use import CardUse
from trainables.trial.progress import StepProgress
from tune.cli.live.sparkline import sparkline
from tune.cli.live.sweep_state import SweepState
from tune.cli.live.view import View, patience_text, step_text
from tune.records.journal import Journal
from tune.records.trial_record import TrialRecord

HYPER = {"lr": 1e-5, "epochs": 10, "batch_size": 32, "patience": 3}


@pytest.fixture
def view(tmp_path: Path) -> View:
    """A sweep of four trials: one has ended, one trains its third epoch and has been better."""
    sweep = make_sweep(tmp_path / "night", {}, "zero-shot")
    journal = Journal(sweep.folder)
    state = SweepState("night", "val_loss", 4, budget_left=None)
    for trial_id, losses, stopped_by in (("t0000", (1.0, 1.25), "asha"), ("t0001", (1.0, 0.5, 0.75), None)):
        journal.start(config(trial_id, HYPER))
        state.start(config(trial_id, HYPER))
        for epoch, loss in enumerate(losses):
            last = epoch == len(losses) - 1
            card = CardUse(gpu_temperature=64.0) if trial_id == "t0001" else CardUse()
            journal.append(trial_id, report(epoch, loss, stopped_by=stopped_by if last else None, card=card))
            state.add_report(trial_id, journal.record(trial_id).reports[-1])
    state.add_end(journal.record("t0000"))
    return View(state, journal, "Ctrl+C leaves.")


def text_of(view: View, width: int, **options: Any) -> str:
    console = Console(width=width, file=io.StringIO(), record=True, **options)
    console.print(view)
    return console.export_text()


def step_of_the_running_one(view: View, **changed: Any) -> None:
    values = {"epoch": 3.0, "step": 25, "steps": 100, "loss": 0.625, "gradient_norm": 1.5, "step_seconds": 0.25}
    StepProgress(**{**values, **changed}).write(view.journal.folder.trial("t0001").path / "step.json")


def test_the_head_counts_trials_and_the_best_line_holds_it_against_the_start(view: View) -> None:
    text = text_of(view, 160)
    assert "night  1 of 4 trials done, 1 running, 1 stopped early" in text
    assert "zero-shot val_loss 1   best t0001 0.5 (0.5 better than zero-shot)" in text
    assert "t0000 ended (asha)" in text
    assert text.rstrip().endswith("Ctrl+C leaves.")


def test_a_running_trial_has_its_step_its_curve_and_how_near_it_is_to_its_end(view: View) -> None:
    step_of_the_running_one(view)
    (line,) = [line for line in text_of(view, 200).splitlines() if line.startswith("t0001  ")]
    for shown in ("2/10 +25%", "25/100 0.25s", "0.625", "0.75", "█▁▅", "0.5 @1", "1 of 3", "2 MB", "64 °C", "lr 1e-5"):
        assert shown in line, shown


def test_a_trial_whose_card_is_too_hot_says_that_it_waits(view: View) -> None:
    step_of_the_running_one(view, temperature=91.0, is_waiting=True)
    text = text_of(view, 200)
    assert "waits: too hot" in text
    assert "91 °C" in text


@pytest.mark.parametrize("width", [80, 100, 120, 160, 200])
def test_no_line_is_wider_than_the_terminal_and_none_is_broken(view: View, width: int) -> None:
    step_of_the_running_one(view)
    lines = text_of(view, width).splitlines()
    assert all(len(line) <= width for line in lines)
    assert len([line for line in lines if "t0001  " in line]) == 1


def test_without_colour_nothing_but_text_is_written(view: View, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    stream = io.StringIO()
    Console(width=120, file=stream, force_terminal=True).print(view)
    assert "\x1b[3" not in stream.getvalue()  # colours; bold and dim are none


def test_the_time_left_before_any_trial_has_ended_is_that_of_the_measured_epochs() -> None:
    """40 s an epoch; one of ten done, and three more trials of ten, all at a third: 0.333 x (9 + 30) x 40 = 520 s."""
    state = SweepState("night", "val_loss", 4, budget_left=None, share_trained=1 / 3)
    state.start(config("t0000", HYPER))
    assert state.seconds_left() is None
    state.add_report("t0000", report(1, 0.5))
    assert state.seconds_left() == pytest.approx(520)


def test_a_curve_has_its_start_in_its_scale_and_colours_what_is_better() -> None:
    line = sparkline([1.0, 2.0, 0.0, None, 0.5], 1.0)
    assert line.plain == "▅█▁ ▃"
    assert [span.style for span in line.spans] == ["yellow", "yellow", "green", "green"]
    assert sparkline([0.5] * 40, 1.0).plain == "▁" * 16
    assert sparkline([], None).plain == ""
    assert sparkline([0.5], None).plain == "▁"


@pytest.mark.parametrize(
    ("losses", "text"), [((1.0,), ""), ((1.0, 0.5), ""), ((1.0, 0.5, 0.75), "1 of 3"), ((1.0, None, None), "1 of 3")]
)
def test_early_stopping_counts_the_epochs_since_the_best(losses: tuple[float | None, ...], text: str) -> None:
    record = TrialRecord(config("t0000", HYPER), tuple(report(i, loss) for i, loss in enumerate(losses)))
    assert patience_text(record, "val_loss") == text


def test_a_step_in_words() -> None:
    progress = StepProgress(2, 300, 3191, 0.5125, 1.0, 0.3125, temperature=71.0)
    assert step_text("t0003", progress) == (
        "t0003: step 300 of 3191 to epoch 2, loss 0.5125, 0.31s a step, about 15m 03s left, 71 °C"
    )
