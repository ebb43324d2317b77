"""report.html, written again while its sweep runs; run as a module, it writes the page once."""

from __future__ import annotations

import logging
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO

import psutil

from trainables.trial.report import Report
from tune.command_text import own_environment
from tune.records.sweep_folder import SweepFolder
from tune.records.trial_record import TrialConfig

logger = logging.getLogger(__name__)

LEAST_SECONDS = 15.0  # from one page to the next
SHARE = 0.25  # of a sweep's time in which a page may be being written
NICENESS = 10  # more than the sweep's own: trials come first
MOST_NICE = 19


class LivePage:
    """Has report.html written after reports, fifteen seconds apart at least; a callback of the sweep.

    A page takes a second or more, so a process of its own writes it, after the trials' in the order of who computes.
    One that took long is followed by a longer wait.
    """

    def __init__(self, folder: SweepFolder) -> None:
        self.folder = folder
        self._is_behind = False
        self._started = 0.0
        self._next = time.monotonic() + LEAST_SECONDS
        self._process: subprocess.Popen[bytes] | None = None
        self._errors: IO[bytes] | None = None
        self._has_failed = False

    def trial_started(self, config: TrialConfig) -> None:
        """A trial that has only started changes no picture."""

    def trial_reported(self, trial_id: str, report: Report) -> None:
        self._is_behind = True

    def trial_ended(self, trial_id: str) -> None:
        self._is_behind = True

    def tick(self) -> None:
        if self._process is not None and self._process.poll() is not None:
            self._end(self._process.returncode)
        if self._process is None and self._is_behind and not self._has_failed and time.monotonic() >= self._next:
            self._start()

    def close(self) -> None:
        """End the process: the page of a sweep that has ended is not to be followed by an older one."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._end(0)

    def _start(self) -> None:
        self._is_behind, self._started = False, time.monotonic()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  # closed at its end; a full pipe would stop it
        words = [str(self.folder.path.parent), self.folder.name]
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "tune.export.live_page", *words],
            env=own_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
            start_new_session=True,  # Ctrl+C is for the sweep
        )
        _give_way(self._process.pid)

    def _end(self, status: int) -> None:
        now = time.monotonic()
        self._next = now + max(LEAST_SECONDS, (now - self._started) / SHARE)
        assert self._errors is not None  # opened with the process
        if status != 0:
            self._has_failed = True
            self._errors.seek(0)
            said = self._errors.read().decode(errors="replace").strip().splitlines()
            reason = said[-1] if said else f"status {status}"
            logger.warning("report.html is not written again before the end of the sweep: %s", reason)
        self._errors.close()
        self._process = self._errors = None


def _give_way(pid: int) -> None:
    try:
        process = psutil.Process(pid)
        if sys.platform == "win32":
            process.nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
        else:
            process.nice(min(MOST_NICE, psutil.Process().nice() + NICENESS))
    except psutil.Error:
        logger.debug("the process that writes report.html has ended, or keeps its priority")


def write_once(storage: Path, name: str) -> None:
    """Write the page of a sweep that another process runs; not once that has ended, and writes its own."""
    from tune.export.summary import write_page
    from tune.sweep import Sweep

    sweep = Sweep.open(storage, name)
    if sweep.is_running:
        write_page(sweep, sweep.leaderboard())


if __name__ == "__main__":
    write_once(Path(sys.argv[1]), sys.argv[2])
