"""From what the user asked for to a sweep that can start: everything is checked here, before anything is written."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch
from pydantic import ValidationError

from data.errors import UserError, near_names
from data.files import expand
from data.naive import season_length
from data.panel import Panel
from data.samples.bundled import SAMPLES
from data.task.task import ForecastTask, TaskSpec
from search_spaces.space import SearchSpace
from trainables.base import check_hyper
from tune.format import domain_text, duration
from tune.planning.budget import Budget, Machine, look_at_machine, plan_budget
from tune.planning.estimate import Estimate
from tune.planning.model_folders import with_absolute_folders
from tune.planning.proposals import Proposals, check_proposals, has_own_windows, notes_on
from tune.planning.space_check import Model, Setting, load_fitting_space
from tune.planning.starting_points import EarlierSweep, learning_note, trials_to_learn_from, with_points_of
from tune.records.spec import (
    DataSource,
    SweepError,
    SweepSettings,
    SweepSpec,
    check_searcher,
    check_trials,
    lists_points,
)
from tune.validation_messages import validation_messages

DEFAULT_SPACE = "quickstart"
SPLITS_OF_DATA = ("date", "ett", "rows")
MAX_FILES = 100  # of a corpus
MOST_GP_TRIALS = 200
DEFAULT_TASK = {"context_length": 512, "prediction_length": 96}
RECORDED_PACKAGES = ("foretune", "ray", "optuna", "torch", "transformers", "uni2ts", "numpy", "pandas")


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
class Plan:
    """A sweep that can start: its spec, its series and windows, its model class, its share of the machine.

    estimate: None for a model that does not count its work.
    """

    spec: SweepSpec
    space: SearchSpace
    panel: Panel
    task: ForecastTask
    model: Model
    proposals: Proposals
    machine: Machine
    budget: Budget
    estimate: Estimate | None
    earlier: Sequence[EarlierSweep] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know before it starts."""
        of_estimate = self.estimate.notes if self.estimate else ()
        of_proposals = notes_on(self.proposals, self.spec, self.model, self.task)
        learning = learning_note(self.spec.earlier, self.earlier)
        return (*self.panel.notes, *self.space.notes, *learning, *_stride_note(self), *of_proposals, *of_estimate)


def plan_sweep(request: SweepRequest, earlier: Sequence[EarlierSweep] = ()) -> Plan:
    """Check a request and work out the sweep; raises a UserError for whatever cannot be.

    earlier: the sweeps to start from.
    """
    DataSource.checked(**request.reading, path="")  # what was typed comes before what must be read
    trainable, model, space = load_fitting_space(request.space, request.settings)
    space = with_absolute_folders(space)
    task_spec, settings = _read_flags(request, space)
    if request.task.get("train_stride") is not None and has_own_windows(model):
        raise SweepError(
            f"--train-stride is for models that train on the task's windows, and {trainable} cuts its own from whole "
            "sequences; take --set stride=N"
        )
    check_searcher(settings.searcher, space)
    check_trials(settings.searcher, space, settings.trials)
    machine = look_at_machine()
    budget = plan_budget(
        machine,
        gpus=settings.gpus,
        max_concurrent=settings.max_concurrent,
        gpu_memory_bytes=settings.gpu_memory_bytes,
    )
    if task_spec.draws_windows:
        task_spec = task_spec.model_copy(update={"window_seed": settings.seed})
    source, panel = _read_data(request, space, model, task_spec)
    task = ForecastTask(panel, task_spec)
    device = torch.device("cuda" if budget.gpus else "cpu")
    if earlier:
        space = with_points_of(
            space,
            trainable,
            settings.searcher,
            earlier,
            lambda hyper: _parameters(model, hyper, task),
            strict=bool(request.start_from),
        )
    proposals = check_proposals(model, space, task, device=device)
    spec = SweepSpec(
        name=request.name or f"{space.name}-{datetime.now():%Y%m%d-%H%M%S}",
        space=space.to_dict(),
        trainable=trainable,
        initial_name=model.initial_name,
        data=source,
        task=task.spec,
        created=datetime.now().astimezone().isoformat(timespec="seconds"),
        versions=installed_versions(),
        **settings.model_dump(),
    )
    spec = spec.model_copy(
        update={
            "earlier": tuple(trials_to_learn_from(spec, earlier)),
            "then": tuple(asdict(follower) for follower in request.followers(spec.name)),
        }
    )
    loads = proposals.loads(model, task)
    estimate = Estimate(loads, spec, machine, budget) if loads else None
    return Plan(spec, space, panel, task, model, proposals, machine, budget, estimate, earlier)


def _parameters(model: Model, hyper: Mapping[str, object], task: ForecastTask) -> int | None:
    """Count the parameters of the model that hyperparameters build; None where it cannot be built here."""
    instance = model()
    try:
        return sum(p.numel() for p in instance.build(check_hyper(model, hyper), task).parameters())
    except (UserError, OSError):
        return None


def _read_data(request: SweepRequest, space: SearchSpace, model: Model, task: TaskSpec) -> tuple[DataSource, Panel]:
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
    source = DataSource.checked(
        **request.reading,
        path=str(path),
        max_files=MAX_FILES if request.max_files is None and model.corpus else request.max_files,
        clean=model.corpus,
        min_rows=task.context_length + task.prediction_length if model.corpus else 1,
    )
    panel = source.read()
    return source.model_copy(update={"content_hash": panel.content_hash}), panel


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
        mistakes += _as_flags(error)
    try:
        points = len(space.grid()) if lists_points(str(searched.get("searcher")), space) else None
        trials = searched.get("trials", points or space.trials)
        searched = {"trials": trials, "searcher": _best_searcher(space, trials), **searched}
        settings = SweepSettings.model_validate(searched)
    except ValidationError as error:
        mistakes += _as_flags(error)
    if task is None or settings is None:
        raise SweepError("\n".join(mistakes))
    return task, settings


def _best_searcher(space: SearchSpace, trials: object) -> str:
    """Return the searcher that comes to a good trial in the fewest epochs (see docs/benchmarks.md): a Gaussian process,
    where the space has no conditions, and few enough trials for its cost, which grows with their cube."""
    return "gp" if not space.is_conditional and isinstance(trials, int) and trials <= MOST_GP_TRIALS else "tpe"


def _as_flags(error: ValidationError) -> list[str]:
    found = validation_messages(error).items()
    return [text if text.startswith("--") else f"--{name.replace('_', '-')} {text}" for name, text in found]


def installed_versions() -> dict[str, str]:
    """Versions of what a sweep's numbers depend on."""
    found = {"python": sys.version.split()[0]}
    for package in RECORDED_PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue  # a model that needs no such package runs without it
    return found


def _stride_note(plan: Plan) -> tuple[str, ...]:
    """Warn of training windows that all begin at one hour: a model may learn that hour alone."""
    stride, season = plan.spec.task.train_stride, season_length(plan.panel.freq)
    if season == 1 or stride % season or has_own_windows(plan.model):
        return ()
    return (
        f"train stride {stride} is a multiple of the season of {season} rows, so every training window of a series "
        f"begins at the same place in it; --train-stride {stride - 1} sees all places",
    )


def _span(numbers: tuple[int, int], divisor: float = 1) -> str:
    """'63', or '63 to 125' where the two differ; of steps, when divided by a batch size."""
    low, high = (math.ceil(n / divisor) for n in numbers)
    return f"{low}" if low == high else f"{low} to {high}"


def _repeats(spec: SweepSpec) -> dict[str, str]:
    if not spec.repeats:
        return {}
    best = min(spec.repeated, spec.trials)
    return {"repeats": f"{spec.planned_trials - spec.trials}, {spec.repeats} of each of the best {best}"}


def describe_plan(plan: Plan) -> dict[str, str]:
    """What would be done, in numbers, for --dry-run and for the head of a sweep."""
    train_windows = plan.proposals.train_windows
    windows = {part: len(getattr(plan.task, part)) for part in ("val", "test")}
    batches = plan.space.numbers("batch_size")
    steps = ", ".join(f"{_span(train_windows, b)} at batch {b:g}" for b in batches)
    spec, budget = plan.spec, plan.budget
    cut = "whole sequences" if has_own_windows(plan.model) else f"stride {spec.task.train_stride}"
    where = f"{budget.gpus} GPU ({plan.machine.gpu_names[0]})" if budget.gpus else "CPU"
    searched = ", ".join(f"{name} {domain_text(domain)}" for name, domain in plan.space.parameters().items())
    facts = {
        "sweep": spec.name,
        "data": f"{plan.panel.name}: {len(plan.panel)} series, {len(plan.panel.values)} rows, "
        f"frequency {plan.panel.freq or 'unknown'}",
        "task": f"context {spec.task.context_length}, prediction {spec.task.prediction_length}, split "
        f"{spec.task.split}, scale {spec.task.scale}",
        "windows": f"{_span(train_windows)} train ({cut}), {windows['val']} validation and {windows['test']} test "
        f"(stride {spec.task.eval_stride})",
        "optimiser steps an epoch": steps or "depends on the batch size",
        "space": f"{plan.space.name}, trainable {plan.space.trainable}",
        "searched": searched or "nothing: a list of points",
        "trials": f"{spec.trials}, searcher {spec.searcher}, scheduler {spec.scheduler}, metric {spec.metric}, "
        f"seed {spec.seed}",
        **_repeats(spec),
        "time budget": "none" if spec.time_budget_seconds is None else duration(spec.time_budget_seconds),
        "machine": f"{where}, {budget.concurrent} trial(s) at once, {budget.cpus_per_trial} CPU core(s) each",
    }
    return facts | (plan.estimate.describe() if plan.estimate else {})
