"""One sweep's life: create, run, resume, extend, finish; and the sweeps of a storage folder."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from data.errors import near_names
from data.files import replace_text
from data.panel import Panel
from search_spaces.space import SearchSpace
from tune.budget import Budget, look_at_machine, plan_budget
from tune.journal import Journal, Row
from tune.leaderboard import Leaderboard
from tune.spec import SweepError, SweepSpec, lists_points

LOCK_FILE = ".lock"
CLOCK_FILE = "clock.json"
DATA_FOLDER = "data"
WORKER_RETRIES = 2  # a worker that died is replaced this often, and its trial goes on at its checkpoint

Ending = Literal["finished", "time budget", "interrupted"]


@dataclass(frozen=True)
class Sweep:
    """A sweep's folder and what defines it."""

    folder: Path
    spec: SweepSpec

    @classmethod
    def create(cls, storage: Path, spec: SweepSpec, panel: Panel) -> Sweep:
        """Make the sweep's folder, whole or not at all; SweepError if the name is taken."""
        folder = check_name(storage, spec.name)
        unfinished = storage / f".{spec.name}.tmp"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        try:
            panel.save(unfinished / DATA_FOLDER)
            spec.write(unfinished)
            unfinished.rename(folder)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
        return cls(folder, spec)

    @classmethod
    def open(cls, storage: Path, name: str) -> Sweep:
        """Find a sweep by name; SweepError with near names if there is none."""
        folder = (storage / name).absolute()
        if not (folder / "sweep.json").is_file():
            known = [sweep.name for sweep in sweep_folders(storage)]
            there = f"there are {', '.join(known)}" if known else "there is none yet"
            raise SweepError(f"no sweep named {name!r} in {storage}; {there}{near_names(name, known)}")
        return cls(folder, SweepSpec.read(folder))

    def extended(self, *, trials: int | None, more_seconds: float | None) -> Sweep:
        """The sweep with more trials or more time, written to its folder; SweepError for fewer trials than it has."""
        changes: dict[str, Any] = {}
        if trials is not None:
            least = max(1, len(Journal(self.folder).read()))
            if trials < least:
                raise SweepError(f"--trials must be at least {least}, the trials on record, got {trials}")
            check_trials(self.spec.searcher, self.spec.search_space(), trials)
            changes["trials"] = trials
        if more_seconds is not None:
            changes["time_budget_seconds"] = self.seconds_used + more_seconds
        if not changes:
            return self
        spec = self.spec.model_copy(update=changes)
        spec.write(self.folder)
        return Sweep(self.folder, spec)

    @property
    def seconds_used(self) -> float:
        """Seconds of search so far, over all sessions."""
        path = self.folder / CLOCK_FILE
        return float(json.loads(path.read_text(encoding="utf-8"))["seconds"]) if path.exists() else 0.0

    @property
    def is_running(self) -> bool:
        """Whether a process holds this sweep; the lock of one that was killed is free."""
        if not (self.folder / LOCK_FILE).exists():
            return False  # never run; and looking at a folder must not write into it
        try:
            with FileLock(self.folder / LOCK_FILE, timeout=0):
                return False
        except Timeout:
            return True

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the sweep while it runs; SweepError if another process does."""
        try:
            with FileLock(self.folder / LOCK_FILE, timeout=0):
                yield
        except Timeout as error:
            raise SweepError(f"sweep {self.spec.name} is running in another process; stop that one first") from error

    def leaderboard(self) -> Leaderboard:
        return self.leaderboard_of(sweep_is_running=self.is_running)

    def leaderboard_of(self, *, sweep_is_running: bool) -> Leaderboard:
        """The leaderboard, for who knows whether the sweep is running."""
        spec = self.spec
        return Leaderboard.read(
            self.folder, metric=spec.metric, sweep_is_running=sweep_is_running, start_name=spec.start_name
        )

    def unfinished_trials(self) -> int:
        """Trials that are still to be started or to be brought to their end."""
        finished = sum(record.is_finished for record in Journal(self.folder).read())
        return max(0, self.spec.trials - finished)


def check_trials(searcher: str, space: SearchSpace, trials: int) -> None:
    """Refuse more trials than a list of points has; SweepError."""
    if lists_points(searcher, space) and trials > (points := len(space.grid())):
        raise SweepError(f"--trials must be at most {points}, the points of {space.name}, got {trials}")


def check_name(storage: Path, name: str) -> Path:
    """Return the folder for a new sweep; SweepError if the name is taken or no folder can have it."""
    if not name or name != Path(name).name or name.startswith(".") or any(c in name for c in '<>:"|?*\\'):
        raise SweepError(f"--name must be a plain folder name, got {name!r}")
    folder = (storage / name).absolute()
    if folder.exists():
        raise SweepError(
            f"--name {name} is already used ({folder}); choose another, or go on with: foretune resume {name}"
        )
    return folder


def sweep_folders(storage: Path) -> list[Path]:
    """The sweeps of a storage folder, oldest first."""
    found = [path.parent for path in storage.glob("*/sweep.json")] if storage.is_dir() else []
    return sorted(found, key=lambda folder: (folder / "sweep.json").stat().st_ctime)


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
    from tune.ray_session import ray_session

    spec = sweep.spec
    machine = look_at_machine()
    budget = plan_budget(
        machine, gpus=spec.gpus, max_concurrent=spec.max_concurrent, gpu_memory_bytes=spec.gpu_memory_bytes
    )
    with ray_session(num_cpus=machine.cpus, num_gpus=budget.gpus):
        from ray import tune as ray_tune

        from tune.observer import SweepCallback
        from tune.scheduler import make_scheduler
        from tune.search import StudySearch
        from tune.worker import RayTrial

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
