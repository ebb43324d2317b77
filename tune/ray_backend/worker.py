"""A trial inside a Ray worker: one class for every model, kept warm from trial to trial."""

from __future__ import annotations

import gc
import logging
from pathlib import Path
from typing import Any

import torch
from ray import tune as ray_tune

from data.errors import UserError
from data.panel import Panel
from data.task.task import ForecastTask, TaskSpec
from trainables.trial.trial import Trial, TrialSpec
from tune.records.journal import Journal
from tune.registry import find_trainable

logger = logging.getLogger(__name__)

PANEL_FOLDER = "data"


class RayTrial(ray_tune.Trainable):
    """Runs `trainables.trial.trial.Trial` a report a step.

    config: trial_id, seed, hyper (of the searcher); sweep, trainable, task, metric, cpus, use_gpu, gpu_memory_bytes
    (of the sweep). The panel is mapped from the sweep's folder and stays in place when the next trial takes over.
    """

    def setup(self, config: dict[str, Any]) -> None:
        torch.set_num_threads(int(config["cpus"]))
        self._tasks: dict[str, ForecastTask] = {}
        self._start(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._start(new_config)
        return True

    def _start(self, config: dict[str, Any]) -> None:
        self._trial: Trial | None = None
        self._refusal: str | None = None
        gc.collect()
        sweep = Path(config["sweep"])
        trial_id = config["trial_id"]
        rows = Journal(sweep).read_trial(trial_id).rows
        spec = TrialSpec(
            folder=sweep / trial_id,
            shared=sweep / "shared",
            hyper=config["hyper"],
            metric=config["metric"],
            seed=config["seed"],
            reported_epoch=rows[-1]["epoch"] if rows else -1.0,
            gpu_memory_bytes=config["gpu_memory_bytes"],
        )
        device = torch.device("cuda" if config["use_gpu"] else "cpu")
        try:
            model = find_trainable(config["trainable"])()
            self._trial = Trial(model, spec, self._task(sweep, config["task"]), device)
        except UserError as error:
            self._refusal = str(error)  # trying again would be refused again: told as a report, not as a crash

    def step(self) -> dict[str, Any]:
        try:
            if self._trial is None:
                return _refused(self._refusal or "")
            return dict(self._trial.step())
        except UserError as error:
            return _refused(str(error))
        except Exception:
            # Ray shows only the last frame of an error; the trial's folder gets it whole
            logger.exception("trial failed")
            raise

    def cleanup(self) -> None:
        self._trial = None

    def _task(self, sweep: Path, task: dict[str, Any]) -> ForecastTask:
        if str(sweep) not in self._tasks:
            self._tasks[str(sweep)] = ForecastTask(Panel.load(sweep / PANEL_FOLDER), TaskSpec(**task))
        return self._tasks[str(sweep)]


def _refused(message: str) -> dict[str, Any]:
    return {"epoch": -1, "done": True, "stopped_by": "error", "error": message, "objective": float("nan")}
