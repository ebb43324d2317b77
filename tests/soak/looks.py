"""What a long sweep takes as it goes on: memory, open files and disk, looked at again and again."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil

from tests.tune.service import DEADLINE, start_foretune

MEGABYTE = 1e6
TRIALS = "t[0-9]*"


@dataclass(frozen=True)
class Look:
    """One moment of a sweep.

    driver_mb, worker_mb: resident memory of the process that drives it, and of the largest worker. driver_files,
    worker_files: what they have open. disk_mb: of the sweep's folder. shm_mb: of the machine's shared memory that is
    used.
    """

    minutes: float
    trials: int
    driver_mb: float
    worker_mb: float
    driver_files: int
    worker_files: int
    disk_mb: float
    shm_mb: float


def soak(arguments: Sequence[object], name: str, cwd: Path, *, seconds: float, every: float) -> list[Look]:
    """Run a sweep for so many seconds, look at it `every` so many, and end it with Ctrl+C."""
    process = start_foretune(*arguments, cwd=cwd)
    folder = cwd / "ray_results" / name
    try:
        _wait_for_trials(process, folder)
        return list(_looks(process, folder, seconds, every))
    finally:
        process.send_signal(2)
        process.wait(timeout=DEADLINE)


def _wait_for_trials(process: subprocess.Popen[bytes], folder: Path) -> None:
    started = time.monotonic()
    while len(list(folder.glob(TRIALS))) < 3:
        assert process.poll() is None, (folder.parents[1] / "log.txt").read_text()
        assert time.monotonic() - started < DEADLINE
        time.sleep(0.2)


def _looks(process: subprocess.Popen[bytes], folder: Path, seconds: float, every: float) -> Iterator[Look]:
    began = time.monotonic()
    while (passed := time.monotonic() - began) < seconds:
        assert process.poll() is None, (folder.parents[1] / "log.txt").read_text()[-3000:]
        driver = psutil.Process(process.pid)
        workers = [p for p in driver.children(recursive=True) if p.name().startswith("ray::")]
        largest = max(workers, key=lambda p: p.memory_info().rss, default=None)
        yield Look(
            minutes=passed / 60,
            trials=len(list(folder.glob(TRIALS))),
            driver_mb=driver.memory_info().rss / MEGABYTE,
            worker_mb=largest.memory_info().rss / MEGABYTE if largest else 0.0,
            driver_files=driver.num_fds(),
            worker_files=largest.num_fds() if largest else 0,
            disk_mb=sum(f.stat().st_size for f in _files(folder)) / MEGABYTE,
            shm_mb=psutil.disk_usage("/dev/shm").used / MEGABYTE,
        )
        time.sleep(every)


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        try:
            if path.is_file():
                yield path
        except OSError:
            continue  # gone since


def table(looks: Sequence[Look], rows: int = 9) -> str:
    """A row now and then."""
    chosen = [looks[round(i * (len(looks) - 1) / (rows - 1))] for i in range(rows)] if len(looks) > rows else looks
    lines = [
        "| minutes | trials | driver, MB | worker, MB | driver's files | worker's | disk, MB | KB a trial | shm, MB |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {k.minutes:.1f} | {k.trials} | {k.driver_mb:.0f} | {k.worker_mb:.0f} | {k.driver_files} | {k.worker_files} "
        f"| {k.disk_mb:.1f} | {1000 * k.disk_mb / k.trials:.1f} | {k.shm_mb:.0f} |"
        for k in chosen
    ]
    return "\n".join(lines)


def growth(looks: Sequence[Look], name: str) -> float:
    """From the median of the second quarter of the looks to that of the last: the first quarter warms up."""
    quarter = len(looks) // 4
    values = [float(getattr(look, name)) for look in looks]
    return median(values[-quarter:]) - median(values[quarter : 2 * quarter])
