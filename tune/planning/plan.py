"""From what the user asked for to a sweep that can start: everything is checked here, before anything is written."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version

import torch

from data.errors import UserError
from data.naive import season_length
from data.panel import Panel
from data.task.task import ForecastTask
from search_spaces.space import SearchSpace
from trainables.base import check_hyper
from tune.format import domain_text, duration
from tune.planning.budget import Budget, Machine, plan_budget
from tune.planning.estimate import Estimate, Load
from tune.planning.packing import trials_at_once
from tune.planning.proposals import Model, Proposals, check_proposals, has_own_windows, notes_on
from tune.planning.request import CheckedRequest
from tune.planning.starting_points import EarlierSweep, learning_note, trials_to_learn_from, with_points_of
from tune.records.spec import DataSource, SweepError, SweepSettings, SweepSpec
from tune.registry import find_trainable

MAX_FILES = 100  # of a corpus
RECORDED_PACKAGES = ("foretune", "ray", "optuna", "torch", "transformers", "numpy", "pandas")


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
        of_gpus = [note for gpu in self.machine.gpus[: self.budget.gpus] if (note := gpu.note) is not None]
        of_estimate = [*of_gpus, *(self.estimate.notes if self.estimate else ())]
        of_proposals = notes_on(self.proposals, self.spec, self.model, self.task)
        learning = learning_note(self.spec.earlier, self.earlier)
        return (*self.panel.notes, *self.space.notes, *learning, *_stride_note(self), *of_proposals, *of_estimate)


def plan_sweep(request: CheckedRequest, earlier: Sequence[EarlierSweep] = ()) -> Plan:
    """Work out the sweep of a request, with its data and its model; raises a UserError for whatever cannot be.

    earlier: the sweeps to start from.
    """
    trainable, space, settings = request.trainable, request.space, request.settings
    model = find_trainable(trainable)
    if request.typed.task.get("train_stride") is not None and has_own_windows(model):
        raise SweepError(
            f"--train-stride is for models that train on the task's windows, and {trainable} cuts its own from whole "
            "sequences; take --set stride=N"
        )
    source, panel = _read_data(request, model)
    task = ForecastTask(panel, request.task)
    device = torch.device("cuda" if request.budget.gpus else "cpu")
    if earlier:
        space = with_points_of(
            space,
            trainable,
            settings.searcher,
            earlier,
            lambda hyper: _parameters(model, hyper, task),
            strict=bool(request.typed.start_from),
        )
    proposals = check_proposals(model, space, task, device=device)
    loads = proposals.loads(model, task)
    settings, budget = _packed(request, loads)
    spec = SweepSpec(
        name=request.name,
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
            "then": tuple(asdict(follower) for follower in request.typed.followers(spec.name)),
        }
    )
    stride = None if has_own_windows(model) else task.spec.train_stride
    estimate = Estimate(loads, spec, request.machine, budget, stride) if loads else None
    return Plan(spec, space, panel, task, model, proposals, request.machine, budget, estimate, earlier)


def _packed(request: CheckedRequest, loads: Sequence[Load]) -> tuple[SweepSettings, Budget]:
    """Put a number of trials at once in the place of auto."""
    settings, budget = request.settings, request.budget
    if settings.max_concurrent != "auto":
        return settings, budget
    at_once = trials_at_once(loads, request.machine, gpus=budget.gpus)
    settings = settings.model_copy(update={"max_concurrent": at_once})
    memory = settings.gpu_memory_bytes
    return settings, plan_budget(request.machine, gpus=settings.gpus, max_concurrent=at_once, gpu_memory_bytes=memory)


def _parameters(model: Model, hyper: Mapping[str, object], task: ForecastTask) -> int | None:
    """Count the parameters of the model that hyperparameters build; None where it cannot be built here."""
    instance = model()
    try:
        return sum(p.numel() for p in instance.build(check_hyper(model, hyper), task).parameters())
    except (UserError, OSError):
        return None


def _read_data(request: CheckedRequest, model: Model) -> tuple[DataSource, Panel]:
    task, most_files = request.task, request.typed.max_files
    source = DataSource.checked(
        **request.typed.reading,
        path=str(request.data),
        max_files=MAX_FILES if most_files is None and model.corpus else most_files,
        clean=model.corpus,
        min_rows=task.context_length + task.prediction_length if model.corpus else 1,
    )
    panel = source.read()
    return source.model_copy(update={"content_hash": panel.content_hash}), panel


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
    where = f"{budget.gpus} GPU ({plan.machine.gpus[0].name})" if budget.gpus else "CPU"
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
        **({} if spec.max_steps is None else {"optimiser steps a trial": f"{spec.max_steps} at most (--max-steps)"}),
        "space": f"{plan.space.name}, trainable {plan.space.trainable}",
        "searched": searched or "nothing: a list of points",
        "trials": f"{spec.trials}, searcher {spec.searcher}, scheduler {spec.scheduler}, metric {spec.metric}, "
        f"seed {spec.seed}",
        **_repeats(spec),
        "time budget": "none" if spec.time_budget_seconds is None else duration(spec.time_budget_seconds),
        "machine": f"{where}, {budget.concurrent} trial(s) at once, {budget.cpus_per_trial} CPU core(s) each",
    }
    return facts | (plan.estimate.describe() if plan.estimate else {})
