"""Time-MoE end to end, the quickstart cut short: bundled weights, bundled traffic counts, no network."""

import json
import os
import re
import subprocess
import sys

import pytest

from tests.paths import REPOSITORY
from tune.leaderboard.leaderboard import Leaderboard
from tune.records.sweep_folder import SweepFolder

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(REPOSITORY), "HF_HUB_OFFLINE": "1"}


def foretune(*arguments, cwd):
    command = [sys.executable, "-m", "tune", *arguments]
    done = subprocess.run(command, cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


pytestmark = pytest.mark.sweeps


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The sweep's folder and what was printed, of one epoch at a rate that is known to help."""
    cwd = tmp_path_factory.mktemp("time_moe")
    printed = foretune(
        *("sweep", "time-moe-quickstart", "--trials", "1", "--name", "demo"),
        *("--set", "epochs=1", "--set", "lr=1e-4", "--set", "strategy=full"),
        cwd=cwd,
    )
    return cwd / "ray_results" / "demo", printed


def board_of(folder):
    return Leaderboard.read(SweepFolder(folder), metric="val_loss", sweep_is_running=False)


def test_an_epoch_beats_the_bundled_models_zero_shot(demo):
    folder, printed = demo
    assert board_of(folder).beats_initial
    assert re.search(r"^Use (t\d{4}|blend|soup)", printed, re.MULTILINE)
    assert "train (whole sequences)" in printed


def test_the_export_evaluates_to_the_leaderboards_figures(demo):
    folder, _ = demo
    told = json.loads(foretune("evaluate", str(folder / "best"), "--json", cwd=folder))
    best = board_of(folder).chosen
    assert told["mae"] == pytest.approx(best.scores.val_mae, rel=1e-5)
    assert told["mse"] == pytest.approx(best.scores.val_mse, rel=1e-5)


def test_the_export_predicts_a_series_of_the_traffic_it_was_trained_on(demo):
    folder, _ = demo
    told = json.loads(
        foretune(
            *("predict", str(folder / "best"), "--series", "CP001#fx=2", "--at", "2023-12-25 08:00:00"),
            *("--clip-nonneg", "--round", "--json"),
            cwd=folder,
        )
    )
    assert (told["startTime"], told["freqMin"]) == ("2023-12-25 08:00:00", 5)
    assert len(told["values"]) == len(told["times"]) == 12
    assert all(isinstance(value, int) and value >= 0 for value in told["values"])


def test_the_export_loads_by_the_models_own_class(demo):
    from trainables.time_moe import TimeMoeForPrediction

    folder, _ = demo
    model = TimeMoeForPrediction.from_pretrained(folder / "best")
    assert model.config.horizon_lengths == [1, 8, 32, 64]
