"""The training loss by optimiser step in TensorBoard: each step once, whatever was interrupted."""

from __future__ import annotations

from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader
from tensorboard.util.tensor_util import make_ndarray

from search_spaces.library import load_space
from tests.tune.report.tensorboard.watched_sweep import FULL, Board, Server, Session, read_space, row
from tests.tune.reports import config
from tune.records.journal import Journal
from tune.records.sweep_folder import SweepFolder
from tune.report.tensorboard import step_curves
from tune.report.tensorboard.step_curves import StepCurves

RUN = "t0000 full lr 5e-7"
HEADER = "step,train_loss,gradient_norm\n"


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    journal = Journal(SweepFolder(tmp_path))
    journal.start(config("t0000", FULL))
    return journal


def write(journal: Journal, text: str) -> None:
    with journal.folder.trial("t0000").steps.open("a", encoding="utf-8") as file:
        file.write(text)


def points(journal: Journal, tag: str = "train/loss_by_step") -> list[tuple[int, float]]:
    """Every point in the order in which it was written, of all sessions."""
    events = [
        event
        for path in sorted((journal.folder.tensorboard / RUN / "steps").glob("events.out.tfevents.*"))
        for event in LegacyEventFileLoader(str(path)).Load()
    ]
    return [(e.step, float(make_ndarray(v.tensor))) for e in events for v in e.summary.value if v.tag == tag]


def test_rows_are_written_as_they_come_and_whole_ones_alone(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_curves, "SECONDS", 0.0)
    curves = StepCurves(journal, load_space("moirai-small"))
    curves.trial_started(config("t0000", FULL))
    write(journal, f"{HEADER}2,0.5,1.0\n4,0.")
    curves.tick()
    assert points(journal) == [(2, 0.5)]
    write(journal, "25,2.0\n6,nan,3.0\n")
    curves.tick()
    assert points(journal) == [(2, 0.5), (4, 0.25)]
    assert points(journal, "train/gradient_norm_by_step") == [(2, 1.0), (4, 2.0), (6, 3.0)]
    curves.close()


def test_a_worker_that_was_replaced_goes_on_and_repeats_no_step(journal: Journal) -> None:
    """It cuts what it had written after its last checkpoint, and writes those steps again."""
    curves = StepCurves(journal, load_space("moirai-small"))
    write(journal, f"{HEADER}1,0.5,1\n2,0.25,1\n3,0.125,1\n")
    curves.trial_started(config("t0000", FULL))
    steps = journal.folder.trial("t0000").steps
    steps.with_name("new").write_text(f"{HEADER}1,0.5,1\n2,0.25,1\n")
    steps.with_name("new").replace(steps)
    write(journal, "3,0.125,1\n4,0.0625,1\n")
    curves.trial_reported("t0000", row(1, 0.25))
    curves.close()
    assert points(journal) == [(1, 0.5), (2, 0.25), (3, 0.125), (4, 0.0625)]


def test_the_next_session_writes_what_the_last_one_did_not_also_of_trials_that_have_ended(journal: Journal) -> None:
    first = StepCurves(journal, load_space("moirai-small"))
    first.trial_started(config("t0000", FULL))
    write(journal, f"{HEADER}1,0.5,1\n")
    first.close()
    write(journal, "2,0.25,1\n")
    journal.append("t0000", row(0, 0.5))
    journal.append("t0000", row(1, 0.25, best_epoch=1, stopped_by="epochs"))
    for _ in range(2):
        StepCurves(Journal(journal.folder), load_space("moirai-small")).close()
    assert points(journal) == [(1, 0.5), (2, 0.25)]


def test_a_trial_without_steps_leaves_no_run(journal: Journal) -> None:
    curves = StepCurves(journal, load_space("moirai-small"))
    curves.trial_started(config("t0000", FULL))
    curves.trial_ended("t0000")
    assert not (journal.folder.tensorboard / RUN / "steps").exists()


def test_tensorboard_shows_steps_beside_the_epochs_of_a_trial(tmp_path: Path, tensorboard_server: Server) -> None:
    session = Session(tmp_path, read_space(tmp_path))
    curves = StepCurves(session.journal, read_space(tmp_path))
    session.start("t0000", FULL)
    curves.trial_started(config("t0000", FULL))
    session.report("t0000", row(0, 0.5))
    write(session.journal, f"{HEADER}50,0.75,1\n100,0.5,1\n")
    session.report("t0000", row(1, 0.25, best_epoch=1, loss_parts={"hard": 0.125}))
    session.report("t0000", row(1.4, 0.375, best_epoch=1, stopped_by="max_steps"))  # cut short in its second epoch
    curves.trial_ended("t0000")
    session.end("t0000")
    session.close()
    with tensorboard_server(tmp_path) as url:
        board = Board(url)
        assert board.curve(f"{RUN}/steps", "train/loss_by_step") == {50: 0.75, 100: 0.5}
        assert board.curve(RUN, "val_loss") == {0: 0.5, 1: 0.25, 2: 0.375}
        assert board.curve(RUN, "epoch") == pytest.approx({2: 1.4})
        assert board.curve(RUN, "train_hard") == {1: 0.125}
        assert list(board.sessions()) == ["t0000"]
