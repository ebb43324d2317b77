"""Kills at random moments: every trial is there once, and the leaderboard is that of a sweep that nobody touched."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.chaos.kills import Outcome, repeated_epochs, sweep_under_kills
from tests.tune.service import foretune, leaderboard_of, repeatable, toy_sweep
from tune.records.journal import read_records
from tune.records.sweep_folder import SweepFolder

pytestmark = [pytest.mark.sweeps, pytest.mark.skipif(os.name != "posix", reason="POSIX signals and processes")]
SLOWLY = ("--set", "delay=0.03")  # a step, so that a kill comes in between
EXTRAS = [
    (),
    ("--repeats", "2", "--trials", "3"),
    ("--searcher", "tpe"),
    ("--searcher", "cmaes", "--scheduler", "median"),
]


def hold(outcome: Outcome, arguments: tuple[object, ...], cwd: Path, beside: Path) -> None:
    """Compare with the same sweep, uninterrupted."""
    beside.mkdir()
    whole = foretune(*arguments, cwd=beside)
    assert whole.returncode == 0, whole.stdout + whole.stderr
    assert "Traceback" not in outcome.log
    assert outcome.behind == []
    killed, whole_one = (SweepFolder(place / "ray_results" / "night") for place in (cwd, beside))
    assert [r.trial_id for r in read_records(killed)] == [r.trial_id for r in read_records(whole_one)]
    assert max(repeated_epochs(killed).values()) <= outcome.kills.total()
    assert repeatable(leaderboard_of("night", cwd)) == repeatable(leaderboard_of("night", beside))


def test_a_kill_costs_nothing(tmp_path: Path) -> None:
    arguments = (*toy_sweep("night"), "--trials", "2", *SLOWLY)
    outcome = sweep_under_kills(arguments, "night", tmp_path, kills=1, seed=1)
    assert outcome.kills.total() == 1
    hold(outcome, arguments, tmp_path, tmp_path / "beside")


MODELS = ("quickstart", "time-moe-quickstart", "moirai-distill-quickstart", "time-llm-quickstart")


@pytest.mark.chaos
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("space", MODELS)
def test_kills_cost_no_model_anything(tmp_path: Path, seed: int, space: str) -> None:
    fixed = ("--trials", "3", "--name", "night", "--seed", "3", "--max-concurrent", "1", "--no-futility")
    arguments = ("sweep", space, *fixed, "--set", "epochs=3", "--set", "warmup_steps=0")
    outcome = sweep_under_kills(arguments, "night", tmp_path, kills=3, seed=100 + 10 * MODELS.index(space) + seed)
    print(f"\n{space} {dict(outcome.kills)}")
    hold(outcome, arguments, tmp_path, tmp_path / "beside")


@pytest.mark.chaos
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("kind", range(len(EXTRAS)))
def test_many_kills_cost_nothing(tmp_path: Path, seed: int, kind: int) -> None:
    """Some hundred kills in all: `pytest -m chaos tests/chaos`."""
    arguments = (*toy_sweep("night"), *EXTRAS[kind], *SLOWLY)
    outcome = sweep_under_kills(arguments, "night", tmp_path, kills=4, seed=10 * kind + seed)
    print(f"\n{dict(outcome.kills)}")
    hold(outcome, arguments, tmp_path, tmp_path / "beside")
