"""The faster layers against plain ones: the same loss, gradients, and weights after five steps."""

from __future__ import annotations

import copy

import pytest
import torch

from tests.trainables.time_moe.plain import made_plain
from trainables.time_moe.modeling import TimeMoeForPrediction
from trainables.time_moe.network import ExpertLayer
from trainables.time_moe.trainable import load_time_moe

LOSS, GRADIENT, WEIGHT = 1e-6, 1e-5, 1e-5


@pytest.fixture
def pair() -> tuple[TimeMoeForPrediction, TimeMoeForPrediction]:
    ours = load_time_moe("time-moe-tiny").train()
    return ours, made_plain(copy.deepcopy(ours))


def batch(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    values, labels = torch.randn(2, 3, 80, generator=torch.Generator().manual_seed(seed))
    return values, labels


def test_loss_and_gradients_are_the_plain_ones(pair: tuple[TimeMoeForPrediction, TimeMoeForPrediction]) -> None:
    values, labels = batch(0)
    losses = [model(values, labels=labels).loss for model in pair]
    torch.testing.assert_close(*losses, atol=LOSS, rtol=LOSS)
    for loss in losses:
        loss.backward()
    for (name, ours), theirs in zip(pair[0].named_parameters(), pair[1].parameters(), strict=True):
        assert ours.grad is not None
        assert theirs.grad is not None
        largest = float(theirs.grad.abs().max())
        torch.testing.assert_close(ours.grad, theirs.grad, atol=GRADIENT * max(1.0, largest), rtol=0, msg=name)


def test_five_steps_end_at_the_plain_weights(pair: tuple[TimeMoeForPrediction, TimeMoeForPrediction]) -> None:
    for model in pair:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
        for step in range(5):
            values, labels = batch(step)
            optimizer.zero_grad()
            model(values, labels=labels).loss.backward()
            optimizer.step()
    start = load_time_moe("time-moe-tiny")
    weights = [list(model.state_dict().values()) for model in (*pair, start)]
    moved = [bool(((ours - first).abs() > 10 * WEIGHT).any()) for ours, _, first in zip(*weights, strict=True)]
    assert sum(moved) > len(moved) / 2
    for ours, theirs, _ in zip(*weights, strict=True):
        torch.testing.assert_close(ours, theirs, atol=WEIGHT, rtol=0)


def test_an_expert_that_no_token_chooses_gets_a_zero_gradient() -> None:
    layer = load_time_moe("time-moe-tiny").model.layers[0].ffn_layer
    assert isinstance(layer, ExpertLayer)
    with torch.no_grad():
        layer.gate.weight.zero_()
        layer.gate.weight[:2] = 1.0  # the first two of four, from any token of positive numbers
    layer(torch.rand(1, 5, 64))[0].sum().backward()
    used = [float(expert.down_proj.weight.grad.abs().max()) for expert in layer.experts]  # type: ignore[union-attr]
    assert min(used[:2]) > 0
    assert used[2:] == [0.0, 0.0]
