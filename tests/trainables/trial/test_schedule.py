import math

import pytest
import torch

from trainables.hyper import Hyper
from trainables.trial.schedule import Schedule


def test_warmup_rises_linearly_and_ends_at_the_nominal_rate():
    schedule = Schedule("constant", warmup_steps=4, total_steps=10)
    assert [schedule.factor(step) for step in range(6)] == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]


def test_no_warmup_starts_at_the_nominal_rate():
    assert Schedule("constant", warmup_steps=0, total_steps=10).factor(0) == 1.0


def test_linear_reaches_its_floor_at_the_end():
    schedule = Schedule("linear", warmup_steps=0, total_steps=10, min_lr_ratio=0.2)
    assert schedule.factor(0) == 1.0
    assert schedule.factor(5) == pytest.approx(0.2 + 0.8 * 0.5)
    assert schedule.factor(10) == pytest.approx(0.2)


def test_cosine_follows_half_a_cosine_to_its_floor():
    schedule = Schedule("cosine", warmup_steps=2, total_steps=12, min_lr_ratio=0.5)
    assert schedule.factor(2) == 1.0
    assert schedule.factor(7) == pytest.approx(0.75)  # half way: cos(pi/2) = 0
    quarter = 0.5 * (1 + math.cos(math.pi * 0.2))
    assert schedule.factor(4) == pytest.approx(0.5 + 0.5 * quarter)
    assert schedule.factor(12) == pytest.approx(0.5)


def test_a_warmup_longer_than_the_run_never_reaches_the_nominal_rate():
    schedule = Schedule("cosine", warmup_steps=100, total_steps=10)
    assert schedule.factor(9) == pytest.approx(0.1)


def test_published_time_moe_schedule_peak_and_floor():
    """Peak 1e-4, floor 5e-5, 10 warm-up steps of 100: half way between at step 55 (MODELS: cosine with floor)."""
    schedule = Schedule("cosine", warmup_steps=10, total_steps=100, min_lr_ratio=0.5)
    assert 1e-4 * schedule.factor(55) == pytest.approx(7.5e-5)


@pytest.mark.parametrize(("total_steps", "warmup_steps"), [(100, 30), (50, 15), (40, 8)])
def test_one_cycle_is_torchs_own(total_steps, warmup_steps):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    torchs = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=1.0, total_steps=total_steps, pct_start=warmup_steps / total_steps, cycle_momentum=False
    )
    ours = Schedule("onecycle", warmup_steps, total_steps)
    for step in range(total_steps):
        assert ours.factor(step) == pytest.approx(torchs.get_last_lr()[0], rel=1e-9), step
        optimizer.step()
        torchs.step()


def test_one_cycle_rises_for_three_tenths_unless_told():
    hyper = Hyper(lr=1e-3, epochs=2, batch_size=4, schedule="onecycle")
    assert hyper.warmup_of(200) == 60
    assert hyper.model_copy(update={"warmup_steps": 20}).warmup_of(200) == 20
    assert hyper.model_copy(update={"warmup_fraction": 0.2}).warmup_of(200) == 40


def test_one_cycle_ends_at_a_floor_that_is_given():
    schedule = Schedule("onecycle", warmup_steps=3, total_steps=10, min_lr_ratio=0.1)
    assert schedule.factor(2) == 1.0
    assert schedule.factor(9) == pytest.approx(0.1)
