"""What a sweep tells those who watch it, and the one Ray callback that tells them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from ray.tune import Callback

from trainables.trial.checkpoint import BEST, LATEST, CheckpointSlot
from tune.records.journal import Journal, Row

REPORT_KEYS = (
    "epoch",
    "train_loss",
    "lr",
    "seconds",
    "peak_memory_bytes",
    "best_epoch",
    "objective",
    "stopped_by",
)


class Observer(Protocol):
    """Hears of every trial of a sweep, by the trial's own id; a resumed trial starts again and goes on reporting."""

    def trial_started(self, trial_id: str, hyper: dict[str, Any]) -> None: ...
    def trial_reported(self, trial_id: str, row: Row) -> None: ...
    def trial_ended(self, trial_id: str) -> None:
        """The journal holds how."""

    def tick(self) -> None:
        """Called often, between reports."""

    def close(self) -> None:
        """The session has ended."""


class SweepCallback(Callback):
    """Writes the journal first, then tells the observers; Ray's own loggers are off."""

    def __init__(self, journal: Journal, observers: list[Observer], *, scheduler: str) -> None:
        self.journal, self.observers, self.scheduler = journal, observers, scheduler

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Ray pickles callbacks into a snapshot that is never read

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        config = trial.config
        self.journal.start(config["trial_id"], {key: config[key] for key in ("trial_id", "seed", "hyper")})
        for observer in self.observers:
            observer.trial_started(config["trial_id"], config["hyper"])

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        trial_id = trial.config["trial_id"]
        if result["stopped_by"] == "error":
            self.journal.fail(trial_id, result["error"])
            return
        row = self._row(result)
        self.journal.append(trial_id, row)
        for observer in self.observers:
            observer.trial_reported(trial_id, row)

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        trial_id = trial.config["trial_id"]
        folder = self.journal.folder(trial_id)
        CheckpointSlot(folder, LATEST).clear()  # the optimiser's state is of no more use
        CheckpointSlot(folder, BEST).prune(1)  # every report is on record
        for observer in self.observers:
            observer.trial_ended(trial_id)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        trial_id = trial.config["trial_id"]
        error_file = trial.error_file
        self.journal.fail(trial_id, Path(error_file).read_text(encoding="utf-8") if error_file else "the worker died")
        for observer in self.observers:
            observer.trial_ended(trial_id)

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        for observer in self.observers:
            observer.tick()

    def _row(self, result: dict[str, Any]) -> Row:
        """A report without Ray's additions; a stop that the trial did not ask for is the scheduler's."""
        known = {key: value for key, value in result.items() if key in REPORT_KEYS or key.startswith("val_")}
        if result.get("done") and not result["stopped_by"]:
            known["stopped_by"] = self.scheduler
        return known
