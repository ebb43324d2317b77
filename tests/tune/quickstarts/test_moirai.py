"""The embedded default, cut to its first three trials: bundled Moirai, bundled data, no network."""

import json
import os
import re
import subprocess
import sys
import urllib.request
from urllib.parse import quote

import pytest

from tests.paths import REPOSITORY
from tune.records.journal import read_records
from tune.records.sweep_folder import SweepFolder

pytestmark = pytest.mark.sweeps


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """(folder, what was printed) of `foretune sweep quickstart --trials 3`."""
    cwd = tmp_path_factory.mktemp("quickstart")
    done = subprocess.run(
        [sys.executable, "-m", "tune", "sweep", "quickstart", "--trials", "3", "--name", "demo"],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return cwd / "ray_results" / "demo", done.stdout


def board_of(folder):
    from tune.leaderboard.leaderboard import Leaderboard

    return Leaderboard.read(SweepFolder(folder), metric="val_loss", sweep_is_running=False)


def test_the_default_tries_every_strategy_and_beats_zero_shot(demo):
    folder, printed = demo
    strategies = [r.hyper["strategy"] for r in read_records(SweepFolder(folder))]
    assert strategies == ["head_only", "freeze_ffn", "full"]
    assert board_of(folder).beats_initial
    assert "zero-shot" in printed
    assert re.search(r"^Use (t\d{4}|blend|soup)", printed, re.MULTILINE)
    assert "foretune sweep moirai-small-head-only --data YOUR_DATA" in printed.split("next:")[1]


def test_zero_shot_is_better_than_repeating_the_last_day(demo):
    """The bundled model has learned something: repeating the last 24 hours has the larger squared error."""
    import torch

    from data.metrics import ForecastErrors
    from data.panel import Panel
    from data.task.task import ForecastTask
    from tune.records.spec import SweepSpec

    folder, _ = demo
    task = ForecastTask(Panel.load(folder / "data"), SweepSpec.read(SweepFolder(folder)).task)
    errors = ForecastErrors(len(task.panel), task.prediction_length)
    for batch in task.gather("val").batches(256):
        day = batch.context[:, -24:]
        naive = day.repeat(1, task.prediction_length // 24 + 1)[:, : task.prediction_length]
        errors.update(torch.nan_to_num(naive), batch.target, batch.series)
    assert board_of(folder).initial.val_mse < errors.mse


def test_frozen_features_are_computed_once_and_only_for_the_head(demo):
    folder, _ = demo
    assert len(list((folder / "shared" / "features").glob("*.npy"))) == 2  # train and validation


def test_the_export_gives_the_leaderboards_figures_again(demo):
    folder, _ = demo
    best = board_of(folder).chosen
    card = json.loads((folder / "best" / "foretune.json").read_text())
    assert card["trial_id"] == best.trial_id
    for name in ("val_loss", "val_mae", "val_mse", "val_mase", "val_wql"):
        assert card["validation"][name] == pytest.approx(getattr(best.scores, name), abs=1e-5)
    for fact in (best.trial_id, card["data"]["content_hash"], "torch", "test_loss"):
        assert fact in (folder / "best" / "README.md").read_text()


def test_uni2ts_alone_loads_the_export_and_forecasts(demo, tmp_path):
    folder, _ = demo
    script = """
import sys, torch
from uni2ts.model.moirai import MoiraiForecast, MoiraiModule
module = MoiraiModule.from_pretrained(sys.argv[1])
forecast = MoiraiForecast(prediction_length=64, target_dim=1, feat_dynamic_real_dim=0, past_feat_dynamic_real_dim=0,
                          context_length=256, module=module, patch_size=32, num_samples=20)
past = torch.sin(torch.arange(256) / 4.0)[None, :, None]
seen = torch.ones_like(past, dtype=torch.bool)
samples = forecast(past_target=past, past_observed_target=seen, past_is_pad=~seen[..., 0])
assert samples.shape[:2] == (1, 20) and torch.isfinite(samples).all()
assert not any(name.split(".")[0] in ("tune", "trainables", "data") for name in sys.modules)
print(sum(p.numel() for p in module.parameters()))
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder / "best")], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert 600_000 < int(done.stdout.split()[-1]) < 750_000


def test_tensorboard_lists_every_trial_with_curves_and_hyperparameters(demo, tensorboard_server):
    folder, _ = demo

    def ask(url, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())

    with tensorboard_server(folder) as url:
        tags = ask(f"{url}/data/plugin/scalars/tags")
        records = read_records(SweepFolder(folder))
        runs = {run.split()[0]: run for run in tags}
        for record in records:
            run = runs[record.trial_id]
            assert {"val_loss", "val_mae", "val_mse", "train_loss", "lr"} <= set(tags[run])
            points = ask(f"{url}/data/plugin/scalars/scalars?run={quote(run)}&tag=val_loss")
            assert [(step, pytest.approx(value)) for _, step, value in points] == [
                (report.epoch, report.scores.val_loss) for report in record.reports
            ]
        body = {"experimentName": "", "allowedStatuses": ["STATUS_SUCCESS"], "colParams": [], "sliceSize": 100}
        groups = ask(f"{url}/data/plugin/hparams/session_groups", body)["sessionGroups"]
        shown = {group["sessions"][0]["name"]: group["hparams"] for group in groups}
    of_trials = {name.split()[0]: values for name, values in shown.items() if name.startswith("t0")}
    assert set(of_trials) == {record.trial_id for record in records}
    assert {"zero-shot", "seasonal-naive"} <= set(shown)
    for record in records:
        assert of_trials[record.trial_id]["lr"] == record.hyper["lr"]
        assert of_trials[record.trial_id]["strategy"] == record.hyper["strategy"]
