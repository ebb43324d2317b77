"""Runs a sweep's trials under Ray Tune until all have ended, the time is up, or a signal comes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from data.files import replace_text
from tune.planning.budget import Budget, look_at_machine, plan_budget
from tune.records.journal import Journal, Row
from tune.records.spec import SweepError
from tune.sweep import CLOCK_FILE, Sweep

WORKER_RETRIES = 2  # a worker that died is replaced this often, and its trial goes on at its checkpoint

Ending = Literal["finished", "time budget", "interrupted"]


class SearchClock:
    """Counts the seconds of search over all sessions of a sweep; an observer that writes them down."""

    def __init__(self, folder: Path, used_before: float) -> None:
        self.path, self.used_before = folder / CLOCK_FILE, used_before
        self.started: float | None = None  # at the first trial: Ray's start is not part of the search
        self.written = 0.0

    @property
    def seconds(self) -> float:
        return self.used_before + (0.0 if self.started is None else time.monotonic() - self.started)

    def trial_started(self, trial_id: str, hyper: dict[str, Any]) -> None:
        self.started = self.started or time.monotonic()
        self.write()

    def trial_reported(self, trial_id: str, row: Row) -> None:
        self.write()

    def trial_ended(self, trial_id: str) -> None:
        self.write()

    def tick(self) -> None:
        if time.monotonic() - self.written > 30:
            self.write()

    def close(self) -> None:
        self.write()

    def write(self) -> None:
        self.written = time.monotonic()
        replace_text(self.path, json.dumps({"seconds": round(self.seconds, 1)}))


def run_search(sweep: Sweep, observers_of: Callable[[Journal], list[Any]]) -> Ending:
    """Run the trials that are left, until all have ended, the time is up, or a signal comes.

    observers_of: makes those who watch, once the sweep is held and just before the first trial.
    Raises SweepError if another process runs this sweep, or its time budget is used up.
    """
    left = _time_left(sweep)
    with sweep.held():
        journal = Journal(sweep.folder)
        clock = SearchClock(sweep.folder, sweep.seconds_used)
        observers = [clock, *observers_of(journal)]
        try:
            stopped_early = _fit(sweep, journal, observers, left)
        finally:
            for observer in observers:
                observer.close()
    if not stopped_early:
        return "finished"
    return "time budget" if left is not None and clock.seconds >= clock.used_before + left else "interrupted"


def _time_left(sweep: Sweep) -> float | None:
    if sweep.spec.time_budget_seconds is None:
        return None
    left = sweep.spec.time_budget_seconds - sweep.seconds_used
    if left <= 0:
        raise SweepError(
            f"the time budget of {sweep.spec.name} is used up ({sweep.seconds_used:.0f} s); "
            "give it more: --time-budget 1h adds an hour"
        )
    return left


def _fit(sweep: Sweep, journal: Journal, observers: list[Any], time_left: float | None) -> bool:
    """Run Ray Tune; return whether trials are left over."""
    from tune.ray_backend.session import ray_session

    spec = sweep.spec
    machine = look_at_machine()
    budget = plan_budget(
        machine, gpus=spec.gpus, max_concurrent=spec.max_concurrent, gpu_memory_bytes=spec.gpu_memory_bytes
    )
    with ray_session(num_cpus=machine.cpus, num_gpus=budget.gpus):
        from ray import tune as ray_tune

        from tune.ray_backend.callback import SweepCallback
        from tune.ray_backend.scheduler import make_scheduler
        from tune.ray_backend.search import StudySearch
        from tune.ray_backend.worker import RayTrial

        _check_cluster(budget)
        space = spec.search_space()
        search = StudySearch(sweep.folder, space, searcher=spec.searcher, seed=spec.seed, trials=spec.trials)
        scheduler = make_scheduler(
            spec.scheduler,
            grace_period=spec.grace_period,
            reduction_factor=spec.reduction_factor,
            max_epochs=int(max(space.numbers("epochs"), default=1)),
            past=journal.read(),
        )
        resources = {"cpu": budget.cpus_per_trial, "gpu": budget.gpu_per_trial}
        tuner = ray_tune.Tuner(
            ray_tune.with_resources(RayTrial, resources),
            param_space={
                "sweep": str(sweep.folder),
                "trainable": spec.trainable,
                "task": spec.task.model_dump(),
                "metric": spec.metric,
                "cpus": budget.cpus_per_trial,
                "use_gpu": budget.gpus > 0,
                "gpu_memory_bytes": budget.gpu_memory_bytes,
            },
            tune_config=ray_tune.TuneConfig(
                search_alg=search,
                scheduler=scheduler,
                num_samples=search.remaining,
                max_concurrent_trials=budget.concurrent,
                reuse_actors=True,
                time_budget_s=time_left,
                trial_dirname_creator=lambda trial: trial.config["trial_id"],
                trial_name_creator=lambda trial: trial.config["trial_id"],
            ),
            run_config=ray_tune.RunConfig(
                name="ray",
                storage_path=str(sweep.folder),
                callbacks=[SweepCallback(journal, observers, scheduler=spec.scheduler)],
                checkpoint_config=ray_tune.CheckpointConfig(checkpoint_at_end=False),  # a trial keeps its own
                failure_config=ray_tune.FailureConfig(max_failures=WORKER_RETRIES),
                verbose=0,
            ),
        )
        if search.remaining:
            tuner.fit()
        return search.has_open_trials


def _check_cluster(budget: Budget) -> None:
    """Refuse what a Ray that was joined cannot give: it would wait for ever, and say nothing."""
    import ray

    there = ray.cluster_resources()
    for name, needed in (("CPU", budget.cpus_per_trial), ("GPU", budget.gpu_per_trial)):
        if there.get(name, 0) < needed:
            raise SweepError(
                f"a trial needs {needed:g} {name} and this Ray has {there.get(name, 0):g}; start Ray with more, "
                "or leave RAY_ADDRESS out to use this machine alone"
            )
