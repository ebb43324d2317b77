"""What TensorBoard shows of a sweep that was cut off and goes on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from search_spaces.space import SearchSpace
from tests.tune.report.tensorboard.watched_sweep import FFN, FULL, Board, Server, Session, read_space, row


def begun(folder: Path) -> tuple[SearchSpace, Session]:
    """A session whose only trial has reported its first epoch."""
    space = read_space(folder)
    session = Session(folder, space)
    session.start("t0000", FULL)
    session.report("t0000", row(0, 0.5), row(1, 0.25, best_epoch=1))
    return space, session


@pytest.mark.parametrize("stock", [False, True])
def test_a_resumed_trial_goes_on_in_its_run(tmp_path: Path, tensorboard_server: Server, stock: bool) -> None:
    space, first = begun(tmp_path)
    first.close()
    second = first.next(space)
    second.start("t0000", {**FULL, "lr": 1e-6})  # were it told twice, the first would still hold
    second.report("t0000", row(2, 0.125, best_epoch=2, stopped_by="epochs"))
    second.end("t0000")
    second.close()
    with tensorboard_server(tmp_path, stock=stock) as url:
        board = Board(url)
        assert board.curve("t0000", "val_loss") == {0: 0.5, 1: 0.25, 2: 0.125}
        assert board.sessions()["t0000"]["status"] == "STATUS_SUCCESS"
        assert board.sessions()["t0000"]["hparams"]["lr"] == 5e-7
    assert len(list((tmp_path / "tensorboard" / "sweep").glob("events.out.tfevents.*"))) == 1


@pytest.mark.parametrize("stock", [False, True])
def test_a_report_that_comes_again_takes_the_place_of_the_first(
    tmp_path: Path, tensorboard_server: Server, stock: bool
) -> None:
    space = read_space(tmp_path)
    first = Session(tmp_path, space)
    first.start("t0000", FULL)
    first.report("t0000", row(0, 0.5), row(1, 0.25, best_epoch=1), row(1, 0.375, best_epoch=1))
    first.close()
    second = first.next(space)
    second.start("t0000", FULL)
    second.report("t0000", row(1, 0.3125, best_epoch=1), row(2, 0.125, best_epoch=2))
    second.close()
    with tensorboard_server(tmp_path, stock=stock) as url:
        assert Board(url).curve("t0000", "val_loss") == {0: 0.5, 1: 0.3125, 2: 0.125}
        assert Board(url).curve("t0000", "best/val_loss") == {1: 0.3125, 2: 0.125}


def test_what_the_journal_holds_and_a_kill_kept_back_is_shown_after_resume(
    tmp_path: Path, tensorboard_server: Server
) -> None:
    space = read_space(tmp_path)
    first = Session(tmp_path, space)
    first.start("t0000", FULL)
    first.start("t0001", FFN)
    for trial_id in ("t0000", "t0001"):
        first.report(trial_id, row(0, 0.5))
    first.journal.append("t0000", row(1, 0.25, best_epoch=1, stopped_by="epochs"))
    first.journal.append("t0001", row(1, 0.375, best_epoch=1))
    second = first.next(space)
    second.start("t0001", FFN)
    second.close()
    with tensorboard_server(tmp_path) as url:
        board = Board(url)
        assert board.curve("t0000", "val_loss") == {0: 0.5, 1: 0.25}
        assert board.curve("t0001", "best/val_loss") == {1: 0.375}
        status = {name: session["status"] for name, session in board.sessions().items()}
        assert status == {"t0000": "STATUS_SUCCESS", "t0001": "STATUS_UNKNOWN"}


@pytest.mark.parametrize("stock", [False, True])
def test_a_trial_that_begins_anew_keeps_its_hyperparameters(
    tmp_path: Path, tensorboard_server: Server, stock: bool
) -> None:
    space = read_space(tmp_path)
    first = Session(tmp_path, space)
    first.start("t0000", FULL)
    first.report("t0000", row(0, 0.5))
    first.close()
    second = first.next(space)
    second.start("t0000", FULL)
    second.report("t0000", row(0, 0.5), row(1, 0.25, best_epoch=1))
    second.close()
    with tensorboard_server(tmp_path, stock=stock) as url:
        assert Board(url).curve("t0000", "val_loss") == {0: 0.5, 1: 0.25}
        assert Board(url).sessions()["t0000"]["hparams"] == FULL


@pytest.mark.parametrize("stock", [False, True])
def test_a_half_written_report_is_written_again(tmp_path: Path, tensorboard_server: Server, stock: bool) -> None:
    space, first = begun(tmp_path)
    first.close()
    (file,) = (tmp_path / "tensorboard").glob("t0000 */events.out.tfevents.*")
    file.write_bytes(file.read_bytes()[:-10])
    second = first.next(space)
    second.start("t0000", FULL)
    second.report("t0000", row(2, 0.125, best_epoch=2))
    second.close()
    with tensorboard_server(tmp_path, stock=stock) as url:
        assert Board(url).curve("t0000", "val_loss") == {0: 0.5, 1: 0.25, 2: 0.125}


def test_a_killed_process_loses_nothing_it_was_told(tmp_path: Path, tensorboard_server: Server) -> None:
    script = f"""
import time
from pathlib import Path
from tests.tune.report.tensorboard.watched_sweep import FULL, Session, read_space, row
folder = Path({str(tmp_path)!r})
session = Session(folder, read_space(folder))
session.start("t0000", FULL)
session.report("t0000", row(0, 0.5), row(1, 0.25, best_epoch=1))
print("told", flush=True)
time.sleep(600)
"""
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "told\n"
    process.kill()
    process.communicate(timeout=30)
    with tensorboard_server(tmp_path) as url:
        assert Board(url).curve("t0000", "val_loss") == {0: 0.5, 1: 0.25}
        assert Board(url).sessions()["t0000"]["hparams"]["lr"] == 5e-7
