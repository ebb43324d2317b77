"""A trial inside a Ray worker: one class for every model, kept warm from trial to trial."""

from __future__ import annotations

import gc
import logging
import time
from collections.abc import Mapping
from typing import Any

import torch
from ray import tune as ray_tune

from data.errors import UserError
from data.files import is_out_of_room
from data.panel import Panel
from data.task.task import ForecastTask, TaskSpec
from trainables.base import check_hyper
from trainables.device.card import Limits
from trainables.device.precision import resolved
from trainables.sweep_trainable import SweepModel
from trainables.timeline import Activity, Timeline
from trainables.trial.trial import Trial, TrialSpec
from trainables.workload import worthwhile_threads
from tune.ray_backend.messages import Failure, WorkerSettings, config_of, to_result
from tune.records.journal import read_record
from tune.records.trial_record import TrialConfig
from tune.registry import find_trainable

logger = logging.getLogger(__name__)


class RayTrial(ray_tune.Trainable):
    """Runs `trainables.trial.trial.Trial`, a report a step.

    config: a TrialConfig (of the searcher) and WorkerSettings (of the sweep). The panel is mapped from the sweep's
    folder and stays in place when the next trial takes over.
    """

    def setup(self, config: dict[str, Any]) -> None:
        gc.freeze()  # what is imported stays: it need not be looked through after each trial
        self._tasks: dict[str, ForecastTask] = {}
        self._trial: Trial | None = None
        self._start(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._start(new_config)
        return True

    def _start(self, config: dict[str, Any]) -> None:
        started = time.time()
        self.cleanup()
        self._failure = Failure("")
        own, settings = config_of(config), WorkerSettings.from_config(config)
        self._set_up(own, settings)
        Timeline(settings.folder.timeline, own.trial_id).write(Activity.SETUP, started, time.time())

    def _set_up(self, own: TrialConfig, settings: WorkerSettings) -> None:
        gc.collect()
        folder = settings.folder.trial(own.trial_id)
        reports = read_record(folder).reports
        spec = TrialSpec(
            folder=folder.path,
            shared=settings.folder.shared,
            hyper=own.hyper,
            metric=settings.metric,
            seed=own.seed,
            reported_epoch=reports[-1].epoch if reports else -1.0,
            gpu_memory_bytes=settings.gpu_memory_bytes,
            card_limits=Limits(settings.max_gpu_temp, settings.max_gpu_power),
            log_every=settings.log_every,
            max_steps=settings.max_steps,
        )
        device = torch.device("cuda" if settings.use_gpu else "cpu")
        try:
            model, task = find_trainable(settings.trainable)(), self._task(settings)
            torch.set_num_threads(_threads(model, own.hyper, task, settings))
            self._trial = Trial(model, spec, task, device)
        except UserError as error:
            self._failure = Failure(str(error))  # to try again would fail again: sent as a result, not as a crash
        except OSError as error:
            if not is_out_of_room(error, settings.folder.path):
                raise
            self._failure = Failure(str(error), no_room=True)

    def step(self) -> dict[str, Any]:
        try:
            return self._failure.to_result() if self._trial is None else to_result(self._trial.step())
        except UserError as error:
            return Failure(str(error)).to_result()
        except Exception as error:
            if self._trial is not None and is_out_of_room(error, self._trial.spec.folder):
                return Failure(str(error), no_room=True).to_result()
            # Ray shows only the last frame of an error; the trial's folder gets it whole
            logger.exception("trial failed")
            raise

    def cleanup(self) -> None:
        if self._trial is not None:
            self._trial.close()
        self._trial = None

    def _task(self, settings: WorkerSettings) -> ForecastTask:
        if settings.sweep not in self._tasks:
            panel = Panel.load(settings.folder.data)
            self._tasks[settings.sweep] = ForecastTask(panel, TaskSpec.model_validate(settings.task))
        return self._tasks[settings.sweep]


def _threads(model: SweepModel, values: Mapping[str, object], task: ForecastTask, settings: WorkerSettings) -> int:
    """Return how many threads a trial is trained with: on a GPU all that it has, to prepare its batches."""
    if settings.use_gpu:
        return settings.cpus
    hyper = resolved(check_hyper(type(model), values), torch.device("cpu"))
    return worthwhile_threads(model.workload(hyper, task), hyper.batch_size, most=settings.cpus)
