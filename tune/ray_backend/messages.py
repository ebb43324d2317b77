"""What passes between Ray's driver and its workers: a trial's configuration down, a report or a failure up."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from trainables.trial.report import Report, StopReason
from tune.records.spec import SweepSpec
from tune.records.sweep_folder import SweepFolder
from tune.records.trial_record import TrialConfig

BEST_SO_FAR = "best_so_far"  # a result's objective: what the searcher and the scheduler minimise
EPOCH = "epoch"
WORKER = "worker"  # Ray's configuration of a trial: these settings, and the TrialConfig's fields
_FAILURE, _NO_ROOM, _DONE = "failure", "no_room", "done"


@dataclass(frozen=True)
class WorkerSettings:
    """What all trials of a sweep are run with. sweep: its folder, absolute. cpus: threads of one trial."""

    sweep: str
    trainable: str
    task: Mapping[str, object]
    metric: str
    cpus: int
    use_gpu: bool
    gpu_memory_bytes: int | None
    max_gpu_temp: float | None = None
    max_gpu_power: float | None = None
    log_every: int = 0
    max_steps: int | None = None

    @classmethod
    def of(
        cls, folder: SweepFolder, spec: SweepSpec, *, cpus: int, use_gpu: bool, gpu_memory_bytes: int | None
    ) -> WorkerSettings:
        return cls(
            sweep=str(folder.path),
            trainable=spec.trainable,
            task=spec.task.model_dump(),
            metric=spec.metric,
            cpus=cpus,
            use_gpu=use_gpu,
            gpu_memory_bytes=gpu_memory_bytes,
            max_gpu_temp=spec.max_gpu_temp,
            max_gpu_power=spec.max_gpu_power,
            log_every=spec.log_every,
            max_steps=spec.max_steps,
        )

    @property
    def folder(self) -> SweepFolder:
        return SweepFolder(Path(self.sweep))

    def to_config(self) -> dict[str, object]:
        """Return them as a part of Ray's configuration of a trial."""
        return {WORKER: asdict(self)}

    @classmethod
    def from_config(cls, config: Mapping[str, dict[str, object]]) -> WorkerSettings:
        return cls(**config[WORKER])  # type: ignore[arg-type]  # what `to_config` gave


def config_of(config: Mapping[str, object]) -> TrialConfig:
    """Return what the searcher decided of a trial, from Ray's configuration of it."""
    return TrialConfig.from_row(config)


@dataclass(frozen=True)
class Failure:
    """Why a trial cannot go on, in words for the user; to try again would fail again.

    no_room: the disk is full, which ends the search and leaves the trial where it is.
    """

    text: str
    no_room: bool = False

    def to_result(self) -> dict[str, object]:
        return {
            EPOCH: -1,
            _DONE: not self.no_room,
            _FAILURE: self.text,
            _NO_ROOM: self.no_room,
            BEST_SO_FAR: math.nan,
        }


def to_result(report: Report) -> dict[str, object]:
    """Return a report as Ray takes it; Ray wants a number as objective."""
    row = report.to_row()
    objective = math.nan if report.best_so_far is None else report.best_so_far
    return {**row, BEST_SO_FAR: objective, _DONE: report.stopped_by is not None}


def read_result(result: Mapping[str, object], *, scheduler: str) -> Report | Failure:
    """Read what a worker sent; a stop that the trial did not ask for is the scheduler's."""
    if _FAILURE in result:
        return Failure(str(result[_FAILURE]), no_room=bool(result[_NO_ROOM]))
    report = Report.from_row(result)
    if report.stopped_by is None and result.get(_DONE) and scheduler in set(StopReason):
        return replace(report, stopped_by=StopReason(scheduler))
    return report
