"""A power cut, as far as it can be made without one: every process is killed, and files lose what was not forced to
the disk."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

from tests.paths import REPOSITORY

RECORDER = Path(__file__).parent / "recorder"


def start_recorded(*arguments: object, cwd: Path) -> subprocess.Popen[bytes]:
    """Start the command line; it and its workers write down what they force to the disk."""
    paths = os.pathsep.join([str(RECORDER), str(REPOSITORY)])
    return subprocess.Popen(
        [sys.executable, "-m", "tune", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": paths, "SYNCED_LOG": str(cwd / "synced.txt")},
        stdout=(cwd / "log.txt").open("w"),
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def cut_power(folder: Path, log: Path) -> Counter[str]:
    """Cut every file of a folder to what was forced to the disk, those of which nothing was to nothing.

    SQLite and memory-mapped files are forced by their libraries, which are not recorded: they lose everything. Return
    how many files lost nothing, a part, or all.
    """
    synced: dict[int, int] = {}
    for line in log.read_text().splitlines():
        inode, size = map(int, line.split())
        synced[inode] = size
    lost: Counter[str] = Counter()
    for path in folder.rglob("*"):
        if not path.is_file() or path.suffix == ".lock" or path.name == ".lock":
            continue
        found = path.stat()
        kept = min(found.st_size, synced.get(found.st_ino, 0))
        lost["nothing" if kept == found.st_size else "a part" if kept else "all"] += 1
        os.truncate(path, kept)
    return lost
