"""Folders that are either whole or not there, killed in the middle of a write for real."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.paths import REPOSITORY
from trainables.trial.checkpoint import CheckpointSlot

NAMES = ("a.txt", "b.txt", "c.txt")

# Writes folder after folder, three files of the folder's own number in each, until it is killed.
ENDLESS_WRITER = """
import sys
from pathlib import Path
from trainables.trial.checkpoint import CheckpointSlot

def fill(number):
    def write(folder):
        for name in ("a.txt", "b.txt", "c.txt"):
            (folder / name).write_text(str(number) * 20_000)
    return write

slot = CheckpointSlot(Path(sys.argv[1]), "checkpoint", keep=int(sys.argv[2]))
newest = slot.newest()
number = int(newest.name.rpartition("_")[2]) if newest else 0
while True:
    number += 1
    slot.write(number, fill(number))
"""


def fill_with(text: str) -> Callable[[Path], None]:
    def fill(folder: Path) -> None:
        for name in NAMES:
            (folder / name).write_text(text)

    return fill


def texts(folder: Path | None) -> list[str]:
    assert folder is not None
    return [(folder / name).read_text() for name in NAMES]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def slot(tmp_path: Path) -> CheckpointSlot:
    return CheckpointSlot(tmp_path / "t0000", "checkpoint")


def test_the_newest_folder_is_the_only_one_that_stays(slot: CheckpointSlot) -> None:
    for number in (1, 2, 10):
        written = slot.write(number, fill_with(str(number)))
        assert written == slot.newest()
    assert names(slot.folder) == ["checkpoint_000010"]
    assert texts(slot.newest()) == ["10"] * 3


def test_as_many_of_the_newest_stay_as_are_asked_for(tmp_path: Path) -> None:
    slot = CheckpointSlot(tmp_path, "best", keep=2)
    for number in (1, 3, 4):
        slot.write(number, fill_with(str(number)))
    assert [folder.name for folder in slot.folders()] == ["best_000004", "best_000003"]
    slot.prune(1)
    assert names(tmp_path) == ["best_000004"]


def test_a_slot_without_a_folder_is_empty(slot: CheckpointSlot) -> None:
    assert slot.newest() is None
    assert slot.folders() == []
    slot.clear()  # and clearing it is no mistake


def test_slots_in_one_folder_leave_each_other_alone(tmp_path: Path) -> None:
    latest, best = CheckpointSlot(tmp_path, "checkpoint"), CheckpointSlot(tmp_path, "best")
    best.write(1, fill_with("best"))
    latest.write(2, fill_with("latest"))
    (tmp_path / "checkpoint_notes").mkdir()  # not a checkpoint: it has no number
    latest.clear()
    assert names(tmp_path) == ["best_000001", "checkpoint_notes"]
    assert latest.newest() is None


def test_writing_a_number_again_replaces_its_folder(slot: CheckpointSlot) -> None:
    slot.write(3, fill_with("before"))
    slot.write(3, fill_with("after"))
    assert texts(slot.newest()) == ["after"] * 3


def test_folders_of_a_future_that_is_done_anew_go_away(tmp_path: Path) -> None:
    slot = CheckpointSlot(tmp_path, "checkpoint", keep=2)
    for number in (1, 2, 3):
        slot.write(number, fill_with("before"))
    slot.write(2, fill_with("after"))
    assert [folder.name for folder in slot.folders()] == ["checkpoint_000002"]
    assert texts(slot.newest()) == ["after"] * 3


def test_a_write_that_fails_in_the_middle_leaves_the_folder_before(slot: CheckpointSlot) -> None:
    slot.write(1, fill_with("whole"))

    def die(folder: Path) -> None:
        (folder / "a.txt").write_text("half")
        raise KeyboardInterrupt

    for number in (2, 1):  # the next one, and the same one again
        with pytest.raises(KeyboardInterrupt):
            slot.write(number, die)
        assert texts(slot.newest()) == ["whole"] * 3
    slot.write(2, fill_with("next"))
    assert texts(slot.newest()) == ["next"] * 3
    assert names(slot.folder) == ["checkpoint_000002"]  # what the failed writes left is gone


def test_a_removal_that_was_cut_off_leaves_nothing_that_looks_whole(
    slot: CheckpointSlot, monkeypatch: pytest.MonkeyPatch
) -> None:
    slot.write(1, fill_with("old"))

    def die(path: Path, **_: object) -> None:
        if path.exists():
            (path / "a.txt").unlink()
            raise KeyboardInterrupt

    monkeypatch.setattr("trainables.trial.checkpoint.shutil.rmtree", die)
    with pytest.raises(KeyboardInterrupt):
        slot.write(2, fill_with("new"))
    monkeypatch.undo()
    assert [texts(folder) for folder in slot.folders()] == [["new"] * 3]
    slot.write(3, fill_with("newer"))
    assert names(slot.folder) == ["checkpoint_000003"]


@pytest.mark.parametrize("keep", [1, 2])
def test_sigkill_at_any_moment_leaves_a_newest_folder_that_is_whole(keep: int, tmp_path: Path) -> None:
    slot = CheckpointSlot(tmp_path, "checkpoint", keep=keep)
    for round_number in range(4):
        before = slot.newest()
        process = subprocess.Popen([sys.executable, "-c", ENDLESS_WRITER, str(tmp_path), str(keep)], cwd=REPOSITORY)
        try:
            wait_for_another(slot, before)
            time.sleep(0.017 * round_number)  # not in step with the writes
        finally:
            process.kill()
            process.wait(timeout=60)
        assert 1 <= len(slot.folders()) <= keep + 1
        for folder in slot.folders():
            number = int(folder.name.rpartition("_")[2])
            assert texts(folder) == [str(number) * 20_000] * 3


def wait_for_another(slot: CheckpointSlot, before: Path | None) -> None:
    deadline = time.monotonic() + 60
    while slot.newest() == before:
        assert time.monotonic() < deadline, "the writer wrote nothing in a minute"
        time.sleep(0.005)
