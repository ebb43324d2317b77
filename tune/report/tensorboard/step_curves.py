"""The training loss by optimiser step in TensorBoard: a run beside each trial's own, whose steps are epochs."""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.scalar.summary_v2 import scalar_pb
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from search_spaces.space import SearchSpace
from trainables.trial.report import TRAIN_PART, Report
from trainables.trial.step_losses import STEP
from tune.records.journal import Journal
from tune.records.trial_record import TrialConfig
from tune.report.tensorboard.hyperparameters import hyperparameter_columns
from tune.report.tensorboard.messages import EVENT_FILES
from tune.report.tensorboard.runs import RunFolders

RUN = "steps"  # the folder of these events in that of the trial's run: a run of its own
SECONDS = 1.0  # between two looks at the trials that run


class StepCurves:
    """Writes what trials have in steps.csv as the scalars train/loss_by_step and the like; a callback of the sweep.

    Their steps are optimiser steps. A step that is in TensorBoard already is not written again, whatever was
    interrupted.
    """

    def __init__(self, journal: Journal, space: SearchSpace) -> None:
        self.folder, self.journal = journal.folder, journal
        self._folders = RunFolders(self.folder, hyperparameter_columns(space))
        self._running: dict[str, _StepRun] = {}
        self._next = 0.0  # when the next look may be, on the monotonic clock
        for record in journal.records:
            if record.is_finished:
                self._run(record.trial_id)
                self._close(record.trial_id)

    def trial_started(self, config: TrialConfig) -> None:
        self._run(config.trial_id).catch_up()

    def trial_reported(self, trial_id: str, report: Report) -> None:
        self._run(trial_id).catch_up()

    def trial_ended(self, trial_id: str) -> None:
        self._run(trial_id)
        self._close(trial_id)

    def tick(self) -> None:
        if time.monotonic() < self._next:
            return
        for run in self._running.values():
            run.catch_up()
        self._next = time.monotonic() + SECONDS

    def close(self) -> None:
        for trial_id in list(self._running):
            self._close(trial_id)

    def _run(self, trial_id: str) -> _StepRun:
        if trial_id not in self._running:
            run = self._folders.of(trial_id, self.journal.record(trial_id).hyper)
            self._running[trial_id] = _StepRun(run / RUN, self.folder.trial(trial_id).steps)
        return self._running[trial_id]

    def _close(self, trial_id: str) -> None:
        run = self._running.pop(trial_id)
        run.catch_up()
        run.close()


class _StepRun:
    """The events of one trial; the file of a session is made when there is something to write."""

    def __init__(self, folder: Path, steps: Path) -> None:
        self.folder, self._rows = folder, _NewRows(steps)
        self._writer: EventFileWriter | None = None
        self._last_step: int | None = None  # in TensorBoard, of all sessions

    def catch_up(self) -> None:
        """Write the rows that have come since the last call."""
        written = False
        for row in self._rows:
            if self._last_step is None:
                self._last_step = _last_step(self.folder)
            step = int(row.pop(STEP))
            if step <= self._last_step:
                continue
            if self._writer is None:
                self._writer = EventFileWriter(str(self.folder))
            points = [scalar_pb(_tag(name), value).value[0] for name, value in row.items() if math.isfinite(value)]
            self._writer.add_event(Event(wall_time=time.time(), step=step, summary=Summary(value=points)))
            self._last_step, written = step, True
        if written and self._writer is not None:
            self._writer.flush()

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


class _NewRows:
    """Iterates over the rows of a CSV file of numbers that nobody has read yet, whole ones alone; again for more.

    A file that was replaced is read from its beginning.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._place, self._inode = 0, 0

    def __iter__(self) -> Iterator[dict[str, float]]:
        with suppress(FileNotFoundError), self.path.open("rb") as file:
            header = file.readline().decode(errors="replace").rstrip("\n").split(",")
            size, inode = self.path.stat().st_size, self.path.stat().st_ino
            if inode != self._inode or size < self._place:
                self._place, self._inode = file.tell(), inode
            file.seek(self._place)
            whole, _, rest = file.read().rpartition(b"\n")
            self._place = file.tell() - len(rest)
            for cells in csv.reader(whole.decode(errors="replace").splitlines()):
                with suppress(ValueError):  # what a fault of the disk has left
                    numbers = dict(zip(header, map(float, cells), strict=True))
                    if numbers.get(STEP, math.nan).is_integer():
                        yield numbers


def _tag(column: str) -> str:
    return f"train/{column.removeprefix(TRAIN_PART)}_by_step"


def _last_step(folder: Path) -> int:
    """Return the last step that earlier sessions wrote; 0 where there is none."""
    files = folder.glob(EVENT_FILES)
    return max((event.step for path in files for event in LegacyEventFileLoader(str(path)).Load()), default=0)
