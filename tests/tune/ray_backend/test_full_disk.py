"""A disk that fills up in the middle of a sweep: it stops in good order, and goes on when there is room."""

from __future__ import annotations

import errno
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from data.files import is_out_of_room
from tests.tune.service import DEADLINE, foretune, leaderboard_of, repeatable, start_foretune, wait_for_epoch
from trainables.trial.checkpoint import CheckpointSlot
from tune.ray_backend.messages import Failure, read_result
from tune.records.journal import read_records
from tune.records.sweep_folder import SweepFolder

SWEEP = ("sweep", "quickstart", "--set", "epochs=3", "--trials", "4", "--name", "a", "--no-futility")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, check=False)
    if mounted.returncode != 0:
        pytest.skip("needs the right to mount a file system")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def fill(disk: Path) -> Path:
    """Write a file until there is no room left."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            continue
    return ballast


@pytest.mark.slow  # three sweeps; a checkpoint and a worker without room: below
@pytest.mark.sweeps
def test_a_full_disk_stops_the_sweep_and_costs_nothing(small_disk: Path, tmp_path: Path) -> None:
    process = start_foretune(*SWEEP, "--storage", small_disk, cwd=tmp_path)
    wait_for_epoch(process, small_disk / "a", "t0000", 1)
    ballast = fill(small_disk)
    assert process.wait(timeout=DEADLINE) == 2
    log = (tmp_path / "log.txt").read_text()
    assert "the disk is full" in log
    assert "foretune resume a" in log
    assert "Traceback" not in log
    before = read_records(SweepFolder(small_disk / "a"))
    assert before
    assert not any(record.error for record in before)

    ballast.unlink()
    resumed = foretune("resume", "a", "--storage", small_disk, cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    (tmp_path / "ray_results").mkdir()
    whole = foretune(*SWEEP, cwd=tmp_path)
    assert whole.returncode == 0, whole.stdout + whole.stderr
    (tmp_path / "beside").mkdir()
    (tmp_path / "beside" / "ray_results").symlink_to(small_disk)
    assert repeatable(leaderboard_of("a", tmp_path / "beside")) == repeatable(leaderboard_of("a", tmp_path))


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
