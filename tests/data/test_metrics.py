"""The error measures, against arithmetic by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from data.metrics import ForecastErrors, mae, mase, mse, rmse, seasonal_naive_scale, weighted_quantile_loss
from data.panel import Panel

NAN = math.nan
TARGET = torch.tensor([[1.0, 2.0], [3.0, NAN]])
FORECAST = torch.tensor([[2.0, 2.0], [0.0, 99.0]])  # errors 1, 0, -3; the fourth does not count


def test_missing_targets_do_not_count():
    assert mae(FORECAST, TARGET).item() == pytest.approx(4 / 3)
    assert mse(FORECAST, TARGET).item() == pytest.approx(10 / 3)
    assert rmse(FORECAST, TARGET).item() == pytest.approx(math.sqrt(10 / 3))


def test_a_broken_forecast_makes_every_error_nan():
    broken = torch.tensor([[NAN, 2.0], [0.0, 0.0]])
    assert mae(broken, TARGET).isnan()
    assert mse(broken, TARGET).isnan()
    errors = ForecastErrors(1, 2)
    errors.update(broken, TARGET, torch.tensor([0, 0]))
    assert math.isnan(errors.mse)


def test_a_forecast_that_is_nan_where_no_target_is_does_no_harm():
    hole = torch.tensor([[2.0, 2.0], [0.0, NAN]])
    assert mae(hole, TARGET).item() == pytest.approx(4 / 3)


def test_no_target_at_all_gives_nan():
    assert mae(torch.zeros(1, 2), torch.full((1, 2), NAN)).isnan()


def test_shapes_that_would_broadcast_are_rejected():
    with pytest.raises(ValueError, match="one shape"):
        mae(torch.zeros(2, 1), torch.zeros(2, 3))


def test_seasonal_naive_scale_is_the_mean_step_of_the_train_rows():
    # a: steps 1, 2, then rows that do not train. b: only one pair without a gap, 4. c: constant, undefined.
    panel = Panel.from_series(
        "p",
        {
            "a": np.array([1.0, 2.0, 4.0, 100.0]),
            "b": np.array([NAN, 1.0, 5.0, NAN]),
            "c": np.array([7.0, 7.0, 7.0]),
        },
    )
    scale = seasonal_naive_scale(panel, np.array([3, 4, 3]))
    np.testing.assert_array_equal(scale, [1.5, 4.0, NAN])


def test_seasonal_naive_scale_steps_by_the_season():
    panel = Panel.from_series("p", {"a": np.array([1.0, 10.0, 2.0, 13.0]), "short": np.array([1.0, 2.0])})
    scale = seasonal_naive_scale(panel, np.array([4, 2]), season_length=2)
    np.testing.assert_array_equal(scale, [2.0, NAN])  # |2 - 1| and |13 - 10|


def test_mase_divides_each_window_by_its_scale_and_leaves_out_undefined_ones():
    # errors 1, 0 over 2 and 3 over 0.5: (0.5 + 0 + 6) / 3
    assert mase(FORECAST, TARGET, torch.tensor([2.0, 0.5])).item() == pytest.approx(6.5 / 3)
    assert mase(FORECAST, TARGET, torch.tensor([2.0, NAN])).item() == pytest.approx(0.25)


def test_weighted_quantile_loss_by_hand():
    # y = 10, missing, -5.
    # q = 0.9: f = 8, -, -4: 0.9 * 2 + 0.1 * 1 = 1.9
    # q = 0.1: f = 6, -, -6: 0.1 * 4 + 0.1 * 1 = 0.5
    target = torch.tensor([[10.0, NAN, -5.0]])
    quantiles = torch.tensor([[[8.0, 0.0, -4.0], [6.0, 0.0, -6.0]]])
    loss = weighted_quantile_loss(quantiles, target, torch.tensor([0.9, 0.1], dtype=torch.float64))
    assert loss.item() == pytest.approx(2 * (1.9 + 0.5) / 2 / 15)


def test_weighted_quantile_loss_of_the_median_is_the_absolute_error_over_the_targets():
    median = FORECAST[:, None, :]
    loss = weighted_quantile_loss(median, TARGET, torch.tensor([0.5]))
    assert loss.item() == pytest.approx(4 / 6)


def test_errors_add_up_over_batches_of_any_size():
    errors = ForecastErrors(3, 2)
    errors.update(FORECAST[:1], TARGET[:1], torch.tensor([2]))
    errors.update(FORECAST[1:], TARGET[1:], torch.tensor([0]))
    assert errors.points == 3
    assert errors.mae == pytest.approx(4 / 3)
    assert errors.mse == pytest.approx(10 / 3)
    assert errors.rmse == pytest.approx(math.sqrt(10 / 3))


def test_errors_are_reported_per_horizon_step():
    errors = ForecastErrors(1, 2)
    errors.update(FORECAST, TARGET, torch.tensor([0, 0]))
    steps = errors.per_step()
    assert steps["mae"].tolist() == [2.0, 0.0]  # (1 + 3) / 2, 0 / 1
    assert steps["mse"].tolist() == [5.0, 0.0]
    assert steps["rmse"].tolist() == [math.sqrt(5), 0.0]


def test_errors_are_reported_per_series_and_an_unseen_one_is_nan():
    errors = ForecastErrors(3, 2)
    errors.update(FORECAST, TARGET, torch.tensor([2, 0]))
    np.testing.assert_array_equal(errors.per_series()["mae"], [3.0, NAN, 0.5])
    np.testing.assert_array_equal(errors.per_series()["mse"], [9.0, NAN, 0.5])


def test_sums_are_kept_in_float64():
    # float32 loses the small error beside the large one: 1e8 + 1 == 1e8
    errors = ForecastErrors(1, 2)
    errors.update(torch.tensor([[1e8, 1.0]]), torch.zeros(1, 2), torch.tensor([0]))
    assert errors.mae * 2 == 1e8 + 1


def test_half_precision_forecasts_are_measured_in_full():
    errors = ForecastErrors(1, 1)
    errors.update(torch.tensor([[2.0]], dtype=torch.bfloat16), torch.tensor([[1.5]]), torch.tensor([0]))
    assert errors.mae == 0.5
