"""The error measures, against arithmetic by hand, GluonTS and fev."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import torch
from numpy.typing import NDArray

from data.metrics import ForecastErrors, past_seasonal_error, skill_score

NAN = math.nan
TARGET = torch.tensor([[1.0, 2.0], [3.0, NAN]])
FORECAST = torch.tensor([[2.0, 2.0], [0.0, 99.0]])  # errors 1, 0, -3; the fourth does not count
LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def errors_of(forecast: torch.Tensor, target: torch.Tensor, **more: Any) -> ForecastErrors:
    errors = ForecastErrors(len(target), target.shape[1])
    errors.update(forecast, target, torch.arange(len(target)), **more)
    return errors


def test_missing_targets_do_not_count():
    found = errors_of(FORECAST, TARGET)
    assert (found.mae, found.mse, found.rmse) == pytest.approx((4 / 3, 10 / 3, math.sqrt(10 / 3)))


def test_a_broken_forecast_makes_every_error_nan():
    broken = torch.tensor([[NAN, 2.0], [0.0, 0.0]])
    found = errors_of(broken, TARGET).totals()
    assert all(math.isnan(found[name]) for name in ("mae", "mse", "rmse", "wql", "smape"))
    quantiles = torch.zeros(2, 9, 2)
    quantiles[0, 0, 0] = NAN
    found = errors_of(FORECAST, TARGET, quantiles=quantiles, levels=LEVELS).totals()
    assert all(math.isnan(found[name]) for name in ("wql", "coverage", "width"))
    assert found["mae"] == pytest.approx(4 / 3)


def test_a_forecast_that_is_nan_where_no_target_is_does_no_harm():
    hole = torch.tensor([[2.0, 2.0], [0.0, NAN]])
    assert errors_of(hole, TARGET).mae == pytest.approx(4 / 3)


def test_no_target_at_all_gives_nan():
    found = errors_of(torch.zeros(1, 2), torch.full((1, 2), NAN)).totals()
    assert all(math.isnan(value) for value in found.values())


def test_shapes_that_would_broadcast_are_rejected():
    with pytest.raises(ValueError, match="one shape"):
        errors_of(torch.zeros(2, 1), torch.zeros(2, 3))


def test_the_quantile_loss_by_hand():
    # y = 10, missing, -5.
    # q = 0.9: f = 8, -, -4: 0.9 * 2 + 0.1 * 1 = 1.9
    # q = 0.1: f = 6, -, -6: 0.1 * 4 + 0.1 * 1 = 0.5
    target = torch.tensor([[10.0, NAN, -5.0]])
    quantiles = torch.tensor([[[6.0, 0.0, -6.0], [8.0, 0.0, -4.0]]])
    found = errors_of(torch.zeros(1, 3), target, quantiles=quantiles, levels=(0.1, 0.9)).totals()
    assert found["wql"] == pytest.approx(2 * (1.9 + 0.5) / 2 / 15)
    assert found["coverage"] == 0.5  # 10 is above 8, -5 between -6 and -4
    assert found["width"] == 2.0


def test_the_quantile_loss_of_a_point_forecast_is_its_absolute_error_over_the_targets():
    found = errors_of(FORECAST, TARGET).totals()
    assert found["wql"] == pytest.approx(4 / 6)
    as_quantiles = FORECAST[:, None].expand(-1, 9, -1)
    assert errors_of(FORECAST, TARGET, quantiles=as_quantiles, levels=LEVELS).totals()["wql"] == pytest.approx(4 / 6)
    assert math.isnan(found["coverage"])
    assert math.isnan(found["width"])


def test_smape_leaves_out_what_is_zero_twice():
    # 2 * 1 / 3, 0 / 0, 2 * 3 / 3
    found = errors_of(torch.tensor([[2.0, 0.0], [0.0, 9.0]]), torch.tensor([[1.0, 0.0], [3.0, NAN]])).totals()
    assert found["smape"] == pytest.approx((2 / 3 + 2) / 2)


def test_mase_divides_each_window_by_its_scale_and_leaves_out_undefined_ones():
    found = errors_of(FORECAST, TARGET)
    assert found.mase(np.array([2.0, 0.5])) == pytest.approx(6.5 / 3)  # errors 1, 0 over 2 and 3 over 0.5
    assert found.mase(np.array([2.0, NAN])) == pytest.approx(0.25)
    assert math.isnan(found.mase(np.array([NAN, 0.0])))
    np.testing.assert_allclose(found.mase_per_series(np.array([2.0, NAN])), [0.25, NAN])


def test_the_scale_is_the_mean_step_of_the_windows_own_past():
    # series a: 1 2 4 100, b: - 1 5 -; windows of a whose targets begin at rows 3 and 2, of b at its row 3
    values = np.array([1, 2, 4, 100, NAN, 1, 5, NAN], dtype=np.float32)
    first, end = np.array([0, 0, 4]), np.array([3, 2, 7])
    np.testing.assert_array_equal(past_seasonal_error(values, first, end, 1), [1.5, 1.0, 4.0])
    # in steps of 2: |4 - 1|; none, as two rows are just a season; |5 - missing|
    np.testing.assert_array_equal(past_seasonal_error(values, first, end, 2), [3.0, NAN, NAN])
    # a past shorter than a season goes by neighbours; what repeats itself has no scale
    np.testing.assert_array_equal(past_seasonal_error(values, first, end, 24), [1.5, 1.0, 4.0])
    assert np.isnan(past_seasonal_error(np.full(9, 7, dtype=np.float32), np.array([0]), np.array([8]), 1)).all()


@dataclass(frozen=True)
class Made:
    """Made-up windows: series with gaps, 12 windows of 6 rows in their last 24, and quantiles that know nothing.

    series: (3, 120); starts: where the targets of each window begin; of: its series.
    """

    series: NDArray[np.float32]
    starts: NDArray[np.int64]
    of: NDArray[np.int64]
    quantiles: NDArray[np.float64]  # (12, 9, 6)

    @property
    def targets(self) -> NDArray[np.float32]:
        return np.stack([self.series[i, t : t + 6] for i, t in zip(self.of, self.starts, strict=True)])

    @property
    def ours(self) -> ForecastErrors:
        quantiles = torch.from_numpy(self.quantiles)
        errors = ForecastErrors(3, 6)
        targets, series = torch.from_numpy(self.targets), torch.from_numpy(self.of)
        errors.update(quantiles[:, 4], targets, series, quantiles=quantiles, levels=LEVELS)
        return errors

    def scale(self, season: int) -> NDArray[np.float64]:
        length = self.series.shape[1]
        return past_seasonal_error(self.series.ravel(), self.of * length, self.of * length + self.starts, season)


@pytest.fixture
def made() -> Made:
    rng = np.random.default_rng(11)
    series = 50 + 10 * np.sin(np.arange(120) / 3) + rng.normal(size=(3, 120))
    series[rng.random((3, 120)) < 0.1] = NAN
    of, starts = np.repeat(np.arange(3), 4), np.tile(np.arange(96, 120, 6), 3)
    quantiles = np.sort(50 + 10 * rng.normal(size=(12, 9, 6)), axis=1)
    return Made(series.astype(np.float32), starts, of, quantiles)


@pytest.mark.parametrize("season", [1, 7])
def test_measures_agree_with_gluonts(made: Made, season: int) -> None:
    """The evaluation that GIFT-Eval uses."""
    from gluonts.dataset.split import split
    from gluonts.ev.metrics import MAE, MASE, MSE, RMSE, SMAPE, Coverage, MeanWeightedSumQuantileLoss
    from gluonts.model.evaluation import evaluate_forecasts
    from gluonts.model.forecast import QuantileForecast

    start = pd.Period("2024-01-01", freq="D")
    dataset = [{"item_id": str(i), "start": start, "target": values} for i, values in enumerate(made.series)]
    _, template = split(dataset, offset=-24)
    test = template.generate_instances(6, windows=4)
    keys = [str(level) for level in LEVELS]
    forecasts = [
        QuantileForecast(quantiles, label["start"], forecast_keys=keys)
        for quantiles, (_, label) in zip(made.quantiles, test, strict=True)
    ]
    metrics = [MASE(), MAE(), MSE(0.5), RMSE(0.5), SMAPE(), Coverage(0.9), Coverage(0.1)]
    metrics.append(MeanWeightedSumQuantileLoss(LEVELS))
    theirs = evaluate_forecasts(forecasts, test_data=test, metrics=metrics, axis=None, seasonality=season).iloc[0]
    totals = made.ours.totals()
    assert made.ours.mase(made.scale(season)) == pytest.approx(theirs["MASE[0.5]"], rel=1e-6)
    named = {"mae": "MAE[0.5]", "mse": "MSE[0.5]", "rmse": "RMSE[0.5]", "smape": "sMAPE[0.5]"}
    named["wql"] = "mean_weighted_sum_quantile_loss"
    for name, their in named.items():
        assert totals[name] == pytest.approx(theirs[their], rel=1e-6), name
    # theirs is the share at or below a quantile; nothing lies on the lower one
    assert totals["coverage"] == pytest.approx(theirs["coverage[0.9]"] - theirs["coverage[0.1]"], abs=1e-6)


@pytest.mark.parametrize("season", [1, 7])
def test_measures_agree_with_fev(made: Made, season: int) -> None:
    from fev import metrics as fev

    pasts = [made.series[i, :t] for i, t in zip(made.of, made.starts, strict=True)]
    asked = {
        "y_true": made.targets[..., None].astype(np.float64),
        "y_pred": made.quantiles[:, 4, :, None],
        "y_past": np.concatenate(pasts)[:, None].astype(np.float64),
        "y_past_lengths": np.array([len(past) for past in pasts]),
        "q_pred": made.quantiles.transpose(0, 2, 1)[:, :, None],
        "seasonality": season,
        "quantile_levels": list(LEVELS),
    }
    totals = made.ours.totals()
    assert made.ours.mase(made.scale(season)) == pytest.approx(fev.MASE().compute(**asked), rel=1e-6)
    theirs = {"mae": fev.MAE(), "mse": fev.MSE(), "rmse": fev.RMSE(), "wql": fev.WQL(), "smape": fev.SMAPE()}
    for name, metric in theirs.items():
        assert totals[name] == pytest.approx(metric.compute(**asked), rel=1e-6), name


def test_errors_add_up_over_batches_of_any_size():
    errors = ForecastErrors(3, 2)
    errors.update(FORECAST[:1], TARGET[:1], torch.tensor([2]))
    errors.update(FORECAST[1:], TARGET[1:], torch.tensor([0]))
    assert errors.points == 3
    assert (errors.mae, errors.mse) == pytest.approx((4 / 3, 10 / 3))


def test_errors_are_reported_per_horizon_step():
    steps = errors_of(FORECAST, TARGET).per_step()
    assert steps["mae"].tolist() == [2.0, 0.0]  # (1 + 3) / 2, 0 / 1
    assert steps["mse"].tolist() == [5.0, 0.0]
    assert steps["rmse"].tolist() == [math.sqrt(5), 0.0]


def test_errors_are_reported_per_series_and_an_unseen_one_is_nan():
    errors = ForecastErrors(3, 2)
    errors.update(FORECAST, TARGET, torch.tensor([2, 0]))
    np.testing.assert_array_equal(errors.per_series()["mae"], [3.0, NAN, 0.5])
    np.testing.assert_array_equal(errors.per_series()["mse"], [9.0, NAN, 0.5])


def test_errors_are_reported_per_window():
    np.testing.assert_allclose(errors_of(FORECAST, TARGET).per_window()["mae"], [0.5, 3.0])
    assert ForecastErrors(1, 2).per_window()["mae"].shape == (0,)


def test_sums_are_kept_in_float64():
    # float32 loses the small error beside the large one: 1e8 + 1 == 1e8
    assert errors_of(torch.tensor([[1e8, 1.0]]), torch.zeros(1, 2)).mae * 2 == 1e8 + 1


def test_half_precision_forecasts_are_measured_in_full():
    assert errors_of(torch.tensor([[2.0]], dtype=torch.bfloat16), torch.tensor([[1.5]])).mae == 0.5


def test_a_skill_score_is_one_minus_the_geometric_mean_of_ratios():
    """Half, twice and a quarter of the baseline: the geometric mean is the cube root of 1/4."""
    score = skill_score(np.array([1.0, 4.0, 1.0]), np.array([2.0, 2.0, 4.0]))
    assert score == pytest.approx(1 - 0.25 ** (1 / 3))
    assert score == pytest.approx(1 - scipy.stats.gmean([0.5, 2.0, 0.25]))


def test_a_skill_score_keeps_ratios_in_bounds_and_leaves_out_what_is_not_known():
    assert skill_score(np.array([0.0]), np.array([1.0])) == pytest.approx(0.99)
    assert skill_score(np.array([5.0]), np.array([0.0])) == pytest.approx(-99)
    assert skill_score(np.array([1.0, np.nan, 0.0]), np.array([2.0, 1.0, 0.0])) == pytest.approx(0.5)
    assert np.isnan(skill_score(np.array([0.0]), np.array([0.0])))
