"""Checks what a space can propose as a trial would check it, before any trial starts, and warns of what does little."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import torch

from data.task.task import ForecastTask
from search_spaces.space import SearchSpace
from trainables.base import ForecastTrainable
from trainables.hyper import Hyper
from trainables.sweep_trainable import SweepModel
from trainables.trial.checks import check_evaluations, check_values, steps_an_epoch
from tune.format import count_text
from tune.planning.estimate import Load
from tune.records.spec import SweepSettings

Model = type[SweepModel]
FEW_WINDOWS = 10  # of validation: below, chance decides which epoch is best


@dataclass(frozen=True)
class Proposal:
    """A configuration that a space can propose, and how many windows it trains on."""

    hyper: Hyper
    train_windows: int

    @property
    def total_steps(self) -> int:
        """Optimiser steps of the whole training."""
        return steps_an_epoch(self.hyper, self.train_windows) * self.hyper.epochs

    @property
    def evaluations_short(self) -> int:
        """How many steps an epoch has less than evaluations; 0 or less where it has enough."""
        return self.hyper.evals_per_epoch - steps_an_epoch(self.hyper, self.train_windows)

    @property
    def steps_short(self) -> int:
        """How many steps the training is shorter than its warm-up; 0 or less where it is not."""
        return self.hyper.warmup_of(self.total_steps) - self.total_steps


@dataclass(frozen=True)
class Proposals:
    """corners: those at the corners of the space; extremes: these, and any few parameters at their ends together."""

    corners: list[Proposal]
    extremes: list[Proposal]

    @property
    def train_windows(self) -> tuple[int, int]:
        """The fewest windows that a trial trains on, and the most."""
        counts = [proposal.train_windows for proposal in self.corners]
        return min(counts), max(counts)

    def loads(self, model: Model, task: ForecastTask) -> tuple[Load, ...]:
        """Count what the corners ask of the machine; nothing where the model does not count one of them."""
        loads = []
        for proposal in self.corners:
            work = model.workload(proposal.hyper, task)
            if work is None:
                return ()
            loads.append(Load(proposal.hyper, work, proposal.train_windows, len(task.val)))
        return tuple(loads)


def check_proposals(model: Model, space: SearchSpace, task: ForecastTask, *, device: torch.device) -> Proposals:
    """Check all that a space can propose, and that each model it starts from loads and fits; raises a UserError.

    device: the one that trials run on.
    """
    windows = _Windows(model, space, task)
    corners = [
        Proposal(hyper, windows.preview(hyper, configuration))
        for configuration in space.corners()
        for hyper in [check_values(model(), configuration, task, device)]
    ]
    extremes = [
        Proposal(hyper, windows.of(hyper, configuration))
        for configuration in space.extremes()
        for hyper in [check_values(model(), configuration, task, device)]
    ]
    proposals = Proposals(corners, [*corners, *extremes])
    worst = max(proposals.extremes, key=lambda proposal: proposal.evaluations_short)
    check_evaluations(worst.hyper, worst.train_windows)
    return proposals


class _Windows:
    """Counts training windows: exactly for what was previewed, else the fewest of the same path.

    A preview builds the model. What decides on it is the model's own parameters but for numbers with a fraction, such
    as the weights of a loss.
    """

    def __init__(self, model: Model, space: SearchSpace, task: ForecastTask) -> None:
        self.model, self.space, self.task = model, space, task
        self._counted: dict[tuple[object, ...], int] = {}
        self._fewest: dict[str, int] = {}

    def preview(self, hyper: Hyper, configuration: Mapping[str, object]) -> int:
        key, path = self._key(hyper), self.space.path_name(configuration)
        if key not in self._counted:
            self._counted[key] = self.model().preview(hyper, self.task)
        self._fewest[path] = min(self._counted[key], self._fewest.get(path, self._counted[key]))
        return self._counted[key]

    def of(self, hyper: Hyper, configuration: Mapping[str, object]) -> int:
        return self._counted.get(self._key(hyper), self._fewest[self.space.path_name(configuration)])

    def _key(self, hyper: Hyper) -> tuple[object, ...]:
        own = type(hyper).model_fields.keys() - Hyper.model_fields.keys()
        return hyper.initial_model, *(
            value for name in sorted(own) if not isinstance(value := getattr(hyper, name), float)
        )


def notes_on(proposals: Proposals, settings: SweepSettings, model: Model, task: ForecastTask) -> Iterator[str]:
    """Say what of a sweep is allowed and does little, each with what to change."""
    yield from _warmup_notes(proposals.extremes)
    yield from _max_steps_notes(proposals.extremes, settings.max_steps)
    yield from _batch_notes(proposals.extremes, model)
    yield from _grace_notes(proposals.extremes, settings)
    yield from _validation_notes(task)
    yield from dict.fromkeys(
        sentence for proposal in proposals.corners for sentence in model().fall_backs(proposal.hyper).values()
    )


def has_own_windows(model: Model) -> bool:
    """Whether a model cuts its training windows by itself, so that the task's train_stride does nothing."""
    return model.training_windows is not ForecastTrainable.training_windows


def _warmup_notes(proposals: Iterable[Proposal]) -> Iterator[str]:
    worst = max(proposals, key=lambda proposal: proposal.steps_short)
    if worst.steps_short > 0:
        hyper, total = worst.hyper, worst.total_steps
        steps = count_text(total, "step")
        yield (
            f"a warm-up of {hyper.warmup_of(total)} steps is longer than the whole training with epochs {hyper.epochs} "
            f"and batch_size {hyper.batch_size}, {steps}: there the learning rate never reaches lr; take "
            f"--set warmup_steps=int:0:{total}, or --set warmup_steps=0 --set warmup_fraction=0.1"
        )


def _max_steps_notes(proposals: Iterable[Proposal], max_steps: int | None) -> Iterator[str]:
    if max_steps is None:
        return
    longest = max(proposal.hyper.warmup_of(min(max_steps, proposal.total_steps)) for proposal in proposals)
    if longest > max_steps:
        yield (
            f"--max-steps {max_steps} ends trials in their warm-up of up to {count_text(longest, 'step')}: their "
            f"learning rate never reaches lr; take --set warmup_steps=0, or {longest} steps and more"
        )


def _batch_notes(proposals: Iterable[Proposal], model: Model) -> Iterator[str]:
    worst = max(proposals, key=lambda proposal: proposal.hyper.batch_size - proposal.train_windows)
    size, windows = worst.hyper.batch_size, worst.train_windows
    if size > windows:
        stride = "--set stride=N" if has_own_windows(model) else "--train-stride"
        yield (
            f"batch_size {size} is more than the {windows} training windows, and acts as {windows}: an epoch is one "
            f"optimiser step; a smaller {stride} gives more windows"
        )


def _grace_notes(proposals: Iterable[Proposal], settings: SweepSettings) -> Iterator[str]:
    longest = max(proposal.hyper.epochs for proposal in proposals)
    if settings.scheduler != "none" and settings.grace_period > 1 and settings.grace_period >= longest:
        yield (
            f"--grace-period {settings.grace_period} is no shorter than the longest trial, {longest} epochs: "
            f"{settings.scheduler} will stop none early; take a smaller one"
        )


def _validation_notes(task: ForecastTask) -> Iterator[str]:
    count, limit = len(task.val), task.spec.max_eval_windows
    if count < FEW_WINDOWS:
        drawn = "a larger --max-eval-windows, " if limit == count else ""
        number = "1 validation window decides" if count == 1 else f"{count} validation windows decide"
        yield (
            f"only {number} which epoch and which trial is best, which is largely chance; {drawn}a smaller "
            "--eval-stride or a --split with more validation rows gives more"
        )
