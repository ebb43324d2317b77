"""The one callback that Ray calls: it writes the journal and calls the sweep's own callbacks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ray.tune import Callback
from ray.tune.experiment import Trial as RayTrial

from trainables.device.host_memory import WorkerMark, memory_limit_bytes
from trainables.timeline import Activity, Timeline
from trainables.trial.checkpoint import CheckpointSlot
from trainables.trial.folders import BEST, LATEST
from tune.format import count_text, memory
from tune.ray_backend.messages import Failure, config_of, read_result
from tune.records.journal import Journal
from tune.records.sweep_callback import SweepCallback


class RayCallback(Callback):
    """Writes the journal first, then calls the sweep's callbacks; Ray's own loggers are off."""

    def __init__(
        self,
        journal: Journal,
        callbacks: Sequence[SweepCallback],
        *,
        scheduler: str,
        on_memory_death: Callable[[], None],
    ) -> None:
        """on_memory_death: called when the system has ended a worker because the machine's memory ran out."""
        self.journal, self.callbacks, self.scheduler = journal, callbacks, scheduler
        self.on_memory_death = on_memory_death
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
        _forget_metrics(trial)
        self._end(trial_id)

    def on_trial_recover(self, iteration: int, trials: list[RayTrial], trial: RayTrial, **info: object) -> None:
        self._notice_memory_death(config_of(trial.config).trial_id)

    def on_trial_error(self, iteration: int, trials: list[RayTrial], trial: RayTrial, **info: object) -> None:
        trial_id, error_file = config_of(trial.config).trial_id, trial.error_file
        reason = self._notice_memory_death(trial_id)
        if reason is None:
            reason = Path(error_file).read_text(encoding="utf-8") if error_file else "the worker died"
        self.journal.fail(trial_id, reason)
        _forget_metrics(trial)
        self._end(trial_id)

    def _notice_memory_death(self, trial_id: str) -> str | None:
        """Return why a worker that has just died was killed, where that was for want of memory."""
        record = self.journal.record(trial_id)
        mark = WorkerMark.read(self.journal.folder.trial(trial_id).worker_mark)
        if mark is None or mark.deaths_now == mark.deaths:
            return None
        self.on_memory_death()
        peak = f", of which it had {memory(record.peak_memory_bytes)} at its peak" if record.reports else ""
        return (
            f"the machine's memory ran out, {memory(memory_limit_bytes())}{peak}: the system ended the trial's process "
            f"{count_text(mark.deaths_now, 'time')}, at last with {count_text(mark.micro_batch_size, 'window')} at "
            "once; run fewer trials at once (--max-concurrent), shorten --context-length or take a smaller model"
        )

    def on_step_end(self, iteration: int, trials: list[RayTrial], **info: object) -> None:
        for callback in self.callbacks:
            callback.tick()

    def _end(self, trial_id: str) -> None:
        for callback in self.callbacks:
            callback.trial_ended(trial_id)


def _forget_metrics(trial: RayTrial) -> None:
    """Free the statistics that Ray keeps of every number of a report: 34 KB a trial and more, most of what a sweep's
    driver grows by (docs/reliability.md), and not read here."""
    trial.run_metadata.metric_analysis.clear()
    trial.run_metadata.metric_n_steps.clear()
