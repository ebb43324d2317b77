"""What each trial may take of a machine: made-up machines, arithmetic by hand."""

from __future__ import annotations

import pytest

from tune.planning.budget import (
    Budget,
    Machine,
    look_at_machine,
    parse_concurrency,
    parse_duration,
    parse_memory,
    plan_budget,
)
from tune.planning.gpus import Gpu
from tune.records.spec import SweepError

GB = 10**9
CPU_ONLY = Machine(8)
ONE_GPU = Machine(8, (Gpu("A", 24 * GB, 24 * GB),))
FOUR_GPUS = Machine(32, (*[Gpu("A", 80 * GB, 80 * GB)] * 3, Gpu("B", 40 * GB, 40 * GB)))


def plan(
    machine: Machine, *, gpus: int | None = None, concurrent: int | None = None, memory: int | None = None
) -> Budget:
    return plan_budget(machine, gpus=gpus, max_concurrent=concurrent, gpu_memory_bytes=memory)


# How many at once


def test_on_one_gpu_trials_run_one_at_a_time_with_all_cpus_and_all_its_memory() -> None:
    assert plan(ONE_GPU) == Budget(concurrent=1, cpus_per_trial=8, gpus=1, gpu_per_trial=1.0, gpu_memory_bytes=None)


def test_without_a_gpu_trials_run_one_at_a_time_on_all_cpus() -> None:
    assert plan(CPU_ONLY) == Budget(concurrent=1, cpus_per_trial=8, gpus=0, gpu_per_trial=0.0, gpu_memory_bytes=None)


def test_of_several_gpus_one_is_used_unless_more_are_asked_for() -> None:
    assert plan(FOUR_GPUS) == Budget(1, 32, 1, 1.0, None)


def test_several_gpus_run_one_trial_each_and_divide_the_cpus() -> None:
    assert plan(FOUR_GPUS, gpus=4) == Budget(4, 8, 4, 1.0, None)


def test_no_gpu_is_used_where_none_is_wanted() -> None:
    assert plan(ONE_GPU, gpus=0) == Budget(1, 8, 0, 0.0, None)


@pytest.mark.parametrize(("concurrent", "cpus"), [(1, 8), (2, 4), (3, 2), (5, 1), (8, 1)])
def test_trials_at_once_never_have_more_threads_than_there_are_cores(concurrent: int, cpus: int) -> None:
    budget = plan(CPU_ONLY, concurrent=concurrent)
    assert (budget.concurrent, budget.cpus_per_trial) == (concurrent, cpus)
    assert concurrent * cpus <= 8


@pytest.mark.parametrize(
    ("gpus", "concurrent", "share"),
    [(1, 2, 0.5), (1, 4, 0.25), (2, 2, 1.0), (2, 4, 0.5), (2, 3, 0.5), (2, 1, 1.0), (4, 2, 1.0)],
)
def test_trials_on_one_gpu_share_it_evenly(gpus: int, concurrent: int, share: float) -> None:
    """Three trials on two GPUs: one of them must carry two, so each takes half."""
    assert plan(FOUR_GPUS, gpus=gpus, concurrent=concurrent).gpu_per_trial == share


# Memory


@pytest.mark.parametrize(
    ("gpus", "concurrent", "limit", "each"),
    [
        (1, 1, None, None),  # all there is
        (1, 1, 8 * GB, 8 * GB),
        (1, 2, None, 40 * GB),  # half of 80
        (1, 4, 8 * GB, 2 * GB),  # the limit is for one GPU
        (2, 4, 8 * GB, 4 * GB),
        (4, 8, None, 20 * GB),  # half of the smallest GPU, 40
        (4, 4, None, None),
    ],
)
def test_trials_on_one_gpu_share_its_memory(gpus: int, concurrent: int, limit: int | None, each: int | None) -> None:
    assert plan(FOUR_GPUS, gpus=gpus, concurrent=concurrent, memory=limit).gpu_memory_bytes == each


# Refusals


@pytest.mark.parametrize(
    ("machine", "wanted", "message"),
    [
        (ONE_GPU, {"gpus": 2}, "--gpus must not be more than the machine has, got 2, it has 1"),
        (CPU_ONLY, {"gpus": 1}, "--gpus must not be more than the machine has, got 1, it has 0"),
        (CPU_ONLY, {"concurrent": 9}, "--max-concurrent must not exceed the CPU cores, got 9, there are 8"),
        (ONE_GPU, {"memory": 30 * GB}, "--gpu-memory must not exceed the GPU's memory, got 30.0 GB, it has 24.0 GB"),
        (FOUR_GPUS, {"gpus": 4, "memory": 60 * GB}, "got 60.0 GB, it has 40.0 GB"),
        (CPU_ONLY, {"memory": 8 * GB}, "--gpu-memory limits a GPU"),
        (ONE_GPU, {"gpus": 0, "memory": 8 * GB}, "--gpu-memory limits a GPU"),
    ],
)
def test_more_than_the_machine_has_is_rejected(machine: Machine, wanted: dict[str, int], message: str) -> None:
    with pytest.raises(SweepError) as caught:
        plan(machine, **wanted)
    assert message in str(caught.value)


def test_what_others_use_of_a_gpu_is_not_shared_out() -> None:
    used = Machine(8, (Gpu("A", 24 * GB, 10 * GB),))
    assert plan(used, concurrent=2).gpu_memory_bytes == 5 * GB


# The machine


def test_this_machine_has_a_core_and_knows_the_memory_of_each_gpu() -> None:
    machine = look_at_machine()
    assert machine.cpus >= 1
    assert all(0 < gpu.free_bytes <= gpu.total_bytes for gpu in machine.gpus)


# What a user types


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("8GB", 8_000_000_000),
        ("8gb", 8_000_000_000),
        (" 8 GB ", 8_000_000_000),
        ("7.5GiB", 8_053_063_680),  # 7.5 * 1024^3
        ("8000MB", 8_000_000_000),
        ("512MiB", 536_870_912),
        ("4KiB", 4096),
        ("3kB", 3000),
        ("100B", 100),
    ],
)
def test_a_size_is_read(text: str, count: int) -> None:
    assert parse_memory(text) == count


@pytest.mark.parametrize("text", ["", "GB", "8G", "8TB", "-8GB", "0GB", "0.0MB", "8GB 2MB", "1e9", "eight GB", "8,5GB"])
def test_a_text_that_is_no_size_is_rejected(text: str) -> None:
    with pytest.raises(SweepError, match="--gpu-memory must be a size like 8GB"):
        parse_memory(text)


def test_a_size_without_a_unit_is_asked_about() -> None:
    with pytest.raises(SweepError, match="--gpu-memory needs a unit, got '8'; give 8GB, 8GiB or 8MB"):
        parse_memory("8")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("45s", 45),
        ("90m", 5400),
        ("10min", 600),
        ("2h", 7200),
        ("1.5h", 5400),
        ("1h30m", 5400),
        ("1h 30m", 5400),
        ("1d2h3m4s", 93784),  # 86400 + 7200 + 180 + 4
        ("2 H", 7200),
        (" 2h ", 7200),
    ],
)
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "h",
        "2x",
        "-5",
        "-2h",
        "1h-30m",
        "1h30",
        "2 hours",
        ".5h",
        "1.5.2h",
        "1e3",
        "inf",
        "nan",
        "0h",
        "2h2h",
        "30m1h",
        "1m2min",
    ],
)
def test_a_text_that_is_no_duration_is_rejected(text: str) -> None:
    with pytest.raises(SweepError, match="--time-budget must be"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["2", " 90 ", "1.5", "0"])
def test_a_duration_without_a_unit_is_asked_about(text: str) -> None:
    with pytest.raises(SweepError, match=f"needs a unit, got '{text}'; give {text.strip()}h, "):
        parse_duration(text)


@pytest.mark.parametrize(("text", "number"), [("auto", "auto"), ("1", 1), ("12", 12)])
def test_a_number_of_trials_at_once_is_read(text: str, number: int | str) -> None:
    assert parse_concurrency(text) == number


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5", "two", "²", "AUTO"])
def test_a_text_that_is_no_number_of_trials_is_rejected(text: str) -> None:
    with pytest.raises(SweepError, match="--max-concurrent must be auto or a number from 1"):
        parse_concurrency(text)
