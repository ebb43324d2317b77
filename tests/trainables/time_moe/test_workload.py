"""What is counted of a Time-MoE against what PyTorch counts of it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from data.task.task_spec import TaskSpec
from tests.trainables.time_moe.plain import made_plain
from trainables.time_moe.config import TimeMoeConfig
from trainables.time_moe.hyper import TimeMoeHyper
from trainables.time_moe.modeling import TimeMoeForPrediction
from trainables.time_moe.trainable import STRATEGIES
from trainables.time_moe.workload import blocks, time_moe_workload
from trainables.workload import Workload

BATCH, STEPS = 2, 48
SPEC = TaskSpec(context_length=40, prediction_length=11)


def small(**sizes: Any) -> TimeMoeConfig:
    plain = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4, "num_hidden_layers": 2}
    return TimeMoeConfig(**{**plain, "num_experts": 4, "horizon_lengths": [1, 4, 8], **sizes})


def counted(config: TimeMoeConfig, strategy: str = "full", **hyper: Any) -> Workload:
    values = {"lr": 1e-4, "epochs": 1, "batch_size": BATCH, "pretrained": "x", "max_length": STEPS, **hyper}
    checked = TimeMoeHyper(strategy=strategy, **values)
    return time_moe_workload(config, checked, SPEC, trains=STRATEGIES[strategy])


def model_of(config: TimeMoeConfig, strategy: str) -> TimeMoeForPrediction:
    """In plain operations: PyTorch counts no product inside its attention on a CPU."""
    config._attn_implementation = "eager"
    model = made_plain(TimeMoeForPrediction(config))
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(STRATEGIES[strategy](name))
    return model


@pytest.mark.parametrize("strategy", ["full", "freeze_experts"])
@pytest.mark.parametrize(
    "sizes", [{}, {"use_dense": True, "apply_aux_loss": False}, {"num_hidden_layers": 3, "intermediate_size": 200}]
)
def test_training_is_what_pytorch_counts(sizes: dict[str, Any], strategy: str) -> None:
    config = small(**sizes)
    work, model = counted(config, strategy), model_of(config, strategy)
    with FlopCounterMode(display=False) as training:
        model(torch.randn(BATCH, STEPS), labels=torch.randn(BATCH, STEPS)).loss.backward()
    assert work.train_flops * BATCH == pytest.approx(training.get_total_flops(), rel=0.03)
    assert work.parameters == sum(p.numel() for p in model.parameters())
    assert work.trainable == sum(p.numel() for p in model.parameters() if p.requires_grad)


def test_a_forecast_is_what_pytorch_counts() -> None:
    """40 steps, then blocks of 8, 1, 1 and 1 points: 50 steps go through the decoder."""
    config = small()
    work = counted(config)
    model = TimeMoeForPrediction(config).eval()
    model.config._attn_implementation = "eager"
    with FlopCounterMode(display=False) as forecast:
        model.generate(torch.randn(BATCH, SPEC.context_length), max_new_tokens=SPEC.prediction_length)
    assert work.eval_flops * BATCH == pytest.approx(forecast.get_total_flops(), rel=0.03)


def test_heads_on_kept_states_cost_their_own_products_alone() -> None:
    """Forward, and the gradient of the weights: 48 steps of 32 x 13 multiplications and additions, twice."""
    work = counted(small(), "heads_only")
    assert work.train_flops == 2 * 2 * STEPS * 32 * 13
    assert work.trainable == 32 * 13


def test_a_forecast_is_made_in_the_largest_blocks_that_fit() -> None:
    assert blocks([1, 8, 32, 64], 96) == [64, 32]
    assert blocks([1, 8, 32, 64], 74) == [64, 8, 1, 1]
    assert blocks([4, 8], 3) == [4]


def test_what_is_kept_for_the_backward_pass_is_what_autograd_keeps() -> None:
    config = small(num_hidden_layers=4, hidden_size=64, intermediate_size=128)
    model = TimeMoeForPrediction(config)
    model.config._attn_implementation = "sdpa"
    parameters = {p.untyped_storage().data_ptr() for p in model.parameters()}
    kept: dict[int, torch.Tensor] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if (place := tensor.untyped_storage().data_ptr()) not in parameters:
            kept[place] = tensor
        return tensor

    values, labels = torch.randn(2, BATCH, STEPS)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = model(values, labels=labels).loss
    assert loss.isfinite()
    total = sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
    assert counted(config).activation_bytes * BATCH == pytest.approx(total, rel=0.1)


def test_checkpointed_layers_keep_their_inputs_alone() -> None:
    whole, checkpointed = (counted(small(num_hidden_layers=6), gradient_checkpointing=c) for c in (False, True))
    assert checkpointed.activation_bytes < whole.activation_bytes / 4
