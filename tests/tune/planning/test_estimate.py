"""What is reported of memory and time before a sweep starts, worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.paths import TOYS
from trainables.hyper import Hyper
from trainables.workload import Workload
from tune.planning.budget import Budget, Machine
from tune.planning.estimate import Estimate, Load
from tune.planning.gpus import Gpu
from tune.planning.plan import describe_plan, plan_sweep
from tune.planning.request import SweepRequest, check_request
from tune.planning.throughput import Speed, measure_speed, product_flops
from tune.records.spec import SweepSettings

TOY = TOYS
CPU = Machine(cpus=4)
GPU = Machine(4, (Gpu("a", 8 * 10**9, 8 * 10**9), Gpu("b", 8 * 10**9, 6 * 10**9)))

# 100 M weights of 4 bytes, 10 M of them trained; 2 GFLOP a training window, 1 a validation, 5 a step; 50 MB a window
WORK = Workload(
    parameters=100_000_000,
    trainable=10_000_000,
    weight_bytes=400_000_000,
    train_flops=2e9,
    eval_flops=1e9,
    step_flops=5e9,
    activation_bytes=50_000_000,
)


def load(batch_size: int = 8, *, work: Workload = WORK, **hyper: Any) -> Load:
    """1,001 training and 100 validation windows."""
    values = {"lr": 1e-4, "epochs": 3, "batch_size": batch_size, "precision": "fp32", **hyper}
    return Load(Hyper(**values), work, train_windows=1001, val_windows=100)


def estimate(*loads: Load, machine: Machine = CPU, gpus: int = 0, concurrent: int = 1, **settings: Any) -> Estimate:
    limit = settings.pop("gpu_memory_bytes", None)
    budget = Budget(concurrent, 1, gpus, gpus / concurrent, limit)
    return Estimate(loads, SweepSettings(**{"trials": 10, **settings}), machine, budget)


def tera(precision: str) -> Speed:
    return Speed(1e12)


def ten_giga(precision: str) -> Speed:
    return Speed(1e10)


# Memory


def test_memory_is_weights_what_training_keeps_and_the_activations_of_a_micro_batch() -> None:
    # 400 MB + 10 M x (4 gradient + 4 + 4 moments) = 120 MB + 8 x 50 MB
    assert load(8).memory_bytes == 920_000_000
    assert load(8, micro_batch_size=2).memory_bytes == 620_000_000


@pytest.mark.parametrize(
    ("keep", "repeats", "concurrent", "megabytes"),
    [
        (5, 0, 1, 400),  # 40 MB of trained weights: of five trials, and five times of the one that runs
        (0, 0, 1, 600),  # all ten
        (50, 0, 1, 600),  # there are no more
        (0, 2, 1, 840),  # and twice the best three
        (5, 0, 3, 800),
    ],
)
def test_the_disk_holds_what_is_kept_and_what_runs(keep: int, repeats: int, concurrent: int, megabytes: int) -> None:
    found = estimate(load(8), concurrent=concurrent, keep=keep, repeats=repeats)
    assert found.disk_bytes == megabytes * 10**6
    assert found.describe(tera)["on the disk"].startswith(f"up to {megabytes} MB (")


def test_memory_is_reported_for_the_smallest_and_the_largest_batch() -> None:
    facts = estimate(load(8), load(16), load(64)).describe(tera)
    assert facts["memory a trial"].startswith("about 920 MB at batch 8, 3.7 GB at batch 64 (")  # 520 MB + 64 x 50 MB
    facts = estimate(load(8, micro_batch_size=2), load(64, micro_batch_size=2)).describe(tera)
    assert facts["memory a trial"].startswith("about 620 MB (")


def test_what_differs_from_corner_to_corner_is_reported_as_a_span() -> None:
    full = load(8, work=replace(WORK, trainable=100_000_000))  # 400 MB + 1,200 MB + 400 MB
    facts = estimate(load(8), full).describe(tera)
    assert facts["parameters"] == "100 M, 10 M to 100 M trainable"
    assert facts["memory a trial"].startswith("about 920 MB to 2.0 GB (")


@pytest.mark.parametrize(
    ("batch_size", "limit", "notes"),
    [
        (64, None, []),  # 3.7 GB of 6 GB, the smaller of two GPUs
        (128, None, ["128 would need about 6.9 GB and has 6.0 GB"]),  # 520 MB + 6.4 GB
        (64, 3 * 10**9, ["64 would need about 3.7 GB and has 3.0 GB"]),
    ],
)
def test_a_batch_that_the_gpu_cannot_hold_is_noted(batch_size: int, limit: int | None, notes: list[str]) -> None:
    found = estimate(load(8), load(batch_size), machine=GPU, gpus=2, gpu_memory_bytes=limit).notes
    whole = [
        f"a trial at batch {note} of GPU memory: micro-batches will shrink, the effective batch stays" for note in notes
    ]
    assert found == whole


def test_nothing_is_noted_on_the_cpu_where_its_memory_is_not_known() -> None:
    assert estimate(load(10_000)).notes == []


@pytest.mark.parametrize(
    ("at_once", "gigabytes", "note"),
    [
        (1, 8, None),  # 520 MB + 6.4 GB as above, and 0.8 GB of a process: 7.7 GB
        (1, 7, "1 trial at batch 128 would need about 7.7 GB and the machine has 7.0 GB: micro-batches will shrink, "
         "the effective batch stays"),
        (2, 8, "2 trials at batch 128 would need about 15.4 GB and the machine has 8.0 GB: micro-batches will shrink, "
         "the effective batch stays; run fewer at once (--max-concurrent)"),
    ],
)  # fmt: skip
def test_trials_that_the_host_cannot_hold_are_noted(at_once: int, gigabytes: int, note: str | None) -> None:
    machine = Machine(2, memory_bytes=gigabytes * 10**9)
    found = estimate(load(8), load(128), machine=machine, concurrent=at_once).notes
    assert found == ([] if note is None else [note])


# Time


def test_an_epoch_is_its_windows_steps_and_validations() -> None:
    # 1001 x 2 + ceil(1001 / 8) = 126 x 5 + 100 x 1 = 2732 GFLOP; four validations an epoch make 3032
    assert load(8).epoch_flops == 2732e9
    assert load(8, evals_per_epoch=4).epoch_flops == 3032e9


def test_time_counts_six_tenths_of_what_was_measured() -> None:
    facts = estimate(load(8)).describe(ten_giga)
    # 2732 GFLOP at 6 GFLOP/s: 455.3 s; three epochs: 1366 s; ten trials: 13660 s
    assert facts["time an epoch"] == "about 7 min 35 s (from 10 GFLOP/s measured in fp32)"
    assert facts["whole search"] == "about 3 h 47 min at most: ASHA stops most trials early"


def test_the_whole_search_is_every_trial_at_the_most_epochs() -> None:
    facts = estimate(load(8), load(8, epochs=30), scheduler="none").describe(ten_giga)
    assert facts["whole search"] == "about 1 d 13 h at most"  # 136,600 s
    facts = estimate(load(8), time_budget_seconds=3600).describe(ten_giga)
    assert facts["whole search"].endswith("stops most trials early; the time budget ends it after 1h 00m")


@pytest.mark.parametrize(
    ("max_steps", "seconds"),
    [
        (126, 455.3),  # one epoch: 1,001 x 2 + 126 x 5 + 100 x 1 GFLOP, / 6 GFLOP/s
        (10, 51.67),  # 80 windows: 80 x 2 + 10 x 5 + 100 x 1 = 310 GFLOP
        (136, 507.0),
        (10**6, 1366.0),  # all three epochs
    ],
)
def test_a_smoke_run_takes_its_steps_and_a_validation(max_steps: int, seconds: float) -> None:
    found = estimate(load(8), max_steps=max_steps)
    assert found._trial_seconds(load(8), Speed(1e10)) == pytest.approx(seconds, rel=1e-3)


@pytest.mark.parametrize(
    ("hours", "scheduler", "stride"),
    [
        (2, "asha", None),  # 13,660 s are 1.9 times the budget, and ASHA trains a third
        (1, "asha", 6),  # 3.8 times; a third of it 1.26; stride 4 becomes 5.1
        (2, "none", 8),  # stride 4 becomes 7.6
    ],
)
def test_a_stride_with_which_the_search_fits_is_named(hours: int, scheduler: str, stride: int | None) -> None:
    found = replace(estimate(load(8), scheduler=scheduler, time_budget_seconds=3600 * hours), train_stride=4)
    text = found.describe(ten_giga)["whole search"]
    assert text.endswith(
        f"{hours}h 00m" + (f", and would come to its end with --train-stride {stride}" if stride else "")
    )


def test_trials_at_once_share_a_device_but_not_two() -> None:
    def facts(gpus: int, machine: Machine) -> dict[str, str]:
        return estimate(load(8), machine=machine, gpus=gpus, concurrent=2).describe(ten_giga)

    # half the rate each, so twice 455.3 s; five after another on either half
    shared = "(from 10 GFLOP/s measured in fp32, shared by 2 trials)"
    for gpus, machine in ((0, CPU), (1, GPU)):
        assert facts(gpus, machine)["time an epoch"] == f"about 15 min 11 s {shared}"
        assert facts(gpus, machine)["whole search"].startswith("about 3 h 47 min at most")
    assert facts(2, GPU)["time an epoch"].startswith("about 7 min 35 s (from 10 GFLOP/s measured in fp32)")
    assert facts(2, GPU)["whole search"].startswith("about 1 h 53 min at most")  # 6830 s


def test_operations_are_counted_beside_the_arithmetic() -> None:
    """126 steps of 400 operations, and one batch of validation of 100."""
    work = replace(WORK, step_operations=400, eval_operations=100)
    times = estimate(load(8, work=work)).describe(lambda precision: Speed(1e11, 1e-4))
    # 1,001 x 2 + 126 x 5 + 100 x 1 GFLOP = 2,732; / 60 GFLOP/s = 45.5 s; (126 x 400 + 100) x 0.1 ms = 5.05 s
    assert times["time an epoch"] == "about 51 s (from 100 GFLOP/s measured in fp32, 100 µs an operation)"


def test_passing_over_numbers_takes_time_too() -> None:
    """What 1,001 + 100 / 2 windows keep, 3.5 times; 126 updates of 10 M weights, 3 times; 100 windows' draws."""
    found = load(8, work=replace(WORK, eval_numbers=1_000_000))
    assert found.epoch_numbers == pytest.approx(3.5 * 1051 * 12.5e6 + 3 * 126 * 10e6 + 100 * 1e6)
    speed = Speed(1e30, number_seconds=(4e-9, 1e-9))
    seconds = found.epoch_numbers * 1e-9
    assert found.epoch_seconds(speed, 1.0) == pytest.approx(seconds)
    assert found.epoch_seconds(speed, 0.5) == pytest.approx(2 * seconds)
    assert found.epoch_seconds(speed, 0.1) == pytest.approx(4 * seconds)  # no slower than one thread


def test_a_small_step_is_counted_with_the_threads_that_it_is_worth() -> None:
    """8 windows of 0.2 GFLOP: one thread of four, so a quarter of the rate that all four have."""
    work = replace(WORK, train_flops=2e8, eval_flops=1e8, step_flops=0.0)
    facts = estimate(load(8, work=work)).describe(ten_giga)
    # (1,001 x 0.2 + 100 x 0.1) = 210.2 GFLOP; / (10 x 0.6 x 1/4) = 140 s
    assert facts["time an epoch"].startswith("about 2 min 20 s (")


def test_every_precision_is_measured_by_itself() -> None:
    rates = {"fp32": Speed(1e10), "bf16": Speed(1e11)}
    facts = estimate(load(8), load(8, precision="bf16")).describe(rates.__getitem__)
    source = "from 100 GFLOP/s measured in bf16 and 10 GFLOP/s measured in fp32"
    assert facts["time an epoch"] == f"about 46 s to 7 min 35 s ({source})"


def test_a_gpu_that_cannot_be_measured_leaves_the_time_open() -> None:
    facts = estimate(load(8), machine=GPU, gpus=1).describe(lambda precision: None)
    assert facts["time an epoch"] == "not known: the GPU could not be measured"
    assert "whole search" not in facts


def test_a_product_is_measured_in_operations_a_second() -> None:
    """No machine is slower than 0.1 GFLOP/s, nor faster than a million of them."""
    measured = measure_speed("fp32", use_gpu=False)
    assert measured is not None
    assert 1e8 < measured.flops < 1e15
    assert 1e-7 < measured.operation_seconds < 1e-2
    assert product_flops("fp32", "cpu", seconds=0.01) > 1e8


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_a_gpu_is_measured_by_another_process_whose_failure_is_no_crash() -> None:
    assert measure_speed("fp32", use_gpu=True) is None


# In a plan


@pytest.fixture
def space(tmp_path: Path) -> Path:
    """The toy, counted: batches of 16 and 32, from 3 to 6 epochs."""
    counted = """

class Counted(Toy):
    @classmethod
    def workload(cls, hyper, task):
        from trainables.workload import Workload
        return Workload(264, 264, 1056, 1e6, 1e6, 0.0, 1000)
"""
    (tmp_path / "counted.py").write_text((TOY / "toy_model.py").read_text() + counted)
    text = (TOY / "toy.yaml").read_text().replace("toy_model.py:Toy", "counted.py:Counted")
    (tmp_path / "counted.yaml").write_text(text)
    return tmp_path / "counted.yaml"


def test_a_plan_tells_what_its_model_counts(space: Path) -> None:
    plan = plan_sweep(check_request(SweepRequest(space=str(space))))
    assert plan.estimate is not None
    assert {x.hyper.batch_size for x in plan.estimate.loads} == {16, 32}
    assert {x.val_windows for x in plan.estimate.loads} == {len(plan.task.val)}
    facts = describe_plan(plan)
    assert facts["parameters"] == "264, 264 trainable"
    assert facts["time an epoch"].endswith(" an operation)")
    assert list(facts)[-5:] == ["parameters", "memory a trial", "on the disk", "time an epoch", "whole search"]


def test_a_model_that_does_not_count_is_not_estimated() -> None:
    plan = plan_sweep(check_request(SweepRequest(space=str(TOY / "toy.yaml"))))
    assert plan.estimate is None
    assert not {"parameters", "memory a trial", "time an epoch", "whole search"} & set(describe_plan(plan))


def test_the_last_smaller_batch_is_a_step_too() -> None:
    plan = plan_sweep(check_request(SweepRequest(space=str(TOY / "toy.yaml"), set={"batch_size": "4"})))
    corners = [replace(proposal, train_windows=56_231) for proposal in plan.proposals.corners]
    facts = describe_plan(replace(plan, proposals=replace(plan.proposals, corners=corners)))
    assert facts["optimiser steps an epoch"] == "14058 at batch 4"  # 14,057 of 4, and one of 3
