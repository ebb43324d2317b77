"""A run a trial, written while the sweep runs: its curves, and its row of HPARAMS."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader
from tensorboard.plugins.hparams import metadata as hparams

from search_spaces.space import SearchSpace
from trainables.device.card_use import CARD_COLUMNS
from trainables.trial.report import COLUMNS, MEASURES, TRAIN_PART, Report
from tune.records.journal import Journal
from tune.records.trial_record import TrialConfig, TrialRecord
from tune.report.tensorboard.hyperparameters import Columns, hyperparameter_columns, hyperparameter_values
from tune.report.tensorboard.messages import (
    EVENT_FILES,
    EventFile,
    curve_points,
    experiment,
    session_end,
    session_start,
)
from tune.report.tensorboard.runs import RunFolders, evaluations_an_epoch, step_of

CURVES = ("train_loss", "gradient_norm", "lr", "seconds", "waited_seconds", "peak_memory_bytes", *CARD_COLUMNS)
BEST = "best/"
SWEEP = "sweep"  # the run of what is of all trials
SUFFIX = ".conclusion"  # of event files that `conclusion` writes, and writes again


class TensorBoardCallback:
    """Writes a run for each trial into the sweep's folder `tensorboard`; a report is on the disk when a call returns.

    Steps are epochs. TensorBoard's steps are whole, so a trial with several evaluations an epoch counts evaluations
    instead, and its curve 'epoch' says how far each one is. best/val_loss and the like are written when an epoch is
    the best so far, at its step: their last point is the trial's result, and what HPARAMS shows.
    A trial that runs or was interrupted has no end yet: HPARAMS calls its status unknown, and a resumed sweep goes on
    in its run. What an earlier session could not write any more is written by the next.
    """

    def __init__(self, journal: Journal, space: SearchSpace, *, metrics: tuple[str, ...] = MEASURES) -> None:
        self.folder, self.journal = journal.folder, journal
        self.columns = hyperparameter_columns(space)
        self._runs: dict[str, _Run] = {}
        self._folders = RunFolders(self.folder, self.columns)
        if hparams.EXPERIMENT_TAG not in _Past.read(self.folder.tensorboard / SWEEP, concluded=True).tags:
            self._write_experiment(space, metrics)
        for record in journal.records:
            if record.is_finished:
                self._settle(record)

    def trial_started(self, config: TrialConfig) -> None:
        self._run(config.trial_id)

    def trial_reported(self, trial_id: str, report: Report) -> None:
        self._run(trial_id).report(report)

    def trial_ended(self, trial_id: str) -> None:
        record = self.journal.record(trial_id)
        run = self._run(trial_id)
        if record.is_finished:
            run.end(failed=record.error is not None)
        self._runs.pop(trial_id).close()

    def tick(self) -> None:
        """Nothing waits: every report was written at once."""

    def close(self) -> None:
        for run in self._runs.values():
            run.close()
        self._runs.clear()

    def _run(self, trial_id: str) -> _Run:
        """The trial's run in this session, with all that is on record of it."""
        if trial_id not in self._runs:
            record = self.journal.record(trial_id)
            self._runs[trial_id] = self._open(record, self._past(record))
        return self._runs[trial_id]

    def _past(self, record: TrialRecord) -> _Past:
        """What earlier sessions wrote of a trial; one that had failed and runs again is written anew."""
        folder = self._folder(record)
        past = _Past.read(folder)
        if not past.has_ended:
            return past
        for path in folder.glob(EVENT_FILES):
            path.unlink()
        return _Past.read(folder)

    def _folder(self, record: TrialRecord) -> Path:
        return self._folders.of(record.trial_id, record.hyper)

    def _open(self, record: TrialRecord, past: _Past) -> _Run:
        run = _Run(self._folder(record), record.hyper, past, self.columns)
        for report in record.reports:
            if step_of(report, record.hyper) > past.last_step:
                run.report(report)
        return run

    def _settle(self, record: TrialRecord) -> None:
        """Complete the run of a trial that ended when nobody could write it: the journal is ahead after a kill."""
        past = _Past.read(self._folder(record))
        if past.has_ended:
            return
        run = self._open(record, past)
        run.end(failed=record.error is not None)
        run.close()

    def _write_experiment(self, space: SearchSpace, metrics: tuple[str, ...]) -> None:
        """Describe HPARAMS' columns; when the search ends, those of the test part are added."""
        titles = {f"{BEST}{name}": f"best {name}" for name in metrics} | {name: f"last {name}" for name in metrics}
        file = EventFile(self.folder.tensorboard / SWEEP)
        file.add(experiment(space.description, self.columns, titles, time.time()))
        file.close()


class _Run:
    """One trial's event file of this session, beside those of earlier ones."""

    def __init__(self, folder: Path, hyper: Mapping[str, object], past: _Past, columns: Columns) -> None:
        self.hyper, self.last_step = hyper, past.last_step
        self._file = EventFile(folder)
        self._file.forget_from(past.last_step + 1)
        if hparams.SESSION_START_INFO_TAG not in past.tags:
            self._file.add(session_start(hyperparameter_values(folder.name, hyper, columns)))

    def report(self, report: Report) -> None:
        """Add a report's curves; one that comes again takes the place of the first."""
        step = step_of(report, self.hyper)
        if step <= self.last_step:
            self._file.forget_from(step)
        self.last_step = step
        scores = report.scores.to_row()
        row = report.to_row()
        parts = {name: row[name] for name in row if name.startswith(TRAIN_PART) and name not in COLUMNS}
        values = {**{name: row[name] for name in CURVES}, **parts, **scores}
        if evaluations_an_epoch(self.hyper) > 1 or step != report.epoch:
            values["epoch"] = report.epoch
        if report.is_best:
            values |= {f"{BEST}{name}": value for name, value in scores.items()}
        self._file.add(curve_points(values), step=step)

    def end(self, *, failed: bool) -> None:
        self._file.add(session_end(failed=failed), step=max(self.last_step, 0))

    def close(self) -> None:
        self._file.close()


@dataclass(frozen=True)
class _Past:
    """What the event files of earlier sessions hold: their tags, and the last step with a curve's point (or -1)."""

    tags: frozenset[str]
    last_step: int

    @property
    def has_ended(self) -> bool:
        return hparams.SESSION_END_INFO_TAG in self.tags

    @classmethod
    def read(cls, folder: Path, *, concluded: bool = False) -> _Past:
        """Read a run. concluded: also what was written after the search."""
        tags, last_step = set[str](), -1
        for path in folder.glob(EVENT_FILES):
            if path.name.endswith(SUFFIX) and not concluded:
                continue
            for event in LegacyEventFileLoader(str(path)).Load():
                here = {value.tag for value in event.summary.value}
                tags |= here
                if any(not tag.startswith("_hparams_/") for tag in here):
                    last_step = max(last_step, event.step)
        return cls(frozenset(tags), last_step)
