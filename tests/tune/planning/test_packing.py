"""How many trials run at once where nobody says so, worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from trainables.hyper import Hyper
from trainables.workload import Workload
from tune.planning.budget import Machine
from tune.planning.estimate import Load
from tune.planning.gpus import Gpu
from tune.planning.packing import trials_at_once
from tune.planning.plan import plan_sweep
from tune.planning.request import SweepRequest, check_request

# 100 MB of weights, all trained: 300 MB more; 10 MB a window, 8 windows: 480 MB, and a process of 700 MB
WORK = Workload(
    parameters=25_000_000,
    trainable=25_000_000,
    weight_bytes=100_000_000,
    train_flops=4e8,
    eval_flops=1e8,
    step_flops=0.0,
    activation_bytes=10_000_000,
)
CORES = Machine(cpus=16)


def load(work: Workload = WORK) -> Load:
    return Load(Hyper(lr=1e-4, epochs=1, batch_size=8), work, train_windows=100, val_windows=10)


@pytest.mark.parametrize(
    ("train_flops", "free", "at_once"),
    [
        (4e8, 10**12, 16),  # a step of 3.2 GFLOP is worth one thread of 16
        (4e9, 10**12, 2),  # 32 GFLOP: 8 threads
        (4e10, 10**12, 1),  # 320 GFLOP: all of them
        (4e8, 6 * 10**9, 4),  # 80 % of 6 GB holds 1,180 MB four times
        (4e8, 10**9, 1),  # one there must be
    ],
)
def test_on_cores_as_many_as_have_their_threads_and_fit_into_memory(
    train_flops: float, free: int, at_once: int
) -> None:
    loads = [load(replace(WORK, train_flops=train_flops)), load(replace(WORK, train_flops=1e6))]
    assert trials_at_once(loads, CORES, gpus=0, free_bytes=free) == at_once


@pytest.mark.parametrize(
    ("gigabytes", "train_flops", "at_once"),
    [
        (8, 4e8, 4),  # 6.4 GB hold 1,180 MB five times; more than four are not asked for
        (4, 4e8, 2),
        (1, 4e8, 1),
        (80, 4e11, 1),  # a step of 3.2 TFLOP keeps a card busy by itself
    ],
)
def test_on_a_card_as_many_as_fit_where_a_step_is_small(gigabytes: int, train_flops: float, at_once: int) -> None:
    free = gigabytes * 10**9
    machine = Machine(16, (Gpu("a", free + 10**9, free),))
    assert trials_at_once([load(replace(WORK, train_flops=train_flops))], machine, gpus=1) == at_once


def test_a_model_that_does_not_count_its_work_runs_alone() -> None:
    assert trials_at_once([], CORES, gpus=0) == 1


def test_a_plan_puts_a_number_in_the_place_of_auto() -> None:
    """moirai-tiny at batch 64 is worth one thread; how many cores the tests' machine has, they all get a trial."""
    request = check_request(SweepRequest(space="quickstart", sweep={"max_concurrent": "auto"}))
    request = replace(request, machine=Machine(cpus=3))
    plan = plan_sweep(replace(request, budget=replace(request.budget, gpus=0)))
    assert plan.spec.max_concurrent == plan.budget.concurrent == 3
    assert plan.budget.cpus_per_trial == 1
