"""The record of a sweep's trials: written as reports arrive, read by everyone who asks what happened."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from data.files import replace_text

# One report's columns; a model's further metrics come after them in result.json.
COLUMNS = (
    "epoch",
    "val_loss",
    "val_mae",
    "val_mse",
    "train_loss",
    "lr",
    "seconds",
    "peak_memory_bytes",
    "best_epoch",
    "objective",
    "stopped_by",
)
Row = dict[str, Any]


@dataclass(frozen=True)
class TrialRecord:
    """What is on record of one trial: its hyperparameters, its reports in order of epoch, and how it ended.

    rows: one report an epoch (the last one where an interruption made two); missing numbers are None.
    """

    trial_id: str
    config: dict[str, Any]
    rows: list[Row] = field(default_factory=list)
    error: str | None = None

    @property
    def stopped_by(self) -> str | None:
        """Why it ended: epochs, patience, diverged, asha, median, error; None while it has not."""
        if self.error is not None:
            return "error"
        return self.rows[-1]["stopped_by"] if self.rows else None

    @property
    def is_finished(self) -> bool:
        return self.stopped_by is not None

    def status(self, *, sweep_is_running: bool) -> str:
        """completed, stopped, failed, running or interrupted."""
        if self.is_finished:
            return {"epochs": "completed", "error": "failed"}.get(str(self.stopped_by), "stopped")
        return "running" if sweep_is_running else "interrupted"

    @property
    def zero_shot(self) -> Row | None:
        return self.rows[0] if self.rows and self.rows[0]["epoch"] == 0 else None

    @property
    def trained_rows(self) -> list[Row]:
        return [row for row in self.rows if row["epoch"] > 0]

    def best(self, metric: str) -> Row | None:
        """The best report after epoch 0, smaller is better; None where there is none."""
        scored = [row for row in self.trained_rows if row[metric] is not None]
        return min(scored, key=lambda row: row[metric]) if scored else None

    @property
    def seconds(self) -> float:
        return float(sum(row["seconds"] or 0.0 for row in self.rows))

    @property
    def peak_memory_bytes(self) -> int:
        return max((int(row["peak_memory_bytes"] or 0) for row in self.rows), default=0)


class Journal:
    """The folders of a sweep's trials: params.json, result.json (a report a line), progress.csv, error.txt."""

    def __init__(self, sweep_folder: Path) -> None:
        self.sweep_folder = sweep_folder

    def folder(self, trial_id: str) -> Path:
        return self.sweep_folder / trial_id

    def start(self, trial_id: str, config: Mapping[str, Any]) -> None:
        """Record a trial's hyperparameters; again on resume changes nothing."""
        folder = self.folder(trial_id)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "error.txt").unlink(missing_ok=True)
        replace_text(folder / "params.json", json.dumps(dict(config), indent=1))

    def append(self, trial_id: str, row: Row) -> None:
        """Record one report; it is on the disk when this returns."""
        folder = self.folder(trial_id)
        row = {key: _finite(value) for key, value in row.items()}
        _append_line(folder / "result.json", json.dumps(row) + "\n")
        _append_line(folder / "progress.csv", _csv_line(row), header=",".join(COLUMNS) + "\n")

    def fail(self, trial_id: str, message: str) -> None:
        """Record that a trial ended with an error."""
        replace_text(self.folder(trial_id) / "error.txt", message)

    def read(self) -> list[TrialRecord]:
        """Return all trials on record, in order of their ids."""
        return [self.read_trial(path.parent.name) for path in sorted(self.sweep_folder.glob("t*/params.json"))]

    def read_trial(self, trial_id: str) -> TrialRecord:
        folder = self.folder(trial_id)
        config = json.loads((folder / "params.json").read_text(encoding="utf-8"))
        error_file = folder / "error.txt"
        error = error_file.read_text(encoding="utf-8") if error_file.exists() else None
        by_epoch = {row["epoch"]: row for row in _lines(folder / "result.json")}
        return TrialRecord(trial_id, config, [by_epoch[e] for e in sorted(by_epoch)], error)


def _append_line(path: Path, line: str, *, header: str = "") -> None:
    """Write a line to the end of a file and to the disk; an empty file gets the header first."""
    with path.open("a+b") as file:
        if file.tell() == 0:
            file.write(header.encode())
        else:
            # a kill in the middle of a write leaves half a line: close it, so that the next one stands alone
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")
        file.write(line.encode())
        file.flush()
        os.fsync(file.fileno())


def _csv_line(row: Row) -> str:
    buffer = io.StringIO()
    csv.DictWriter(buffer, COLUMNS, extrasaction="ignore", lineterminator="\n").writerow(row)
    return buffer.getvalue()


def _lines(path: Path) -> Iterator[Row]:
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            continue  # half a line that a kill left; its report is made again from the checkpoint


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
