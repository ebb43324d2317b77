"""The record of a sweep's trials: written as reports arrive, read by everything that says what happened."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from data.errors import DamagedFileError
from data.files import read_object, replace_text
from trainables.trial.report import COLUMNS, TEXTS, TRAIN_PART, Report, Row
from tune.records.sweep_folder import SweepFolder, TrialFolder
from tune.records.trial_record import TrialConfig, TrialId, TrialRecord, of_search


def read_records(folder: SweepFolder) -> list[TrialRecord]:
    """Return all trials on record, in order of their ids."""
    return [read_record(trial) for trial in folder.trials()]


def read_record(folder: TrialFolder) -> TrialRecord:
    """Return one trial: its last report of each epoch, where an interruption made two.

    Reports that result.json has lost are those of progress.csv, without a model's further scores. A trial whose
    params.json is damaged has failed: what it was run with is not known.
    """
    by_epoch = {report.epoch: report for report in (*_csv_reports(folder.progress), *_reports(folder.result))}
    reports = tuple(by_epoch[epoch] for epoch in sorted(by_epoch))
    try:
        config = TrialConfig.from_row(read_object(folder.params))
        if config.trial_id != folder.trial_id:
            raise DamagedFileError(f"{folder.params} is of {config.trial_id}")
    except (FileNotFoundError, DamagedFileError, KeyError, TypeError) as error:
        reason = "is missing" if isinstance(error, FileNotFoundError) else "is damaged"
        return TrialRecord(TrialConfig(folder.trial_id, 0, {}), error=f"{folder.params} {reason}")
    error_text = folder.error.read_text(encoding="utf-8", errors="replace") if folder.error.exists() else None
    return TrialRecord(config, reports, error_text)


class Journal:
    """A sweep's record as the process that runs it keeps it: read once, then written to memory and disk alike.

    In each trial's folder: params.json, result.json (a report a line), progress.csv, error.txt.
    """

    def __init__(self, folder: SweepFolder) -> None:
        self.folder = folder
        self._records = {record.trial_id: record for record in read_records(folder)}

    @property
    def records(self) -> list[TrialRecord]:
        """All trials on record, in order of their ids."""
        return list(self._records.values())

    @property
    def searched(self) -> list[TrialRecord]:
        """The trials that the search proposed, without repeats."""
        return of_search(self._records.values())

    @property
    def next_number(self) -> int:
        """The number of the next trial of the search: one more than the highest on record."""
        ids = (TrialId.parse(record.trial_id) for record in self.searched)
        return 1 + max((found.number for found in ids if found is not None), default=-1)

    def record(self, trial_id: str) -> TrialRecord:
        """One trial; KeyError if it has not started."""
        return self._records[trial_id]

    def read_again(self, trial_id: str) -> TrialRecord | None:
        """Read what another process has written of a trial; return what was known before, None if nothing."""
        before = self._records.get(trial_id)
        self._records[trial_id] = read_record(self.folder.trial(trial_id))
        return before

    def start(self, config: TrialConfig) -> None:
        """Record a trial's configuration; again on resume changes nothing, but that it has not failed."""
        folder = self.folder.trial(config.trial_id)
        folder.path.mkdir(parents=True, exist_ok=True)
        folder.error.unlink(missing_ok=True)
        replace_text(folder.params, json.dumps(config.to_row(), indent=1))
        known = self._records.get(config.trial_id)
        self._records[config.trial_id] = TrialRecord(config, known.reports if known else ())

    def append(self, trial_id: str, report: Report) -> None:
        """Record one report; it is on the disk when this returns."""
        folder, row = self.folder.trial(trial_id), report.to_row()
        _append_line(folder.result, json.dumps(row) + "\n")
        columns = _csv_columns(folder.progress, row)
        _append_line(folder.progress, _csv_line(row, columns), header=",".join(columns) + "\n")
        self._records[trial_id] = self._records[trial_id].with_report(report)

    def fail(self, trial_id: str, message: str) -> None:
        """Record that a trial ended with an error."""
        replace_text(self.folder.trial(trial_id).error, message)
        self._records[trial_id] = replace(self._records[trial_id], error=message)


def _append_line(path: Path, line: str, *, header: str = "") -> None:
    """Write a line to the end of a file and to the disk; an empty file gets the header first."""
    with path.open("a+b") as file:
        if file.tell() == 0:
            file.write(header.encode())
        else:
            # a kill in the middle of a write leaves half a line: close it, so that the next one is a line of its own
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")
        file.write(line.encode())
        file.flush()
        os.fsync(file.fileno())


def _csv_columns(path: Path, row: Row) -> tuple[str, ...]:
    """Return the columns that a file has, one of before some measures too, or those of a new one that begins with row:
    all but a model's further scores."""
    parts = tuple(name for name in row if name.startswith(TRAIN_PART) and name not in COLUMNS)
    with suppress(OSError), path.open(encoding="utf-8", errors="replace") as file:
        found = tuple(file.readline().rstrip("\n").split(","))
        if set(found) <= {*COLUMNS, *parts} and "epoch" in found:
            return found
    return (*COLUMNS, *parts)


def _csv_line(row: Row, columns: tuple[str, ...]) -> str:
    buffer = io.StringIO()
    csv.DictWriter(buffer, columns, extrasaction="ignore", lineterminator="\n").writerow(row)
    return buffer.getvalue()


def _reports(path: Path) -> Iterator[Report]:
    """Read a report a line; one that a kill or a fault of the disk left unreadable is passed over."""
    if not path.is_file():
        return
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        with suppress(ValueError, KeyError, TypeError, OverflowError, RecursionError):
            yield Report.from_row(json.loads(line))


def _csv_reports(path: Path) -> Iterator[Report]:
    """Read the same reports from progress.csv."""
    if not path.is_file():
        return
    lines = path.read_text(encoding="utf-8", errors="replace").replace("\0", "").splitlines()
    with suppress(csv.Error):
        for row in csv.DictReader(lines):
            with suppress(ValueError, KeyError, TypeError, OverflowError):
                if any(cell is None for cell in row.values()):
                    continue  # half a line: its last number may be cut
                cells = {name: cell or None for name, cell in row.items()}
                yield Report.from_row({k: float(v) if v and k not in TEXTS else v for k, v in cells.items()})
