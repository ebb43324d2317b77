"""Distillation: the loss by hand, what is measured, and what is rejected."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from data.panel import Panel
from data.task.task import ForecastTask, TaskSpec
from data.task.windows import Batch
from trainables.base import QUANTILE_LEVELS, check_hyper
from trainables.errors import CheckpointError, HyperError
from trainables.moirai_distill import MoiraiDistill, Student
from trainables.moirai_distill.comparison import gain_sentence
from trainables.moirai_distill.losses import mean_pinball, mean_square
from trainables.trial.report import Scores

NAN = float("nan")
CLOSE = {"abs": 1e-4}  # a deviation of 1 is 1.000005 to the student


def answering(build, steps, **changes):
    """A model whose student gives these steps, whatever it sees, to the context that `window` makes."""
    model, _ = build(**changes)
    with torch.no_grad():
        model.module.head.weight.zero_()
        model.module.head.bias.copy_(torch.tensor(steps, dtype=torch.float32).flatten())
    return model


def window(target, features):
    context = torch.tensor([[1.0, -1.0] * 32])  # mean 0, deviation 1
    one = torch.zeros(1, dtype=torch.int64)
    return Batch(context, torch.tensor([target]), one, one, torch.tensor([features]))


# --- the loss

STEPS = [1.0, 2.0, 3.0] + [0.0] * 9
TEACHER = [0.0, 2.0, 5.0] + [0.0] * 9  # squares 1, 0, 4 and nine zeros: 5/12
TARGET = [2.0, NAN, 1.0] + [NAN] * 9  # squares 1 and 4 of two observed steps: 5/2


@pytest.mark.parametrize(("alpha", "expected"), [(0.0, 5 / 2), (0.5, (5 / 12 + 5 / 2) / 2), (1.0, 5 / 12)])
def test_the_loss_weighs_the_teacher_with_alpha_and_what_is_observed_of_the_target_with_the_rest(
    build, alpha, expected
):
    model = answering(build, STEPS, alpha=alpha)
    assert model.loss(window(TARGET, [TEACHER])).item() == pytest.approx(expected, **CLOSE)


def test_the_terms_of_the_loss_are_given_before_alpha_weighs_them(build):
    _, parts = answering(build, STEPS, alpha=0.25).loss_and_parts(window(TARGET, [TEACHER]))
    assert parts["distill"].item() == pytest.approx(5 / 12, **CLOSE)
    assert parts["hard"].item() == pytest.approx(5 / 2, **CLOSE)
    _, parts = answering(build, STEPS, alpha=0.0).loss_and_parts(window(TARGET, [TEACHER]))
    assert list(parts) == ["hard"]


def test_with_quantile_heads_every_level_is_held_against_the_teachers_and_the_target_by_the_pinball_loss(build):
    model = answering(build, np.zeros((9, 12)), alpha=0.25, quantile_heads=True)
    teacher = [[float(level)] * 12 for level in range(1, 10)]  # mean square 285/9
    target = [3.0, NAN, -1.0] + [NAN] * 9  # mean pinball over the levels: 3/2 and 1/2; twice their mean is 2
    assert model.loss(window(target, teacher)).item() == pytest.approx(0.25 * 285 / 9 + 0.75 * 2, **CLOSE)


def test_the_pinball_loss_by_hand():
    quantiles = torch.zeros(1, 9, 2)
    quantiles[0, QUANTILE_LEVELS.index(0.9)] = 2.0
    # target 1: the 0.9 quantile is 1 too high (0.1 * 1), the others are 1 too low (0.1 + … + 0.8)
    assert mean_pinball(quantiles, torch.tensor([[1.0, NAN]])).item() == pytest.approx((0.1 + 3.6) / 9)


def test_missing_target_points_leave_the_gradient_finite():
    point = torch.zeros(1, 2, requires_grad=True)
    mean_square(point, torch.tensor([[3.0, NAN]])).sum().backward()
    assert point.grad.tolist() == [[-6.0, 0.0]]


def test_alpha_0_needs_no_teacher_and_alpha_above_0_asks_it_where_no_forecast_is_kept(build, task):
    batch = task.gather("train").batch(torch.arange(4))
    for alpha, asked in ((0.0, 0), (0.3, 4)):
        model, _ = build(alpha=alpha)
        assert model.loss(batch).isfinite().all()
        assert model.teacher.windows_forecast == asked


def test_a_student_learns_waves_in_a_few_steps(build, task):
    model, hyper = build(lr=3e-3, alpha=0.5)
    windows = task.gather("train")
    batch = windows.batch(torch.arange(len(windows)))
    with torch.no_grad():
        batch = replace(batch, features=model.teacher_forecasts(batch))
    optimizer = model.optimizer.over(model.module, hyper)
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        loss = model.loss(batch).mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]


# --- what is measured


def test_val_loss_is_the_error_against_the_target_whatever_alpha_and_teacher(build):
    batch = window(TARGET, [TEACHER])
    for alpha in (0.0, 1.0):
        model = answering(build, STEPS, alpha=alpha)
        validation = model.validate(batch)
        assert validation.loss.item() == pytest.approx(5 / 2, **CLOSE)
        assert validation.forecast.point[0].tolist() == pytest.approx(STEPS, **CLOSE)


def test_with_quantile_heads_the_point_is_the_median(build):
    levels = np.repeat(np.arange(9.0)[::-1, None], 12, axis=1)  # descending: a forecast sorts them
    model = answering(build, levels, quantile_heads=True)
    model.module.eval()
    forecast = model.forecast(window(TARGET, [TEACHER]))
    assert forecast.quantiles[0, :, 0].tolist() == pytest.approx(list(range(9)), **CLOSE)
    assert forecast.point[0].tolist() == pytest.approx([4.0] * 12, **CLOSE)


def test_val_distill_is_the_error_against_the_teachers_median(build):
    model, _ = build()
    point = torch.tensor([STEPS])
    alone = model.extra_scores(point, window(TARGET, [TEACHER]))
    assert alone["val_distill"].tolist() == pytest.approx([5 / 12])
    nine = [[9.0] * 12] * 4 + [TEACHER] + [[9.0] * 12] * 4
    assert model.extra_scores(point, window(TARGET, nine))["val_distill"].tolist() == pytest.approx([5 / 12])
    assert model.extra_scores(point, replace(window(TARGET, nine), features=None)) == {}


def test_naive_and_the_teacher_stand_beside_the_trials(build, task):
    model, hyper = build()
    forecasters = model.baselines(hyper, task)
    assert list(forecasters) == ["seasonal-naive", "teacher"]
    assert forecasters["teacher"](window(TARGET, [TEACHER]))[0].tolist() == TEACHER
    assert model.teacher.windows_forecast == 0
    test = task.gather("test").batch(torch.arange(2))
    torch.testing.assert_close(forecasters["teacher"](test), model.teacher.quantiles(test)[:, 4])


NAIVE, GOOD_TEACHER = Scores(val_mse=1.0), Scores(val_mse=0.6)


@pytest.mark.parametrize(
    ("student", "teacher", "expected"),
    [
        (0.64, GOOD_TEACHER, "keeps 90 % of the teacher's gain over seasonal-naive ("),
        (0.5, GOOD_TEACHER, "better than its teacher: 125 % of the teacher's gain over seasonal-naive ("),
        (1.2, GOOD_TEACHER, "keeps nothing of the teacher's gain over seasonal-naive, which it does not beat ("),
        (0.9, Scores(val_mse=1.1), "the teacher does not beat seasonal-naive here; the student does ("),
        (1.0, Scores(val_mse=1.1), "the teacher does not beat seasonal-naive here; the student does not either ("),
    ],
)
def test_a_sentence_tells_what_the_student_keeps_of_the_teachers_gain(student, teacher, expected):
    told = gain_sentence(student, {"seasonal-naive": NAIVE, "teacher": teacher})
    assert expected in told
    assert f"val_mse {student:g}, teacher {teacher.val_mse:g}, seasonal-naive 1" in told


def test_a_comparison_tells_gain_sizes_and_speed(build, task):
    model, hyper = build()
    baselines = {"seasonal-naive": NAIVE, "teacher": GOOD_TEACHER}
    told = model.compare(hyper, task, scores=Scores(val_mse=0.64), baselines=baselines)
    assert list(told) == ["teacher's gain", "parameters", "forecasts a second"]
    assert "the teacher 0.66 M" in told["parameters"]
    assert "side by side on cpu" in told["forecasts a second"]
    assert list(model.compare(hyper, task, scores=Scores(val_mse=0.64), baselines={})) == list(told)[1:]


# --- checkpoints, and what is rejected


def test_training_goes_on_from_a_students_checkpoint_with_its_sizes(build, task, tmp_path):
    model, _ = build(quantile_heads=True)
    model.save_pretrained(tmp_path)
    again = MoiraiDistill()
    own = {"lr": 1e-3, "epochs": 1, "batch_size": 8, "teacher": "moirai-tiny", "dropout": 0.4}
    again.build(check_hyper(MoiraiDistill, {**own, "pretrained": str(tmp_path)}), task)
    assert again.module.config == model.module.config.model_copy(update={"dropout": 0.4})
    context = task.gather("val").batch(torch.arange(3)).context
    torch.testing.assert_close(again.module.eval()(context), Student.from_pretrained(tmp_path)(context))
    with pytest.raises(HyperError, match=r"sizes must be those of .*, got d_model 32; take --set d_model=16"):
        again.build(check_hyper(MoiraiDistill, {**own, "pretrained": str(tmp_path), "d_model": 32}), task)


def test_a_checkpoint_for_other_lengths_is_rejected(build, task, tmp_path):
    build()[0].module.save_pretrained(tmp_path)
    longer = ForecastTask(task.panel, TaskSpec(context_length=80, prediction_length=12))
    hyper = check_hyper(MoiraiDistill, {"lr": 1e-3, "epochs": 1, "batch_size": 8, "pretrained": str(tmp_path)})
    with pytest.raises(HyperError, match="forecasts 12 steps from 64, got --context-length 80"):
        MoiraiDistill().build(hyper, longer)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"d_model": 20, "n_heads": 8}, "d_model must be a multiple of n_heads, got 20 and 8; take 16"),
        ({"patch_len": 65}, "patch_len must be at most the context's 64 rows"),
        ({"patch_size": 0}, "patch_size must be at least 1"),
        ({"alpha": 1.5}, "alpha: .* less than or equal to 1"),
    ],
)
def test_values_that_cannot_be_are_refused_before_any_work(values, task, changes, message):
    with pytest.raises(HyperError, match=message):
        MoiraiDistill().check(check_hyper(MoiraiDistill, {**values, **changes}), task)


def test_a_teacher_that_cannot_be_had_or_takes_no_such_task_is_refused_before_the_sweep(values, task):
    with pytest.raises(CheckpointError, match="moirai-tiny"):
        MoiraiDistill().preview(check_hyper(MoiraiDistill, {**values, "teacher": "moirai-tny"}), task)
    with pytest.raises(HyperError, match="patch_size must be one that the checkpoint has"):
        MoiraiDistill().preview(check_hyper(MoiraiDistill, {**values, "patch_size": 7}), task)
    ramp = {"a": np.arange(8000, dtype=np.float32)}
    long = ForecastTask(Panel.from_series("long", ramp, freq="h"), TaskSpec(context_length=4100, prediction_length=8))
    with pytest.raises(HyperError, match="must fit into 512 tokens of 8 points, got 514"):
        MoiraiDistill().preview(check_hyper(MoiraiDistill, {**values, "patch_size": 8}), long)
    assert MoiraiDistill().preview(check_hyper(MoiraiDistill, values), task) == len(task.train)
