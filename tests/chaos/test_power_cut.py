"""What a power cut leaves of a sweep is enough to go on: only what was forced to the disk counts."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from tests.chaos.kills import has_begun, repeated_epochs
from tests.chaos.power import cut_power, start_recorded
from tests.tune.service import foretune, kill_all, leaderboard_of, repeatable, toy_sweep
from tune.records.journal import read_records
from tune.records.sweep_folder import SweepFolder

pytestmark = [pytest.mark.sweeps, pytest.mark.skipif(os.name != "posix", reason="POSIX signals and processes")]


def sweep_with_cuts(cwd: Path, arguments: tuple[object, ...], *, cuts: int, seed: int) -> None:
    """Start a sweep, cut the power so many times at random moments, and hold it against one that was left alone."""
    drawn = random.Random(seed)
    folder = cwd / "ray_results" / "night"
    command = arguments
    for _ in range(cuts):
        process = start_recorded(*command, cwd=cwd)
        if not has_begun(process, cwd / "log.txt"):
            break
        time.sleep(drawn.uniform(0, 5))
        if process.poll() is not None:
            break
        kill_all(process)
        lost = cut_power(folder, cwd / "synced.txt")
        print(dict(lost))
        assert lost["nothing"] > 0
        assert lost["all"] > 0  # or it was no cut: the study, at least
        command = ("resume", "night")
    assert command != arguments  # it was cut at all
    resumed = foretune("resume", "night", cwd=cwd)
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert "Traceback" not in resumed.stdout + resumed.stderr
    (cwd / "beside").mkdir()
    whole = foretune(*arguments, cwd=cwd / "beside")
    assert whole.returncode == 0, whole.stdout + whole.stderr
    cut, left_alone = (SweepFolder(place / "ray_results" / "night") for place in (cwd, cwd / "beside"))
    assert [r.trial_id for r in read_records(cut)] == [r.trial_id for r in read_records(left_alone)]
    assert max(repeated_epochs(cut).values()) <= cuts
    assert repeatable(leaderboard_of("night", cwd)) == repeatable(leaderboard_of("night", cwd / "beside"))


@pytest.mark.slow  # a kill is in test_kills.py
def test_a_power_cut_costs_an_epoch_at_most(tmp_path: Path) -> None:
    arguments = (*toy_sweep("night"), "--trials", "2", "--set", "delay=0.02")
    sweep_with_cuts(tmp_path, arguments, cuts=1, seed=2)


@pytest.mark.chaos
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(10))
def test_power_cuts_again_and_again_cost_nothing(tmp_path: Path, seed: int) -> None:
    sweep_with_cuts(tmp_path, (*toy_sweep("night"), "--set", "delay=0.02"), cuts=3, seed=seed)
