"""Runs a sweep's trials, and the repeats of its best, under Ray Tune until all have ended, the time is up, or a signal
comes."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

from data.files import is_out_of_room
from trainables.timeline import Activity, Timeline
from tune.command_text import command_text
from tune.format import memory
from tune.planning.budget import Budget, Machine, look_at_machine, plan_budget
from tune.ray_backend.clock import RepeatsReserve, SearchClock
from tune.ray_backend.session import Resources, begin_ray, ray_session, use_warm_workers, wait_for_begun_ray
from tune.records.journal import Journal
from tune.records.repeats import recover_repeats
from tune.records.search_time import Ending
from tune.records.spec import NoRoomError, SweepError, SweepSettings
from tune.records.sweep_callback import SweepCallback
from tune.records.trial_record import TrialConfig
from tune.registry import own_modules
from tune.sweep import Sweep

logger = logging.getLogger(__name__)

if TYPE_CHECKING:  # Ray takes seconds to import: only once there is something to run
    from ray import tune as ray_tune
    from ray.tune.schedulers import TrialScheduler
    from ray.tune.search import Searcher

    from tune.ray_backend.callback import RayCallback
    from tune.ray_backend.search import ListedTrials, StudySearch

WORKER_RETRIES = 2  # a worker that died is replaced this often, and its trial goes on at its checkpoint


def run_search(
    sweep: Sweep,
    callbacks_of: Callable[[Journal], Sequence[SweepCallback]],
    on_ray_death: Callable[[str], NoReturn],
    *,
    repeats_alone: bool = False,
) -> Ending:
    """Run the trials that are left and then the repeats, until all have ended, the time is up, or a signal comes;
    record which.

    The caller holds the sweep. callbacks_of: makes the callbacks, just before the first trial. on_ray_death: called
    with the name of a process of Ray's that has died, on a thread of its own, when all is on record and nothing of Ray
    runs any more; this function will not return, so it must end or replace the process. repeats_alone: leave the search
    as it is, and its time budget to it.
    """
    machine = look_at_machine()
    resources = resources_of(_budget(sweep.spec, machine), sweep.spec.trainable)
    begin_ray(resources)
    _import_what_a_search_needs()
    wait_for_begun_ray()
    from tune.verdict.futility import EarlyEndCallback

    journal = _recovered(sweep)
    clock = SearchClock(sweep.folder, None if repeats_alone else sweep.spec.time_budget_seconds)
    reserve = RepeatsReserve(journal, sweep.spec.repetition, at_once=_budget(sweep.spec, machine).concurrent)
    early = EarlyEndCallback(journal, sweep.spec)
    callbacks: list[SweepCallback] = [clock, reserve, early, *callbacks_of(journal)]
    run = _Run(sweep, journal, callbacks, machine)

    def end_without_ray(name: str) -> None:
        try:
            for callback in callbacks:
                callback.close()
            clock.end(Ending.INTERRUPTED)
        finally:
            on_ray_death(name)

    is_full = False
    try:
        with ray_session(resources, on_death=end_without_ray) as (began, up):
            Timeline(sweep.folder.timeline).write(Activity.RAY_START, began, up)
            _check_cluster(run.budget)
            ending = Ending.FINISHED
            if not repeats_alone:
                ending = run.search(lambda: early.found is not None or clock.is_over_but_for(reserve.seconds))
                if early.found is not None and ending is not Ending.FINISHED:
                    ending = early.found.ending
            if ending not in (Ending.INTERRUPTED, Ending.FUTILE):
                repeated = run.repeats(clock.is_over)
                ending = repeated if ending is Ending.FINISHED else ending
    except Exception as error:
        is_full = isinstance(error, NoRoomError) or is_out_of_room(error, sweep.folder.path)
        if not is_full:
            raise
        raise NoRoomError(_without_room(sweep)) from error
    finally:
        for callback in callbacks:
            with suppress(*([Exception] if is_full else [])):  # what it would write finds no room either
                callback.close()
    clock.end(ending)
    return ending


def _without_room(sweep: Sweep) -> str:
    """Say that the disk is full, what a trial needs of it, and how to go on."""
    folder = sweep.folder.path
    sizes = [sum(f.stat().st_size for f in trial.path.rglob("*") if f.is_file()) for trial in sweep.folder.trials()]
    needed = f", and a trial takes up to {memory(2 * max(sizes))} while it runs" if sizes else ""
    name, storage = sweep.spec.name, folder.parent
    return (
        f"{folder}: the disk is full ({memory(shutil.disk_usage(folder).free)} free{needed}); what is on record stays. "
        f"Make room, then go on with: {command_text('resume', name, storage=storage)}"
    )


def resources_of(budget: Budget, trainable: str) -> Resources:
    """Return what Ray is started with for a sweep's trials."""
    return Resources(budget.concurrent, budget.gpus, ("tune.ray_backend.worker", *own_modules(trainable)))


def _import_what_a_search_needs() -> None:
    """Import what takes seconds, while Ray starts: arch, optuna, SQLAlchemy, torch."""
    import tune.ray_backend.search
    import tune.ray_backend.worker
    import tune.verdict.futility  # noqa: F401


def _recovered(sweep: Sweep) -> Journal:
    """Return the journal, with the configurations of trials that it has lost."""
    from tune.ray_backend.study import recover_configurations

    journal = Journal(sweep.folder)
    if recovered := recover_configurations(sweep.folder, journal.searched):
        journal = Journal(sweep.folder)
    if recovered := [*recovered, *recover_repeats(journal, sweep.spec.seed)]:
        logger.warning("params.json of %s was damaged: written again", ", ".join(recovered))
    return journal


def _budget(spec: SweepSettings, machine: Machine) -> Budget:
    return plan_budget(
        machine, gpus=spec.gpus, max_concurrent=spec.max_concurrent, gpu_memory_bytes=spec.gpu_memory_bytes
    )


class _Run:
    """What Ray Tune is run with in one session: first for the search, then for the repeats."""

    def __init__(self, sweep: Sweep, journal: Journal, callbacks: Sequence[SweepCallback], machine: Machine) -> None:
        self.sweep, self.spec, self.journal, self.callbacks = sweep, sweep.spec, journal, callbacks
        self.budget = _budget(sweep.spec, machine)

    def search(self, is_over: Callable[[], bool]) -> Ending:
        """Run the trials of the search that are left; is_over: whether its time is used up."""
        from tune.ray_backend.scheduler import make_scheduler
        from tune.ray_backend.search import StudySearch

        spec = self.spec
        space = spec.search_space()
        search = StudySearch(
            self.journal, space, searcher=spec.searcher, seed=spec.seed, trials=spec.trials, earlier=spec.earlier
        )
        scheduler = make_scheduler(
            spec.scheduler,
            grace_period=spec.grace_period,
            reduction_factor=spec.reduction_factor,
            past=self.journal.searched,
        )
        if search.remaining and not is_over():
            self._fit(search, search.remaining, scheduler, is_over)
        if not search.has_open_trials:
            return Ending.FINISHED
        return Ending.TIME_BUDGET if is_over() else Ending.INTERRUPTED

    def repeats(self, is_over: Callable[[], bool]) -> Ending:
        """Run the repeats of the best trials that are left, each to its own end."""
        from tune.ray_backend.scheduler import make_scheduler
        from tune.ray_backend.search import ListedTrials

        if (left := self._repeats_left()) and not is_over():
            scheduler = make_scheduler("none", grace_period=1, reduction_factor=2, past=())
            self._fit(ListedTrials(self.journal, left), len(left), scheduler, is_over)
        if not self._repeats_left():
            return Ending.FINISHED
        return Ending.TIME_BUDGET if is_over() else Ending.INTERRUPTED

    def _repeats_left(self) -> list[TrialConfig]:
        return self.spec.repetition.left(self.journal.records)

    def _fit(
        self, search: StudySearch | ListedTrials, trials: int, scheduler: TrialScheduler, is_over: Callable[[], bool]
    ) -> None:
        """Run trials; NoRoomError where the disk is full."""
        from tune.ray_backend.callback import RayCallback

        callback = RayCallback(
            self.journal,
            self.callbacks,
            scheduler=self.spec.scheduler,
            on_memory_death=lambda: search.places.memory_ran_out(self.budget.concurrent),
        )
        self._tuner(search, trials, scheduler, callback, lambda: is_over() or callback.no_room is not None).fit()
        if callback.no_room is not None:
            raise NoRoomError(callback.no_room)

    def _tuner(
        self,
        search: Searcher,
        trials: int,
        scheduler: TrialScheduler,
        callback: RayCallback,
        is_over: Callable[[], bool],
    ) -> ray_tune.Tuner:
        from ray import tune as ray_tune

        from tune.ray_backend.messages import WorkerSettings
        from tune.ray_backend.stopper import TimeStopper
        from tune.ray_backend.worker import RayTrial

        use_warm_workers()
        folder, budget = self.sweep.folder, self.budget
        settings = WorkerSettings.of(
            folder,
            self.spec,
            cpus=budget.cpus_per_trial,
            use_gpu=budget.gpus > 0,
            gpu_memory_bytes=budget.gpu_memory_bytes,
        )
        resources = {"cpu": _ray_cpus(budget), "gpu": budget.gpu_per_trial}
        return ray_tune.Tuner(
            ray_tune.with_resources(RayTrial, resources),
            param_space=settings.to_config(),
            tune_config=ray_tune.TuneConfig(
                search_alg=search,
                scheduler=scheduler,
                num_samples=trials,
                max_concurrent_trials=budget.concurrent,
                reuse_actors=True,
                trial_dirname_creator=lambda trial: trial.config["trial_id"],
                trial_name_creator=lambda trial: trial.config["trial_id"],
            ),
            run_config=ray_tune.RunConfig(
                name=folder.ray.name,
                storage_path=str(folder.path),
                callbacks=[callback],
                stop=TimeStopper(is_over),
                checkpoint_config=ray_tune.CheckpointConfig(checkpoint_at_end=False),  # a trial keeps its own
                failure_config=ray_tune.FailureConfig(max_failures=WORKER_RETRIES),
                verbose=0,
            ),
        )


def _check_cluster(budget: Budget) -> None:
    """Reject what a Ray that was joined cannot give: it would wait for ever, and say nothing."""
    import ray

    there = ray.cluster_resources()
    for name, needed in (("CPU", _ray_cpus(budget)), ("GPU", budget.gpu_per_trial)):
        if there.get(name, 0) < needed:
            raise SweepError(
                f"a trial needs {needed:g} {name} and this Ray has {there.get(name, 0):g}; start Ray with more, "
                "or leave RAY_ADDRESS out to use this machine alone"
            )


def _ray_cpus(budget: Budget) -> int:
    """Return what a trial takes of Ray's CPUs: its cores of a Ray that was joined, its place in our own."""
    return budget.cpus_per_trial if "RAY_ADDRESS" in os.environ else 1
