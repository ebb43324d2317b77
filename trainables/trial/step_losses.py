"""The training loss by optimiser step: a row every so many steps in a file of the trial, for whoever draws it."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from data.files import replace_text
from trainables.trial.report import TRAIN_PART

STEP = "step"
LEAST_SECONDS = 1.0  # between two writes, which wait for the device


class StepLosses:
    """Writes a stretch of training; a row is the mean since the row before, and the last row of a stretch may be of
    fewer steps.

    The losses stay on the device until they are written: about once a second where as many steps as a row has are
    done, and when the stretch is over. Rows of steps after `first_step`, which a worker that was killed had written,
    are left out: they come again.
    """

    def __init__(self, file: Path, *, every: int, first_step: int, loss_parts: Sequence[str] = ()) -> None:
        """every: steps a row. first_step: optimiser steps that the trial has done before."""
        self.file, self.every, self.first_step = file, every, first_step
        self.columns = (STEP, "train_loss", "gradient_norm", *(f"{TRAIN_PART}{name}" for name in loss_parts))
        self._written, self._last = 0, time.monotonic()
        self._measured: Tensor | None = None
        self._keep_until(first_step)

    def step_done(self, done: int, measured: Tensor) -> None:
        """measured: (done, columns without the step), of the steps of this stretch, on the device."""
        self._measured = measured
        if done - self._written >= self.every and time.monotonic() - self._last >= LEAST_SECONDS:
            whole = (done - self._written) // self.every * self.every
            self._write(measured[self._written : self._written + whole])

    def close(self) -> None:
        """Write what is left: the stretch is over."""
        if self._measured is not None and len(self._measured) > self._written:
            self._write(self._measured[self._written :])

    def _write(self, measured: Tensor) -> None:
        lines = io.StringIO()
        writer = csv.writer(lines, lineterminator="\n")
        for steps in measured.cpu().double().split(self.every):
            self._written += len(steps)
            writer.writerow([self.first_step + self._written, *steps.mean(0).tolist()])
        with self.file.open("a", encoding="utf-8", newline="") as file:
            file.write(lines.getvalue())
        self._last = time.monotonic()

    def _keep_until(self, step: int) -> None:
        """Begin the file, or leave the rows of steps up to this one."""
        header, kept = ",".join(self.columns) + "\n", list[str]()
        if self.file.is_file():
            lines = self.file.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
            if lines[:1] == [header] and all(map(_is_whole, lines)) and _step_of(lines[-1]) <= step:
                return
            kept = [line for line in lines[1:] if _is_whole(line) and 0 < _step_of(line) <= step]
        self.file.parent.mkdir(parents=True, exist_ok=True)
        replace_text(self.file, header + "".join(kept))


def _is_whole(line: str) -> bool:
    """Whether a kill has not cut a line."""
    return line.endswith("\n")


def _step_of(line: str) -> int:
    """Return the step of a row; 0 of the header, or of what a fault of the disk has left."""
    number = line.partition(",")[0]
    return int(number) if number.isascii() and number.isdecimal() else 0
