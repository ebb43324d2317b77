"""What the user typed, and all of it that can be checked from the text alone, before torch or the data is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from data.errors import near_names
from data.files import expand
from data.samples.bundled import SAMPLES
from data.task.task_spec import TaskSpec
from search_spaces.space import SearchSpace
from trainables.checkpoints.pretrained import locate
from trainables.hyper import Hyper
from tune.planning.budget import Budget, Machine, look_at_machine, plan_budget
from tune.planning.model_folders import with_absolute_folders
from tune.planning.space_check import Setting, load_fitting_space
from tune.records.spec import DataSource, SweepError, SweepSettings, check_searcher, check_trials, lists_points
from tune.storage import check_name, check_storage
from tune.validation_messages import flag_messages

DEFAULT_SPACE = "quickstart"
DEFAULT_TASK = {"context_length": 512, "prediction_length": 96}
SPLITS_OF_DATA = ("date", "ett", "rows")
MOST_GP_TRIALS = 200
KEEP = 5  # trials whose weights stay: those that are scored on the test part, and those that a soup is made of


@dataclass(frozen=True)
class SweepRequest:
    """What the user typed; None where it was left out.

    set: the parameters given with --set. reading: those of `data.read_options.ReadOptions` that were given.
    start_from: names of earlier sweeps. then: spaces searched after it.
    """

    space: str = DEFAULT_SPACE
    data: str | None = None
    reading: Mapping[str, object] = field(default_factory=dict)
    max_files: int | None = None
    task: dict[str, object] = field(default_factory=dict)
    set: dict[str, str] = field(default_factory=dict)
    evals_per_epoch: int | None = None
    sweep: dict[str, object] = field(default_factory=dict)
    name: str | None = None
    start_from: tuple[str, ...] = ()
    then: tuple[str, ...] = ()

    def followers(self, name: str) -> list[SweepRequest]:
        """Return the requests for the sweeps that follow one of this name, each from the best of the one before."""
        alone = replace(self, start_from=(), then=())
        return [replace(alone, space=space, name=f"{name}-{Path(space).stem}") for space in self.then]

    @property
    def settings(self) -> dict[str, Setting]:
        """The parameters that flags set."""
        settings = {key: Setting(value, f"--set {key}={value}") for key, value in self.set.items()}
        if self.evals_per_epoch is not None:
            value = str(self.evals_per_epoch)
            settings["evals_per_epoch"] = Setting(value, f"--evals-per-epoch {value}")
        return settings


@dataclass(frozen=True)
class CheckedRequest:
    """A request whose text has no mistake; what it names is there, and yet to be loaded.

    typed: the request. name: of the sweep. space: with the flags applied, and the models' folders absolute.
    data: a file or a folder.
    """

    typed: SweepRequest
    name: str
    trainable: str
    space: SearchSpace
    task: TaskSpec
    settings: SweepSettings
    machine: Machine
    budget: Budget
    data: Path


def check_requests(request: SweepRequest, storage: Path) -> list[CheckedRequest]:
    """Check a request and those that follow it: a mistake in what runs in the morning is found in the evening.

    storage: the folder of their sweeps. Raises a UserError.
    """
    check_storage(storage)
    if request.name is not None:
        for each in (request, *request.followers(request.name)):
            check_name(storage, str(each.name))
    first = check_request(request)
    return [first, *map(check_request, request.followers(first.name))]


def check_request(request: SweepRequest) -> CheckedRequest:
    """Check what was typed; raises a UserError for what is wrong with it."""
    DataSource.checked(**request.reading, path="")
    trainable, hyper_type, space = load_fitting_space(request.space, request.settings)
    space = with_absolute_folders(space)
    task, settings = _read_flags(request, space)
    check_searcher(settings.searcher, space)
    check_trials(settings.searcher, space, settings.trials)
    machine = look_at_machine()
    budget = plan_budget(
        machine,
        gpus=settings.gpus,
        max_concurrent=settings.max_concurrent,
        gpu_memory_bytes=settings.gpu_memory_bytes,
    )
    if task.draws_windows:
        task = task.model_copy(update={"window_seed": settings.seed})
    data = _find_data(request, space)
    _check_checkpoints(space, hyper_type)
    name = request.name or f"{space.name}-{datetime.now():%Y%m%d-%H%M%S}"
    return CheckedRequest(request, name, trainable, space, task, settings, machine, budget, data)


def _find_data(request: SweepRequest, space: SearchSpace) -> Path:
    wanted = str(space.task.get("data", "sample")) if request.data is None else request.data
    path = SAMPLES.get(wanted, expand(wanted))
    if not wanted or not path.exists():
        near = near_names(path.name, [*SAMPLES, *(p.name for p in _siblings(path))]) or "; check the path"
        raise SweepError(
            f"--data must name a file, a folder or a bundled dataset ({', '.join(SAMPLES)}), and there is no "
            f"{wanted!r}{near}"
        )
    path = path.resolve()
    if request.max_files is not None and not path.is_dir():
        raise SweepError(f"--max-files is for a folder of files, and {path} is a file; leave it out")
    return path


def _check_checkpoints(space: SearchSpace, hyper_type: type[Hyper]) -> None:
    """Check that what is to be loaded is a bundled name, a folder, or can be a Hub id; raises CheckpointError."""
    for name, family in hyper_type.checkpoints.items():
        for value in dict.fromkeys(config.get(name) for config in space.corners()):
            if isinstance(value, str):
                locate(value, family)


def _siblings(path: Path) -> list[Path]:
    return list(path.parent.iterdir()) if path.parent.is_dir() else []


def _read_flags(request: SweepRequest, space: SearchSpace) -> tuple[TaskSpec, SweepSettings]:
    """Check the flags of the task and of the search; raises SweepError with all mistakes, as they were typed."""
    of_space = {k: v for k, v in space.task.items() if k != "data"}
    is_own_data = request.data in (None, space.task.get("data"))
    if not is_own_data and str(of_space.get("split", "")).startswith(SPLITS_OF_DATA):
        del of_space["split"]  # its lengths, strides and scale are a good start for other data, its dates are not
    searched = {k: v for k, v in request.sweep.items() if v is not None}
    mistakes: list[str] = []
    task = settings = None
    try:
        given = {k: v for k, v in request.task.items() if v is not None}
        task = TaskSpec.model_validate({**DEFAULT_TASK, **of_space, **given})
    except ValidationError as error:
        mistakes += flag_messages(error)
    try:
        points = len(space.grid()) if lists_points(str(searched.get("searcher")), space) else None
        trials = searched.get("trials", points or space.trials)
        searched = {"trials": trials, "searcher": _best_searcher(space, trials), "keep": KEEP, **searched}
        settings = SweepSettings.model_validate(searched)
    except ValidationError as error:
        mistakes += flag_messages(error)
    if task is None or settings is None:
        raise SweepError("\n".join(mistakes))
    return task, settings


def _best_searcher(space: SearchSpace, trials: object) -> str:
    """Return the searcher that comes to a good trial in the fewest epochs (see docs/benchmarks.md): a Gaussian process,
    where the space has no conditions, and few enough trials for its cost, which grows with their cube."""
    return "gp" if not space.is_conditional and isinstance(trials, int) and trials <= MOST_GP_TRIALS else "tpe"
