"""The specification of tune/cli/progress.py: the lines and the live table against the initial model."""

from __future__ import annotations

import io
import logging
import re
from pathlib import Path

import pytest
from rich.console import Console

from tests.tune.hand_clock import HandClock
from tests.tune.reports import config, report
from tests.tune.untrained_sweep import UNTRAINED, make_sweep
from trainables.trial.progress import StepProgress
from trainables.trial.report import Report
from tune.cli.live import progress as progress_module
from tune.cli.live.progress import LiveProgress, LogFile, PlainProgress
from tune.cli.live.sweep_state import SweepState
from tune.cli.live.watching import Follower
from tune.records.journal import Journal
from tune.records.search_time import Ending, SearchTime
from tune.records.trial_record import TrialConfig
from tune.sweep import Sweep


def state_of(sweep: Sweep) -> SweepState:
    return SweepState(sweep.spec.name, "val_loss", 1, budget_left=None, initial_name=sweep.spec.initial_name)


@pytest.mark.parametrize("initial_name", [UNTRAINED, "zero-shot"])
def test_progress_lines_hold_every_epoch_against_the_start(tmp_path: Path, initial_name: str) -> None:
    sweep = make_sweep(tmp_path / "new", {}, initial_name)
    console = Console(width=160, file=io.StringIO(), record=True)
    progress = PlainProgress(console, Journal(sweep.folder), state_of(sweep))
    hyper = {"lr": 1e-5, "patience": 3}
    progress.journal.start(config("t0000", hyper))
    progress.trial_started(config("t0000", hyper))
    for each in (report(0, 0.5), report(1, 0.25, best_epoch=1, train_loss=0.375), report(2, 0.375, best_epoch=1)):
        progress.journal.append("t0000", each)
        progress.trial_reported("t0000", each)
    assert console.export_text().splitlines() == [
        "t0000 starts: lr 1e-5",
        f"{initial_name} val_loss 0.5",
        f"t0000 epoch 1 val_loss 0.25 (0.25 better than {initial_name}); train 0.375, 40s, saved",
        f"t0000 epoch 2 val_loss 0.375 (0.125 better than {initial_name}); train –, 40s, early stopping 1 of 3",
    ]


def test_the_live_table_measures_the_untrained_model_first(tmp_path: Path, better: Sweep) -> None:
    for sweep, said in (
        (make_sweep(tmp_path / "new", {}), "starting Ray and measuring the untrained model …"),
        (make_sweep(tmp_path / "old", {}, "zero-shot"), "starting Ray and measuring zero-shot …"),
        (better, "untrained val_loss 0.5   best t0000 0.25 (0.25 better than untrained)"),
    ):
        console = Console(width=160, file=io.StringIO(), record=True)
        progress = LiveProgress(console, Journal(sweep.folder), state_of(sweep), sweep.spec)
        progress.close()
        console.print(progress.view)
        assert said in console.export_text()


def test_a_log_file_has_every_line_with_its_time_and_what_is_logged_meanwhile(tmp_path: Path) -> None:
    sweep = make_sweep(tmp_path / "new", {}, "zero-shot")
    for session in range(2):
        log = LogFile(sweep.folder.log, Journal(sweep.folder), state_of(sweep))
        log.journal.start(config(f"t000{session}", {"lr": 1e-5}))
        log.trial_started(config(f"t000{session}", {"lr": 1e-5}))
        logging.getLogger("tune").warning("the GPU is hot")
        log.close()
    logging.getLogger("tune").warning("nobody listens")
    stamp = r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2} "
    lines = sweep.folder.log.read_text(encoding="utf-8").splitlines()
    assert [re.sub(f"^{stamp}", "", line) for line in lines if re.match(stamp, line)] == [
        "session of new: 0 of 1 trials done before",
        "t0000 starts: lr 1e-5",
        "WARNING the GPU is hot",
        "session of new: 0 of 1 trials done before",
        "t0001 starts: lr 1e-5",
        "WARNING the GPU is hot",
    ]


def test_where_the_steps_of_an_epoch_are_is_a_line_a_minute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep = make_sweep(tmp_path / "new", {}, "zero-shot")
    clock = HandClock()
    monkeypatch.setattr(progress_module, "time", clock)
    console = Console(width=160, file=io.StringIO(), record=True)
    progress = PlainProgress(console, Journal(sweep.folder), state_of(sweep))
    progress.journal.start(config("t0000", {}))
    progress.trial_started(config("t0000", {}))
    StepProgress(1, 30, 300, 0.5, 1.0, 0.25).write(sweep.folder.trial("t0000").path / "step.json")
    for _ in range(13):
        clock.now += 10
        progress.tick()
    said = console.export_text().splitlines()[1:]
    assert said == ["t0000: step 30 of 300 to epoch 1, loss 0.5, 0.25s a step, about 1m 08s left"] * 2


# --- from another process


class Heard:
    """A view that writes down what it is called with."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def trial_started(self, config: TrialConfig) -> None:
        self.calls.append(f"{config.trial_id} starts")

    def trial_reported(self, trial_id: str, report: Report) -> None:
        self.calls.append(f"{trial_id} {report.epoch:g}")

    def trial_ended(self, trial_id: str) -> None:
        self.calls.append(f"{trial_id} ends")

    def tick(self) -> None:
        """Nothing between reports."""


def test_a_follower_misses_nothing_of_what_came_while_its_view_was_made(tmp_path: Path) -> None:
    sweep = make_sweep(tmp_path / "new", {}, "zero-shot")
    runs = Journal(sweep.folder)
    runs.start(config("t0000", {}))
    runs.append("t0000", report(0, 0.5))
    before, heard = Journal(sweep.folder), Heard()
    runs.append("t0000", report(1, 0.25, stopped_by="epochs"))
    Follower(sweep, before, heard).look()  # type: ignore[arg-type]
    assert heard.calls == ["t0000 starts", "t0000 1", "t0000 ends"]


def test_a_follower_hears_what_the_process_that_runs_the_sweep_hears(tmp_path: Path) -> None:
    sweep = make_sweep(tmp_path / "new", {}, "zero-shot")
    runs = Journal(sweep.folder)
    runs.start(config("t0000", {}))
    runs.append("t0000", report(0, 0.5))
    heard = Heard()
    follower = Follower(sweep, Journal(sweep.folder), heard)  # type: ignore[arg-type]
    assert heard.calls == ["t0000 starts"]
    runs.append("t0000", report(1, 0.25))
    follower.look()
    runs.append("t0000", report(2, 0.25, stopped_by="epochs"))
    runs.start(config("t0001", {}))
    follower.look()
    runs.fail("t0001", "the worker died")
    follower.look()
    follower.look()
    assert heard.calls == ["t0000 starts", "t0000 1", "t0000 2", "t0000 ends", "t0001 starts", "t0001 ends"]


def test_a_trial_whose_first_reports_came_between_two_looks_has_started_and_does_not_go_on(tmp_path: Path) -> None:
    sweep = make_sweep(tmp_path / "new", {}, "zero-shot")
    console = Console(file=io.StringIO(), width=200)
    before = Journal(sweep.folder)
    follower = Follower(sweep, before, PlainProgress(console, before, state_of(sweep)))
    runs = Journal(sweep.folder)
    runs.start(config("t0000", {}))
    runs.append("t0000", report(0, 0.5))
    follower.look()
    again = Journal(sweep.folder)
    Follower(sweep, again, PlainProgress(console, again, state_of(sweep)))
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert [line.split(":")[0] for line in lines] == ["t0000 starts", "zero-shot val_loss 0.5", "t0000 goes on"]


@pytest.mark.parametrize(
    ("ended", "runs"), [(None, True), (Ending.INTERRUPTED, False), (Ending.FINISHED, False), (Ending.FUTILE, False)]
)
def test_a_sweep_whose_end_is_on_record_is_not_waited_for(tmp_path: Path, ended: Ending | None, runs: bool) -> None:
    """Its last report has just come; the lock of another machine's process cannot be seen."""
    sweep = make_sweep(tmp_path / "new", {}, "zero-shot")
    journal = Journal(sweep.folder)
    journal.start(config("t0000", {}))
    journal.append("t0000", report(1, 0.5))
    SearchTime(1.0, ended).write(sweep.folder)
    follower = Follower(sweep, journal, Heard())  # type: ignore[arg-type]
    follower.look()
    assert follower.is_running is runs
