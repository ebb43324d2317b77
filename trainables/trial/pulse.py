"""What a trial does about once a second while it trains: say where it is, look at the card, wait while that is hot."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor

from trainables.device.card import Card
from trainables.device.card_use import CardReading
from trainables.trial.progress import StepProgress

SECONDS = 1.0  # between two beats


@dataclass
class Pulse:
    """Called after every step of a stretch of training; between two beats it costs a look at the clock.

    file: where it says how far the stretch is, which ends with an evaluation at `epoch` after `steps` steps.
    """

    file: Path
    card: Card | None
    epoch: float
    steps: int

    def __post_init__(self) -> None:
        self._last, self._last_step = time.monotonic(), 0

    def step_done(self, done: int, measured: Tensor) -> None:
        """measured: (2,), loss and gradient norm of the last of `done` steps; reading them waits for the device."""
        now = time.monotonic()
        if now - self._last < SECONDS:
            return
        reading = self.card.look() if self.card else CardReading()
        loss, norm = measured.tolist()
        progress = StepProgress(
            epoch=self.epoch,
            step=done,
            steps=self.steps,
            loss=loss,
            gradient_norm=norm,
            step_seconds=(now - self._last) / (done - self._last_step),
            temperature=reading.temperature,
        )
        progress.write(self.file)
        if self.card and self.card.is_too_hot(reading):
            waiting = replace(progress, is_waiting=True)
            self.card.cool_down(lambda now: replace(waiting, temperature=now.temperature).write(self.file))
        self._last, self._last_step = time.monotonic(), done

    def close(self) -> None:
        """The stretch is over."""
        self.file.unlink(missing_ok=True)
