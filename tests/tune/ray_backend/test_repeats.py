"""The best of a sweep trained again through the real command line, and a kill in the middle of it."""

from __future__ import annotations

import pytest

from tests.tune.service import (
    foretune,
    kill_all,
    leaderboard_of,
    repeatable,
    start_foretune,
    toy_sweep,
    wait_for_epoch,
)
from tune.records.journal import read_records
from tune.records.sweep_folder import SweepFolder

pytestmark = pytest.mark.sweeps
NAMES = ["t0000", "t0001", "t0000-r1", "t0001-r1", "t0000-r2", "t0001-r2"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The leaderboard of a sweep that repeats its best at its end, and was never interrupted."""
    cwd = tmp_path_factory.mktemp("whole")
    done = foretune(*toy_sweep("whole"), "--trials", "2", "--repeats", "2", cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    return leaderboard_of("whole", cwd)


@pytest.mark.slow  # without Ray: tests/tune/cli/sweeps/test_resumption.py
def test_the_best_are_trained_again_with_other_seeds(whole) -> None:
    assert [trial["seeds"] for trial in whole["trials"]] == [2, 2]
    assert all(trial["spread"] > 0 for trial in whole["trials"])


@pytest.mark.slow  # kills amid repeats: also in tests/chaos
def test_repeats_after_the_fact_killed_and_resumed_are_those_of_a_sweep_never_interrupted(whole, tmp_path) -> None:
    folder = SweepFolder(tmp_path / "ray_results" / "cut")
    done = foretune(*toy_sweep("cut"), "--trials", "2", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    process = start_foretune("repeat", "cut", "--top", "3", "--seeds", "2", cwd=tmp_path)
    wait_for_epoch(process, folder.path, "t0001-r1", 1)
    kill_all(process)
    before = read_records(folder)
    assert [record.trial_id for record in before] == NAMES[:4]
    assert [record.is_finished for record in before] == [True, True, True, False]

    done = foretune("resume", "cut", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "t0001-r1 goes on" in done.stdout
    assert "t0000-r1 starts" not in done.stdout
    assert [r.trial_id for r in sorted(read_records(folder), key=lambda r: NAMES.index(r.trial_id))] == NAMES
    assert repeatable(leaderboard_of("cut", tmp_path)) == repeatable(whole)
