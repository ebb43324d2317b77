"""From what a person asked for to a sweep that can start: everything is checked here, before anything is written."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from data.errors import near_names
from data.panel import Panel
from data.readers import read_panel
from data.samples import SAMPLES
from data.task import ForecastTask, TaskSpec
from search_spaces.space import SearchSpace, check_keys, load_space
from trainables.base import ForecastTrainable
from trainables.trial import check_hyper
from tune.budget import Budget, Machine, look_at_machine, plan_budget
from tune.registry import absolute_name, find_trainable
from tune.search import check_searcher
from tune.spec import DataSource, SweepError, SweepSpec, lists_points
from tune.sweep import check_trials

DEFAULT_SPACE = "quickstart"
DEFAULT_TASK = {"context_length": 512, "prediction_length": 96}
RECORDED_PACKAGES = ("foretune", "ray", "optuna", "torch", "transformers", "uni2ts", "numpy", "pandas")


@dataclass(frozen=True)
class Request:
    """What a person typed; None where they left it out."""

    space: str = DEFAULT_SPACE
    data: str | None = None
    format: str | None = None
    columns: tuple[str, ...] | None = None
    time_column: str | None = None
    task: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    sweep: dict[str, Any] = field(default_factory=dict)
    name: str | None = None


@dataclass(frozen=True)
class Plan:
    """A sweep that can start: its spec, its series and windows, its model class, its share of the machine."""

    spec: SweepSpec
    space: SearchSpace
    panel: Panel
    task: ForecastTask
    model: type[ForecastTrainable]
    machine: Machine
    budget: Budget


def plan_sweep(request: Request) -> Plan:
    """Check a request and work out the sweep; raises a UserError for whatever cannot be."""
    space = load_space(request.space).override(request.settings)
    trainable, model = check_space(space, Path(request.space))
    source, panel = _read_data(request, space)
    task = ForecastTask(panel, _task_spec(request, space))
    spec = _sweep_spec(request, space, trainable, source, task)
    check_searcher(spec.searcher, space)
    machine = look_at_machine()
    budget = plan_budget(
        machine, gpus=spec.gpus, max_concurrent=spec.max_concurrent, gpu_memory_bytes=spec.gpu_memory_bytes
    )
    _check_configurations(model, space, task)
    return Plan(spec, space, panel, task, model, machine, budget)


def check_space(space: SearchSpace, file: Path) -> tuple[str, type[ForecastTrainable]]:
    """Return the space's trainable, its name made absolute, and its class; raises for keys that it does not have."""
    trainable = absolute_name(space.trainable, file.resolve().parent)
    model = find_trainable(trainable)
    check_keys(space, model.Hyper.model_fields)
    return trainable, model


def _read_data(request: Request, space: SearchSpace) -> tuple[DataSource, Panel]:
    wanted = request.data or str(space.task.get("data", "sample"))
    path = SAMPLES.get(wanted, Path(wanted).expanduser())
    if not path.exists():
        raise SweepError(
            f"--data must name a file, a folder or a bundled dataset ({', '.join(SAMPLES)}), and there is no "
            f"{wanted}{near_names(wanted, [*SAMPLES, *(p.name for p in _siblings(path))])}"
        )
    path = path.resolve()
    panel = read_panel(path, format=request.format, columns=request.columns, time_column=request.time_column)
    source = DataSource(
        path=str(path),
        format=request.format,
        columns=request.columns,
        time_column=request.time_column,
        content_hash=panel.content_hash,
    )
    return source, panel


def _siblings(path: Path) -> list[Path]:
    return list(path.parent.iterdir()) if path.parent.is_dir() else []


def _task_spec(request: Request, space: SearchSpace) -> TaskSpec:
    # a space's own task goes with its own data; with other data, only its lengths and strides are a good start
    of_space = {k: v for k, v in space.task.items() if k != "data"}
    given = {k: v for k, v in request.task.items() if v is not None}
    try:
        return TaskSpec(**{**DEFAULT_TASK, **of_space, **given})
    except ValidationError as error:
        raise SweepError(_mistakes(error)) from error


def _sweep_spec(
    request: Request, space: SearchSpace, trainable: str, source: DataSource, task: ForecastTask
) -> SweepSpec:
    given = {k: v for k, v in request.sweep.items() if v is not None}
    searcher = given.get("searcher", "tpe")
    points = len(space.grid()) if lists_points(searcher, space) else None
    trials = given.pop("trials", None) or points or space.trials
    check_trials(searcher, space, trials)
    try:
        return SweepSpec(
            name=request.name or f"{space.name}-{datetime.now():%Y%m%d-%H%M%S}",
            space=space.to_dict(),
            trainable=trainable,
            data=source,
            task=task.spec,
            trials=trials,
            created=datetime.now().astimezone().isoformat(timespec="seconds"),
            versions=installed_versions(),
            **given,
        )
    except ValidationError as error:
        raise SweepError(_mistakes(error)) from error


def _mistakes(error: ValidationError) -> str:
    """All mistakes of a request, named as the flags that a person typed."""
    lines = []
    for item in error.errors():
        flag = "--" + ".".join(str(part) for part in item["loc"]).replace("_", "-")
        lines.append(f"{flag}: {item['msg'].removeprefix('Value error, ')}, got {item['input']!r}")
    return "\n".join(lines)


def _check_configurations(model: type[ForecastTrainable], space: SearchSpace, task: ForecastTask) -> None:
    """Check the hyperparameters at the corners of the space, and that each model it starts from loads and fits."""
    starts = set()
    for configuration in space.corners():
        hyper = check_hyper(model, configuration)
        trainable = model()
        trainable.check(hyper, task)
        start = (trainable.starting_point(hyper), configuration.get("strategy"))
        if start not in starts:
            starts.add(start)
            trainable.build(hyper, task)


def installed_versions() -> dict[str, str]:
    """Versions of what a sweep's numbers depend on."""
    found = {"python": sys.version.split()[0]}
    for package in RECORDED_PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue  # a model that needs no such package runs without it
    return found


def describe_plan(plan: Plan) -> dict[str, str]:
    """What would be done, in numbers, for --dry-run and for the head of a sweep."""
    windows = {part: len(getattr(plan.task, part)) for part in ("train", "val", "test")}
    batches = plan.space.numbers("batch_size")
    steps = ", ".join(f"{math.ceil(windows['train'] / b)} at batch {b:g}" for b in batches)
    spec, budget = plan.spec, plan.budget
    where = f"{budget.gpus} GPU ({plan.machine.gpu_names[0]})" if budget.gpus else "CPU"
    searched = ", ".join(f"{name} {domain.to_text()}" for name, domain in plan.space.parameters().items())
    return {
        "sweep": spec.name,
        "data": f"{plan.panel.name}: {len(plan.panel)} series, {len(plan.panel.values)} rows, "
        f"frequency {plan.panel.freq or 'unknown'}",
        "task": f"context {spec.task.context_length}, prediction {spec.task.prediction_length}, split "
        f"{spec.task.split}, scale {spec.task.scale}",
        "windows": f"{windows['train']} train (stride {spec.task.train_stride}), {windows['val']} validation and "
        f"{windows['test']} test (stride {spec.task.eval_stride})",
        "optimiser steps an epoch": steps or "depends on the batch size",
        "space": f"{plan.space.name}, trainable {plan.space.trainable}",
        "searched": searched or "nothing: a list of points",
        "trials": f"{spec.trials}, searcher {spec.searcher}, scheduler {spec.scheduler}, metric {spec.metric}, "
        f"seed {spec.seed}",
        "time budget": "none" if spec.time_budget_seconds is None else f"{spec.time_budget_seconds:.0f} s",
        "machine": f"{where}, {budget.concurrent} trial(s) at once, {budget.cpus_per_trial} CPU core(s) each",
    }
