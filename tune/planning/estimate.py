"""The estimate before a sweep starts: a trial's memory and time, from counted work and a measured machine."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TypeVar

from trainables.hyper import Hyper
from trainables.trial.checks import steps_an_epoch
from trainables.workload import Workload, worthwhile_threads
from tune.format import count_text, duration, long_duration, memory, quantity
from tune.planning.budget import Budget, Machine
from tune.planning.throughput import Speed, measure_speed
from tune.records.spec import SweepSettings

EFFICIENCY = 0.6  # of the measured rate of products
EVAL_BATCH = 256  # windows measured at once
# Over each number that training keeps, and over each trained weight (clipping, AdamW). Fitted to steps of all models on
# two machines (tests/benchmarks/models/bench_estimate.py).
PASSES, UPDATE_PASSES = 3.5, 3
FLOAT_BYTES = 4
PROCESS_BYTES = 800_000_000  # resident in a worker before it has a model
CHECKPOINTS_OF_RUNNING = 2 + 3  # the best two, and the latest with two moments, in sizes of the trained weights
TRAINED_BYTES = 3 * FLOAT_BYTES  # of each trainable weight: its gradient and the two moments of Adam, float32

Number = TypeVar("Number", int, float)
Measure = Callable[[str], Speed | None]  # of a precision; None if not known


@dataclass(frozen=True)
class Load:
    """What one configuration asks of the machine. train_windows, val_windows: numbers of windows."""

    hyper: Hyper
    workload: Workload
    train_windows: int
    val_windows: int

    @property
    def memory_bytes(self) -> int:
        """Weights, what training keeps of the trainable ones, and the activations of a micro-batch."""
        work = self.workload
        micro_batch = self.hyper.micro_batch_size or self.hyper.batch_size
        return work.weight_bytes + work.trainable * TRAINED_BYTES + work.activation_bytes * micro_batch

    @property
    def epoch_flops(self) -> float:
        """Floating point operations of an epoch: its training windows, its optimiser steps and its validations."""
        work = self.workload
        steps = steps_an_epoch(self.hyper, self.train_windows)
        validation = self.hyper.evals_per_epoch * self.val_windows * work.eval_flops
        return self.train_windows * work.train_flops + steps * work.step_flops + validation

    @property
    def epoch_operations(self) -> float:
        """Operations of an epoch, whatever their size."""
        work = self.workload
        batches = self.hyper.evals_per_epoch * math.ceil(self.val_windows / EVAL_BATCH)
        return steps_an_epoch(self.hyper, self.train_windows) * work.step_operations + batches * work.eval_operations

    @property
    def epoch_numbers(self) -> float:
        """Numbers that the operations of an epoch pass over beside products; in a validation as many as its products.

        What a window keeps, and the weights that are trained, in float32.
        """
        work = self.workload
        val_windows = self.hyper.evals_per_epoch * self.val_windows
        windows = self.train_windows + val_windows * work.eval_flops / work.train_flops
        updates = steps_an_epoch(self.hyper, self.train_windows) * work.trainable
        kept = PASSES * windows * work.activation_bytes / FLOAT_BYTES
        return kept + UPDATE_PASSES * updates + val_windows * work.eval_numbers

    def epoch_seconds(self, speed: Speed, share: float) -> float:
        """Seconds of an epoch with a share of the device."""
        return (
            self.epoch_flops / (speed.flops * EFFICIENCY * share)
            + self.epoch_operations * speed.operation_seconds
            + self.epoch_numbers * speed.seconds_a_number(share)
        )


@dataclass(frozen=True)
class Estimate:
    """A sweep's loads, one a configuration at the corners of its space, and where it runs.

    train_stride: rows from one training window to the next; None where the model cuts its own.
    """

    loads: tuple[Load, ...]
    settings: SweepSettings
    machine: Machine
    budget: Budget
    train_stride: int | None = None

    def describe(self, measure: Measure | None = None) -> dict[str, str]:
        """Give parameters, memory and time as text. measure: instead of trying this machine, a third of a second."""
        return {
            "parameters": f"{_span((x.workload.parameters for x in self.loads), quantity)}, "
            f"{_span((x.workload.trainable for x in self.loads), quantity)} trainable",
            "memory a trial": f"about {self._memory()} (weights, gradients, Adam's moments, activations)",
            "on the disk": f"up to {memory(self.disk_bytes)} (weights of {self._kept} trials, checkpoints)",
            **self._times(measure or self._measure),
        }

    @property
    def disk_bytes(self) -> int:
        """What its checkpoints may need: trained weights of the trials that are kept, and of each that runs the best
        two epochs' and the latest's with Adam's moments."""
        trained = FLOAT_BYTES * max(load.workload.trainable for load in self.loads)
        return trained * (self._kept + self.budget.concurrent * CHECKPOINTS_OF_RUNNING)

    @property
    def _kept(self) -> int:
        planned = self.settings.planned_trials
        return min(planned, self.settings.keep or planned)

    @property
    def notes(self) -> list[str]:
        """What the user should know before: that the largest batch will be cut, where memory cannot hold it."""
        if not self.budget.gpus:
            return self._notes_on_host()
        limit = self.budget.gpu_memory_bytes or min(gpu.free_bytes for gpu in self.machine.gpus[: self.budget.gpus])
        largest = max(self.loads, key=lambda load: load.memory_bytes)
        if largest.memory_bytes <= limit:
            return []
        return [
            f"a trial at batch {largest.hyper.batch_size} would need about {memory(largest.memory_bytes)} and has "
            f"{memory(limit)} of GPU memory: micro-batches will shrink, the effective batch stays"
        ]

    def _notes_on_host(self) -> list[str]:
        largest = max(self.loads, key=lambda load: load.memory_bytes)
        one, trials = largest.memory_bytes + PROCESS_BYTES, self.budget.concurrent
        limit = self.machine.memory_bytes
        if limit is None or one * trials <= limit:
            return []
        fewer = "" if trials == 1 else "; run fewer at once (--max-concurrent)"
        who = f"{count_text(trials, 'trial')} at batch {largest.hyper.batch_size}"
        return [
            f"{who} would need about {memory(one * trials)} and the machine has {memory(limit)}: micro-batches will "
            f"shrink, the effective batch stays{fewer}"
        ]

    def _memory(self) -> str:
        """The memory at the smallest and at the largest batch size, once where both need the same."""
        sizes = {x.hyper.batch_size for x in self.loads}
        texts = {
            size: _span((x.memory_bytes for x in self.loads if x.hyper.batch_size == size), memory)
            for size in (min(sizes), max(sizes))
        }
        if len(set(texts.values())) == 1:
            return texts[min(sizes)]
        return ", ".join(f"{text} at batch {size}" for size, text in texts.items())

    def _measure(self, precision: str) -> Speed | None:
        return measure_speed(precision, use_gpu=self.budget.gpus > 0)

    def _times(self, measure: Measure) -> dict[str, str]:
        measured = {precision: measure(precision) for precision in sorted({x.hyper.precision for x in self.loads})}
        rates = {precision: rate for precision, rate in measured.items() if rate is not None}
        if len(rates) < len(measured):
            return {"time an epoch": "not known: the GPU could not be measured"}
        seconds = [x.epoch_seconds(rates[x.hyper.precision], self._share_of(x)) for x in self.loads]
        source = " and ".join(f"{quantity(rate.flops, 'FLOP/s')} measured in {name}" for name, rate in rates.items())
        start = max(rate.operation_seconds for rate in rates.values())
        source += f", {start * 1e6:.0f} µs an operation" if start else ""
        shared = f", shared by {self.budget.concurrent} trials" if self._share < 1 else ""
        longest = max(self._trial_seconds(x, rates[x.hyper.precision]) for x in self.loads)
        return {
            "time an epoch": f"about {_span(seconds, long_duration)} (from {source}{shared})",
            "whole search": self._search(math.ceil(self.settings.planned_trials / self.budget.concurrent) * longest),
        }

    def _trial_seconds(self, load: Load, speed: Speed) -> float:
        """Seconds of a trial that nothing stops before its last epoch or step."""
        share, epoch_steps = self._share_of(load), steps_an_epoch(load.hyper, load.train_windows)
        steps = min(epoch_steps * load.hyper.epochs, self.settings.max_steps or math.inf)
        epochs, rest = divmod(steps, epoch_steps)
        seconds = epochs * load.epoch_seconds(speed, share)
        if rest:
            seconds += replace(load, train_windows=int(rest) * load.hyper.batch_size).epoch_seconds(speed, share)
        return seconds

    @property
    def _share(self) -> float:
        """The part of the measured device that a trial has to itself."""
        return min(1.0, max(1, self.budget.gpus) / self.budget.concurrent)

    def _share_of(self, load: Load) -> float:
        """The part that a trial uses: on a CPU, a small step is worth few threads."""
        if self.budget.gpus:
            return self._share
        threads = worthwhile_threads(load.workload, load.hyper.batch_size, most=self.machine.cpus)
        return min(self._share, threads / self.machine.cpus)

    def _search(self, seconds: float) -> str:
        """Say how long all trials take, each as the longest."""
        text = f"about {long_duration(seconds)} at most"
        if self.settings.scheduler == "asha":
            text += ": ASHA stops most trials early"
        limit = self.settings.time_budget_seconds
        if limit is None or limit >= seconds:
            return text
        return f"{text}; the time budget ends it after {duration(limit)}{self._stride_that_fits(seconds / limit)}"

    def _stride_that_fits(self, times: float) -> str:
        """Say with which stride a search would fit that is so many times as long as its time budget."""
        needed = times * self.settings.share_trained
        if self.train_stride is None or needed <= 1:
            return ""
        return f", and would come to its end with --train-stride {math.ceil(self.train_stride * needed)}"


def _span(values: Iterable[Number], text: Callable[[Number], str]) -> str:
    """'1.2 GB', or '1.2 GB to 3.4 GB' where the values differ to the eye."""
    found = list(values)
    return " to ".join(dict.fromkeys((text(min(found)), text(max(found)))))
