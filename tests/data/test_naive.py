"""The forecast without a model, by hand."""

from __future__ import annotations

import pytest
import torch

from data.missing import fill_forward
from data.naive import season_length, seasonal_naive

NAN = float("nan")


@pytest.mark.parametrize(
    ("freq", "season"),
    [("h", 24), ("15min", 96), ("5min", 288), ("6h", 4), ("12h", 2), ("D", 7), ("W-SUN", 52), ("MS", 12), ("QS", 4),
     ("YS", 1), ("2D", 182), (None, 1)],
)  # fmt: skip
def test_a_season_is_a_day_a_week_or_a_year(freq, season):
    assert season_length(freq) == season


def test_the_last_season_is_repeated():
    context = torch.tensor([[9.0, 9.0, 1.0, 2.0, 3.0], [0.0, 0.0, 4.0, 5.0, 6.0]])
    expected = torch.tensor([[1.0, 2.0, 3.0, 1.0], [4.0, 5.0, 6.0, 4.0]])
    assert torch.equal(seasonal_naive(context, 4, season=3), expected)


def test_a_missing_point_is_the_one_a_season_before_it():
    context = torch.tensor([[1.0, 2.0, 3.0, 4.0, NAN, 6.0]])
    assert seasonal_naive(context, 3, season=3).tolist() == [[4.0, 2.0, 6.0]]


def test_a_phase_that_was_never_seen_takes_the_last_value():
    context = torch.tensor([[1.0, NAN, 3.0, 4.0, NAN, NAN]])
    assert seasonal_naive(context, 3, season=3).tolist() == [[4.0, 4.0, 3.0]]


def test_a_context_shorter_than_a_season_repeats_its_last_value():
    context = torch.tensor([[1.0, 5.0, NAN]])
    assert seasonal_naive(context, 2, season=24).tolist() == [[5.0, 5.0]]


def test_missing_points_take_the_value_before_them():
    values = torch.tensor([[0.0, 1.0, NAN, NAN, 2.0], [NAN] * 5, [NAN, 3.0, NAN, 4.0, 5.0]])
    assert fill_forward(values).tolist() == [[0, 1, 1, 1, 2], [0, 0, 0, 0, 0], [0, 3, 3, 4, 5]]
