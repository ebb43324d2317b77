"""The one callback that Ray calls: it writes the journal and calls the sweep's own callbacks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ray.tune import Callback
from ray.tune.experiment import Trial as RayTrial

from trainables.timeline import Activity, Timeline
from trainables.trial.checkpoint import CheckpointSlot
from trainables.trial.folders import BEST, LATEST
from tune.ray_backend.messages import Failure, config_of, read_result
from tune.records.journal import Journal
from tune.records.sweep_callback import SweepCallback


class RayCallback(Callback):
    """Writes the journal first, then calls the sweep's callbacks; Ray's own loggers are off."""

    def __init__(self, journal: Journal, callbacks: Sequence[SweepCallback], *, scheduler: str) -> None:
        self.journal, self.callbacks, self.scheduler = journal, callbacks, scheduler
        self.timeline = Timeline(journal.folder.timeline)
        self.no_room: str | None = None  # why the disk of a worker had no room

    def __getstate__(self) -> dict[str, object]:
        return {}  # Ray pickles callbacks into a snapshot that is never read

    def on_trial_start(self, iteration: int, trials: list[RayTrial], trial: RayTrial, **info: object) -> None:
        config = config_of(trial.config)
        self.journal.start(config)
        for callback in self.callbacks:
            callback.trial_started(config)

    def on_trial_result(
        self, iteration: int, trials: list[RayTrial], trial: RayTrial, result: dict[str, object], **info: object
    ) -> None:
        trial_id = config_of(trial.config).trial_id
        message = read_result(result, scheduler=self.scheduler)
        if isinstance(message, Failure) and message.no_room:
            self.no_room = self.no_room or message.text
            return
        with self.timeline.of(Activity.RECORDING):
            if isinstance(message, Failure):
                self.journal.fail(trial_id, message.text)
                return
            self.journal.append(trial_id, message)
            for callback in self.callbacks:
                callback.trial_reported(trial_id, message)

    def on_trial_complete(self, iteration: int, trials: list[RayTrial], trial: RayTrial, **info: object) -> None:
        trial_id = config_of(trial.config).trial_id
        folder = self.journal.folder.trial(trial_id).path
        CheckpointSlot(folder, LATEST).clear()  # the optimiser's state is of no more use
        CheckpointSlot(folder, BEST).prune(1)  # every report is on record
        self._end(trial_id)

    def on_trial_error(self, iteration: int, trials: list[RayTrial], trial: RayTrial, **info: object) -> None:
        trial_id, error_file = config_of(trial.config).trial_id, trial.error_file
        self.journal.fail(trial_id, Path(error_file).read_text(encoding="utf-8") if error_file else "the worker died")
        self._end(trial_id)

    def on_step_end(self, iteration: int, trials: list[RayTrial], **info: object) -> None:
        for callback in self.callbacks:
            callback.tick()

    def _end(self, trial_id: str) -> None:
        for callback in self.callbacks:
            callback.trial_ended(trial_id)
