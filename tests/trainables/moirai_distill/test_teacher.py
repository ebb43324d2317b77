"""The teacher's forecasts: the same however they are asked for, and computed once a sweep."""

import json

import pytest
import torch

from trainables.errors import CheckpointError
from trainables.moirai.trainable import Moirai
from trainables.moirai_distill import MoiraiDistill
from trainables.moirai_distill.hyper import teacher_hyper
from trainables.moirai_distill.losses import mean_square
from trainables.moirai_distill.teacher import SEED, Teacher
from trainables.trial.folders import SharedFolder
from trainables.trial.trial import Trial, TrialSpec


@pytest.fixture
def trial(task, values, tmp_path):
    """Makes a trial of these hyperparameters; all share one sweep's folder."""

    def make(name, **changes):
        spec = TrialSpec(tmp_path / name, SharedFolder(tmp_path / "shared"), {**values, **changes}, "val_loss", 0)
        return Trial(MoiraiDistill(), spec, task, torch.device("cpu"))

    return make


def finish(trial):
    reports = [trial.step()]
    while reports[-1].stopped_by is None:
        reports.append(trial.step())
    return reports


def is_loaded(trial):
    return "model" in vars(trial.model.teacher)


def kept(tmp_path):
    return sorted((tmp_path / "shared" / "features").glob("*.npy"))


# --- once a sweep


def test_each_window_is_forecast_once_for_three_trials_and_a_resume(trial, task, tmp_path):
    trials = [trial(f"t{i}", alpha=alpha, d_model=8 * (i + 1)) for i, alpha in enumerate((0.5, 0.2, 1.0))]
    for each in trials[1:]:
        finish(each)
    trials[0].step()
    trials[0].step()
    resumed = trial("t0", alpha=0.5, d_model=8)
    assert finish(resumed)[-1].epoch == 2
    counts = [each.model.teacher.windows_forecast for each in (*trials, resumed)]
    windows = len(task.train) + len(task.val)
    assert counts == [windows, 0, 0, 0]
    assert not any(is_loaded(each) for each in (*trials[1:], resumed))
    assert len(kept(tmp_path)) == 2  # one file a part, which all trials map


def test_alpha_0_computes_no_training_window_and_leaves_its_validation_to_others(trial, task, tmp_path):
    first = trial("a", alpha=0.0)
    report = finish(first)[-1]
    assert report.scores["val_distill"] > 0
    assert first.model.teacher.windows_forecast == len(task.val)
    assert len(kept(tmp_path)) == 1
    second = trial("b", alpha=0.7)
    finish(second)
    assert second.model.teacher.windows_forecast == len(task.train)


def test_kept_forecasts_are_named_by_what_they_depend_on_alone(build):
    def name(part="train", **changes):
        model, hyper = build(**changes)
        return model.frozen_part(hyper, part)

    assert name(alpha=0.0) is None
    assert name("val", alpha=0.0) == name("val", alpha=0.9, d_model=32, lr=0.1) == name(alpha=0.1)
    others = [name(num_samples=11), name(patch_size=16), name(quantile_heads=True), name()]
    assert len(set(others)) == 4


def test_the_name_changes_with_the_weights(task, tmp_path):
    source = Moirai()
    source.build(teacher_hyper("moirai-tiny", "auto", 10), task)
    names = []
    for folder in ("one", "same", "other"):
        if folder == "other":
            with torch.no_grad():
                source.module.in_proj.bias.add_(1)
        source.save_pretrained(tmp_path / folder)
        names.append(Teacher(teacher_hyper(str(tmp_path / folder), "auto", 10), task).name)
    assert names[0] == names[1] != names[2]


# --- the same however they are asked for


def test_a_forecast_does_not_depend_on_the_batch_and_leaves_other_draws_alone(task):
    teacher = Teacher(teacher_hyper("moirai-tiny", "auto", 10), task)
    windows = task.gather("val")
    ids = torch.arange(6)
    state = torch.random.get_rng_state()
    together = teacher.quantiles(windows.batch(ids))
    apart = torch.cat([teacher.quantiles(windows.batch(part)) for part in ids.split([1, 3, 2])])
    torch.testing.assert_close(apart, together, atol=1e-4, rtol=0)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert teacher.windows_forecast == 12
    assert together.shape == (6, 9, task.prediction_length)
    assert not together.requires_grad


def test_a_forecast_is_the_moirais_own_under_the_windows_seed(task):
    hyper = teacher_hyper("moirai-tiny", "auto", 10)
    moirai = Moirai()
    moirai.build(hyper, task).eval()
    batch = task.gather("val").batch(torch.tensor([3]))
    torch.manual_seed(SEED + 3)
    with torch.no_grad():
        expected = moirai.forecast(batch).quantiles
    torch.testing.assert_close(Teacher(hyper, task).quantiles(batch), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("quantile_heads", [False, True])
def test_the_leaderboard_gets_the_teachers_own_error(trial, task, tmp_path, quantile_heads):
    first = trial("t", quantile_heads=quantile_heads)
    first.step()
    told = json.loads((tmp_path / "shared" / "baselines" / "teacher.json").read_text())
    batch = task.gather("val").batch(torch.arange(len(task.val)))
    median = first.model.teacher.quantiles(batch)[:, 4]
    assert told["val_loss"] == pytest.approx(mean_square(median, batch.target).mean().item(), rel=1e-4)
    assert told["val_mse"] == pytest.approx(told["val_loss"], rel=1e-4)  # no missing point in validation


def test_a_teacher_that_cannot_be_had_is_reported_with_the_bundled_one(task, monkeypatch):
    def unreachable(source, names):
        raise OSError("no route")

    monkeypatch.setattr("trainables.moirai_distill.teacher.fetch_file", unreachable)
    with pytest.raises(CheckpointError, match=r"moirai-tiny \(--set teacher=moirai-tiny\)"):
        _ = Teacher(teacher_hyper("Salesforce/nowhere", "auto", 10), task).weights_hash
