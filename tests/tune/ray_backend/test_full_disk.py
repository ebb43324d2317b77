"""A disk that fills up in the middle of a sweep: it stops in good order, and goes on when there is room."""

from __future__ import annotations

import errno
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from data.files import is_out_of_room
from tests.tune.service import foretune, leaderboard_of, repeatable
from trainables.trial.checkpoint import CheckpointSlot
from tune.ray_backend.messages import Failure, read_result
from tune.records.journal import read_records
from tune.records.sweep_folder import SweepFolder

SWEEP = ("sweep", "quickstart", "--set", "epochs=2", "--trials", "4", "--name", "a", "--no-futility")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB, which may grow."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, check=False)
    if mounted.returncode != 0:
        pytest.skip("needs the right to mount a file system")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.sweeps
def test_a_full_disk_stops_the_sweep_and_costs_nothing(small_disk: Path, tmp_path: Path) -> None:
    stopped = foretune(*SWEEP, cwd=small_disk)
    assert stopped.returncode == 2, stopped.stdout + stopped.stderr
    assert "the disk is full" in stopped.stderr
    assert "foretune resume a" in stopped.stderr
    assert "Traceback" not in stopped.stdout + stopped.stderr
    folder = SweepFolder(small_disk / "ray_results" / "a")
    before = read_records(folder)
    assert before
    assert not any(record.error for record in before)

    subprocess.run(["mount", "-o", "remount,size=64m", small_disk], check=True)
    resumed = foretune("resume", "a", cwd=small_disk)
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    whole = foretune(*SWEEP, cwd=tmp_path)
    assert whole.returncode == 0, whole.stdout + whole.stderr
    assert repeatable(leaderboard_of("a", small_disk)) == repeatable(leaderboard_of("a", tmp_path))


def test_a_checkpoint_that_finds_no_room_leaves_the_one_before_and_nothing_of_itself(tmp_path: Path) -> None:
    slot = CheckpointSlot(tmp_path, "best")
    slot.write(1, lambda folder: (folder / "weights").write_text("good"))

    def fill(folder: Path) -> None:
        (folder / "weights").write_text("half")
        raise RuntimeError("writer failed") from OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left") as error:
        slot.write(2, fill)
    assert error.value.errno == errno.ENOSPC
    assert [path.name for path in tmp_path.iterdir()] == ["best_000001"]


def test_other_errors_are_no_want_of_room(tmp_path: Path) -> None:
    assert not is_out_of_room(OSError(errno.EACCES, "Permission denied"), tmp_path)
    assert not is_out_of_room(RuntimeError("no"), tmp_path)
    assert is_out_of_room(OSError(errno.EDQUOT, "Disk quota exceeded"), tmp_path)


def test_a_worker_without_room_ends_no_trial() -> None:
    result = Failure("full", no_room=True).to_result()
    assert result["done"] is False
    assert read_result(result, scheduler="asha") == Failure("full", no_room=True)
    assert read_result(Failure("bad").to_result(), scheduler="asha") == Failure("bad")
