"""Runs a sweep's trials under Ray Tune until all have ended, the time is up, or a signal comes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NoReturn

from tune.planning.budget import Budget, look_at_machine, plan_budget
from tune.ray_backend.clock import SearchClock
from tune.ray_backend.session import ray_session
from tune.records.journal import Journal
from tune.records.search_time import Ending
from tune.records.spec import SweepError
from tune.records.sweep_callback import SweepCallback
from tune.sweep import Sweep

logger = logging.getLogger(__name__)

if TYPE_CHECKING:  # Ray takes seconds to import: only once there is something to run
    from ray import tune as ray_tune

    from tune.ray_backend.search import StudySearch

WORKER_RETRIES = 2  # a worker that died is replaced this often, and its trial goes on at its checkpoint


def run_search(
    sweep: Sweep, callbacks_of: Callable[[Journal], Sequence[SweepCallback]], on_ray_death: Callable[[str], NoReturn]
) -> Ending:
    """Run the trials that are left, until all have ended, the time is up, or a signal comes; record which.

    The caller holds the sweep. callbacks_of: makes the callbacks, just before the first trial. on_ray_death: called
    with the name of a process of Ray's that has died, on a thread of its own, when all is on record and nothing of Ray
    runs any more; this function will not return, so it must end or replace the process.
    """
    from tune.ray_backend.study import recover_configurations

    journal = Journal(sweep.folder)
    if recovered := recover_configurations(sweep.folder, journal.records):
        logger.warning("params.json of %s was damaged: written again from the study", ", ".join(recovered))
        journal = Journal(sweep.folder)
    clock = SearchClock(sweep.folder, sweep.spec.time_budget_seconds)
    callbacks = [clock, *callbacks_of(journal)]

    def end_without_ray(name: str) -> None:
        try:
            for callback in callbacks:
                callback.close()
            clock.end(Ending.INTERRUPTED)
        finally:
            on_ray_death(name)

    try:
        has_open_trials = _fit(sweep, journal, callbacks, clock, end_without_ray)
    finally:
        for callback in callbacks:
            callback.close()
    ending = Ending.FINISHED
    if has_open_trials:
        ending = Ending.TIME_BUDGET if clock.is_over else Ending.INTERRUPTED
    clock.end(ending)
    return ending


def _fit(
    sweep: Sweep,
    journal: Journal,
    callbacks: Sequence[SweepCallback],
    clock: SearchClock,
    on_ray_death: Callable[[str], None],
) -> bool:
    """Run Ray Tune; return whether trials are left over."""
    spec = sweep.spec
    machine = look_at_machine()
    budget = plan_budget(
        machine, gpus=spec.gpus, max_concurrent=spec.max_concurrent, gpu_memory_bytes=spec.gpu_memory_bytes
    )
    with ray_session(num_cpus=machine.cpus, num_gpus=budget.gpus, on_death=on_ray_death):
        from tune.ray_backend.search import StudySearch

        _check_cluster(budget)
        search = StudySearch(journal, spec.search_space(), searcher=spec.searcher, seed=spec.seed, trials=spec.trials)
        if search.remaining:
            _tuner(sweep, journal, callbacks, search, budget, clock).fit()
        return search.has_open_trials


def _tuner(
    sweep: Sweep,
    journal: Journal,
    callbacks: Sequence[SweepCallback],
    search: StudySearch,
    budget: Budget,
    clock: SearchClock,
) -> ray_tune.Tuner:
    from ray import tune as ray_tune

    from tune.ray_backend.callback import RayCallback
    from tune.ray_backend.messages import WorkerSettings
    from tune.ray_backend.scheduler import make_scheduler
    from tune.ray_backend.stopper import TimeBudgetStopper
    from tune.ray_backend.worker import RayTrial

    spec = sweep.spec
    scheduler = make_scheduler(
        spec.scheduler,
        grace_period=spec.grace_period,
        reduction_factor=spec.reduction_factor,
        max_epochs=int(max(search.space.numbers("epochs"), default=1)),
        past=journal.records,
    )
    settings = WorkerSettings.of(
        sweep.folder,
        spec,
        cpus=budget.cpus_per_trial,
        use_gpu=budget.gpus > 0,
        gpu_memory_bytes=budget.gpu_memory_bytes,
    )
    resources = {"cpu": budget.cpus_per_trial, "gpu": budget.gpu_per_trial}
    return ray_tune.Tuner(
        ray_tune.with_resources(RayTrial, resources),
        param_space=settings.to_config(),
        tune_config=ray_tune.TuneConfig(
            search_alg=search,
            scheduler=scheduler,
            num_samples=search.remaining,
            max_concurrent_trials=budget.concurrent,
            reuse_actors=True,
            trial_dirname_creator=lambda trial: trial.config["trial_id"],
            trial_name_creator=lambda trial: trial.config["trial_id"],
        ),
        run_config=ray_tune.RunConfig(
            name=sweep.folder.ray.name,
            storage_path=str(sweep.folder.path),
            callbacks=[RayCallback(journal, callbacks, scheduler=spec.scheduler)],
            stop=TimeBudgetStopper(clock),
            checkpoint_config=ray_tune.CheckpointConfig(checkpoint_at_end=False),  # a trial keeps its own
            failure_config=ray_tune.FailureConfig(max_failures=WORKER_RETRIES),
            verbose=0,
        ),
    )


def _check_cluster(budget: Budget) -> None:
    """Reject what a Ray that was joined cannot give: it would wait for ever, and say nothing."""
    import ray

    there = ray.cluster_resources()
    for name, needed in (("CPU", budget.cpus_per_trial), ("GPU", budget.gpu_per_trial)):
        if there.get(name, 0) < needed:
            raise SweepError(
                f"a trial needs {needed:g} {name} and this Ray has {there.get(name, 0):g}; start Ray with more, "
                "or leave RAY_ADDRESS out to use this machine alone"
            )
