"""Thousands of tiny trials in one sweep: memory, open files and disk stay what they are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.soak.looks import growth, soak, table
from tests.tune.service import toy_sweep

pytestmark = [pytest.mark.sweeps, pytest.mark.skipif(os.name != "posix", reason="counts open files")]

SLACK_KB = 20_000  # of an allocator that takes memory in pieces
FOR_EVER = ("--trials", "1000000", "--no-futility", "--scheduler", "none", "--searcher", "random")
TINY = ("--set", "epochs=2", "--set", "delay=0", "--set", "warmup_steps=0")


KB_A_TRIAL = 25  # that the driver may grow by: its records, and Ray's own


def hold(tmp_path: Path, *, seconds: float, every: float, worker_mb: float) -> None:
    looks = soak((*toy_sweep("long"), *FOR_EVER, *TINY), "long", tmp_path, seconds=seconds, every=every)
    print("\n" + table(looks))
    assert looks[-1].trials - looks[0].trials >= seconds / 2  # so it was at work
    assert 1000 * growth(looks, "driver_mb") <= KB_A_TRIAL * growth(looks, "trials") + SLACK_KB
    assert growth(looks, "worker_mb") <= worker_mb
    assert growth(looks, "driver_files") <= 3
    assert growth(looks, "worker_files") <= 3
    assert growth(looks, "shm_mb") <= 10
    second = looks[len(looks) // 4]
    assert looks[-1].disk_mb / looks[-1].trials <= 1.2 * second.disk_mb / second.trials


def test_some_seconds_of_tiny_trials_take_no_more_and_more(tmp_path: Path) -> None:
    hold(tmp_path, seconds=12, every=0.5, worker_mb=30)


@pytest.mark.soak
@pytest.mark.timeout(3 * 3600)
def test_two_hours_of_tiny_trials_take_no_more_and_more(tmp_path: Path) -> None:
    hold(tmp_path, seconds=7200, every=10, worker_mb=50)
