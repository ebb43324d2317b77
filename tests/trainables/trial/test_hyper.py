"""Hyperparameters: rejected when wrong, and what they do."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from data.task.task import ForecastTask
from tests.trainables.trial.toy_trial import (
    CPU,
    HYPER,
    Toy,
    gradients,
    spec_in,
)
from trainables.base import check_hyper
from trainables.errors import HyperError
from trainables.parameters import freeze
from trainables.trial.trial import Trial


def test_bf16_on_a_cpu_is_rejected(task: ForecastTask, tmp_path: Path) -> None:
    with pytest.raises(HyperError, match="precision bf16 needs a GPU that has it, and this trial runs on cpu"):
        Trial(Toy(), spec_in(tmp_path, precision="bf16"), task, CPU)


def test_every_wrong_hyperparameter_is_named_at_once() -> None:
    with pytest.raises(HyperError) as caught:
        check_hyper(Toy, {**HYPER, "lr": 2.0, "epochs": 0, "dropot": 0.1})
    message = str(caught.value)
    assert message.startswith("Toy: ")
    for part in ("lr: ", "got 2.0", "epochs: ", "got 0", "dropot: ", "got 0.1"):
        assert part in message


def test_weight_decay_acts_on_matrices_alone() -> None:
    """AdamW shrinks what it decays by 1 - lr * decay in a step without gradient: 1 - 0.1 * 0.5 = 0.95."""
    model = Toy()
    model.module = nn.ModuleDict({"linear": nn.Linear(3, 2), "norm": nn.LayerNorm(2), "frozen": nn.Linear(2, 2)})
    model.module["frozen"].requires_grad_(False)
    for parameter in model.module.parameters():
        nn.init.ones_(parameter)
        parameter.grad = torch.zeros_like(parameter)
    model.optimizer.over(model.module, check_hyper(Toy, {**HYPER, "lr": 0.1, "weight_decay": 0.5})).step()
    after = {name: float(p.detach().unique()) for name, p in model.module.named_parameters()}
    assert after == {
        "linear.weight": pytest.approx(0.95),
        "linear.bias": 1.0,
        "norm.weight": 1.0,
        "norm.bias": 1.0,
        "frozen.weight": 1.0,
        "frozen.bias": 1.0,
    }


def test_a_gradient_is_clipped_to_its_norm(task: ForecastTask) -> None:
    _, free = gradients(task, 16)
    _, clipped = gradients(task, 16, gradient_clip=0.01)

    def norm(of: dict[str, Tensor]) -> float:
        return math.sqrt(sum(float(g.square().sum()) for g in of.values()))

    assert norm(free) > 0.01
    assert norm(clipped) == pytest.approx(0.01, rel=1e-3)


@pytest.mark.parametrize(
    ("strategy", "kept"), [("head_only", ["head.weight", "head.bias"]), ("full", None), ("nothing", [])]
)
def test_a_strategy_trains_some_and_freezes_some_unless_it_is_full(strategy: str, kept: list[str] | None) -> None:
    module = nn.ModuleDict({"body": nn.Linear(2, 2), "head": nn.Linear(2, 1)})
    names = [name for name, _ in module.named_parameters()] if kept is None else kept
    if strategy == "nothing":
        with pytest.raises(HyperError, match="it trains 0 of 4"):
            freeze(module, trains=names.__contains__, strategy=strategy)
        return
    freeze(module, trains=names.__contains__, strategy=strategy)
    assert [name for name, p in module.named_parameters() if p.requires_grad] == names
    with pytest.raises(HyperError):  # what it says and what it does must agree
        freeze(module, trains=names.__contains__, strategy="head_only" if strategy == "full" else "full")
