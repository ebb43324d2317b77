"""The student by itself: sizes, shapes, units, missing values, and its checkpoints."""

import json

import numpy as np
import pytest
import torch

from trainables.errors import CheckpointError, HyperError
from trainables.moirai_distill import Student, StudentConfig
from trainables.moirai_distill.student import normalise

SMALL = {"context_length": 40, "prediction_length": 6, "d_model": 16, "n_layers": 2, "n_heads": 2}


def small(**changes):
    torch.manual_seed(0)
    return Student(StudentConfig(**{**SMALL, **changes})).eval()


@pytest.fixture(scope="module")
def contexts():
    torch.manual_seed(1)
    return 3 + 2 * torch.randn(5, 40)


def test_default_sizes_make_a_student_of_1_to_2_million_parameters():
    config = StudentConfig(context_length=720, prediction_length=96)
    assert (config.d_model, config.n_layers, config.n_heads, config.patch_len) == (128, 4, 8, 16)
    parameters = sum(p.numel() for p in Student(config).parameters())
    assert 1_000_000 < parameters < 2_000_000
    # patches and positions; four layers of attention, feed-forward and two norms; a norm; the head
    layer = 4 * (128 * 128 + 128) + 2 * 128 * 512 + 512 + 128 + 2 * 2 * 128
    assert parameters == 17 * 128 + 45 * 128 + 4 * layer + 2 * 128 + (45 * 128 + 1) * 96


def test_a_forecast_has_a_value_a_step_or_with_quantile_heads_one_a_level_and_step(contexts):
    assert small()(contexts).shape == (5, 6)
    assert small(quantile_heads=True)(contexts).shape == (5, 9, 6)


def test_a_context_is_normalised_by_the_mean_and_population_deviation_of_what_was_observed():
    seen = normalise(torch.tensor([[np.nan, 2.0, np.nan, 6.0]]))
    assert (seen.mean.item(), seen.deviation.item()) == pytest.approx((4.0, 2.0), abs=1e-5)
    torch.testing.assert_close(seen.values, torch.tensor([[0.0, -1.0, -1.0, 1.0]]), atol=1e-4, rtol=0)


def test_a_forecast_follows_the_level_and_scale_of_its_context(contexts):
    model = small()
    moved = model(10 * contexts - 70)
    torch.testing.assert_close(moved, 10 * model(contexts) - 70, atol=1e-3, rtol=0)


@pytest.mark.parametrize("quantile_heads", [False, True])
def test_missing_and_constant_contexts_give_finite_forecasts(contexts, quantile_heads):
    holed = contexts.clone()
    holed[0, :10] = np.nan
    holed[1, 5:] = np.nan
    holed[2] = 7.0
    forecast = small(quantile_heads=quantile_heads)(holed)
    assert forecast.isfinite().all()
    torch.testing.assert_close(forecast[2], torch.full_like(forecast[2], 7.0), atol=0.05, rtol=0)


def test_a_context_that_is_no_whole_number_of_patches_is_filled_up_at_its_start_with_its_first_value(contexts):
    model = small()  # 40 rows, patches of 16: 8 more
    torch.testing.assert_close(model._patches(contexts)[:, 0, :8], contexts[:, :1].expand(5, 8))
    torch.testing.assert_close(model._patches(contexts).flatten(1)[:, 8:], contexts)


def test_quantiles_never_cross_in_a_forecast_and_are_left_alone_in_training(contexts):
    model = small(quantile_heads=True)
    assert (model(contexts).diff(dim=1) >= 0).all()
    assert (model.train()(contexts).diff(dim=1) < 0).any()


@pytest.mark.parametrize("quantile_heads", [False, True])
def test_a_saved_student_comes_back_with_the_same_forecasts_ready_to_forecast(contexts, tmp_path, quantile_heads):
    model = small(quantile_heads=quantile_heads, d_ff=24)
    model.save_pretrained(tmp_path / "new")
    again = Student.from_pretrained(tmp_path / "new")
    assert not again.training
    assert again.config == model.config
    torch.testing.assert_close(again(contexts), model(contexts), atol=0, rtol=0)
    assert json.loads((tmp_path / "new" / "config.json").read_text())["model_type"] == "moirai_student"
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == ["config.json", "model.safetensors"]


def test_a_checkpoint_that_is_none_is_refused_with_what_is_wrong(tmp_path):
    with pytest.raises(CheckpointError, match=r"holds config\.json"):
        Student.from_pretrained(tmp_path)
    small().save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "n_layers": 3}))
    with pytest.raises(CheckpointError, match=r"weights must fit its configuration: \d+ missing"):
        Student.from_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({**config, "d_model": 0}))
    with pytest.raises(CheckpointError, match=r"config\.json: d_model: .*got 0"):
        Student.from_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"must hold model\.safetensors"):
        Student.from_pretrained(tmp_path)


def test_sizes_that_do_not_go_together_are_refused_with_a_remedy():
    with pytest.raises(HyperError, match="d_model must be a multiple of n_heads, got 100 and 8; take 96"):
        small(d_model=100, n_heads=8)
    with pytest.raises(HyperError, match="patch_len must be at most the context's 40 rows, got 64; lower it"):
        small(patch_len=64)
