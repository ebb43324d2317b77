"""What fine-tuning a Time-MoE costs, counted from its configuration; no weight is loaded."""

from __future__ import annotations

from collections.abc import Callable

import torch

from data.task.task_spec import TaskSpec
from trainables.time_moe.config import TimeMoeConfig
from trainables.time_moe.hyper import TimeMoeHyper
from trainables.time_moe.modeling import TimeMoeForPrediction
from trainables.workload import Workload

MULTIPLY_ADD, FLOAT_BYTES = 2, 4
# Numbers that a layer keeps of each token for its backward pass, in widths of the model, in widths of an expert layer's
# inside, and, for each point that a head predicts, in numbers. Counted with saved-tensor hooks.
KEPT_OF_WIDTH, KEPT_OF_INSIDE, KEPT_OF_POINT = 14, 8, 1
# Operations of a layer without its experts, of an expert, and of all beside the layers: in an optimiser step (forward,
# backward, AdamW) and in a forward pass. Counted by torch.profiler.
STEP_A_LAYER, STEP_AN_EXPERT, STEP_BESIDE = 330, 19, 350
EVAL_A_LAYER, EVAL_AN_EXPERT, EVAL_BESIDE = 110, 18, 40


def time_moe_workload(
    config: TimeMoeConfig, hyper: TimeMoeHyper, spec: TaskSpec, *, trains: Callable[[str], bool]
) -> Workload:
    """Count weights, operations and memory; a training window is a sequence of max_length steps.

    trains: whether the parameter of a name does. A frozen projection's backward pass costs as much as its forward
    pass, a trained one's twice as much. Where the heads alone are trained, the decoder's states are kept.
    A validation forecasts: the context once, then each block of points but the last.
    """
    with torch.device("meta"):
        weights = {name: p.numel() for name, p in TimeMoeForPrediction(config).named_parameters()}
    trainable = sum(count for name, count in weights.items() if trains(name))
    layers, experts = config.num_hidden_layers, 0 if config.use_dense else config.num_experts
    is_heads_alone = not any(trains(name) for name in weights if not name.startswith("lm_heads."))
    costs = token_costs(config)
    steps = hyper.max_length
    if is_heads_alone:
        costs = {"lm_heads.": costs["lm_heads."]}
        backward = costs["lm_heads."]
    else:
        backward = sum((2 if any(trains(n) for n in weights if part in n) else 1) * c for part, c in costs.items())
    mixing = 0 if is_heads_alone else _mixing(config, steps, steps)
    forward = steps * sum(costs.values()) + mixing
    return Workload(
        parameters=sum(weights.values()),
        trainable=trainable,
        weight_bytes=FLOAT_BYTES * sum(weights.values()),
        train_flops=MULTIPLY_ADD * (forward + steps * backward + 2 * mixing),
        eval_flops=MULTIPLY_ADD * _forecast_cost(config, spec.context_length, spec.prediction_length),
        step_flops=0,
        step_operations=STEP_BESIDE + (0 if is_heads_alone else layers * (STEP_A_LAYER + STEP_AN_EXPERT * experts)),
        eval_operations=(EVAL_BESIDE + layers * (EVAL_A_LAYER + EVAL_AN_EXPERT * experts))
        * len(blocks(config.horizon_lengths, spec.prediction_length)),
        activation_bytes=FLOAT_BYTES * steps * _kept(config, hyper, is_heads_alone=is_heads_alone),
    )


def token_costs(config: TimeMoeConfig) -> dict[str, int]:
    """Multiplications a step of the sequence by the part of the model, named as in its parameters' names."""
    width, layers = config.hidden_size, config.num_hidden_layers
    assert config.num_key_value_heads is not None
    key_width = width // config.num_attention_heads * config.num_key_value_heads
    feed_forward = 3 * width * config.intermediate_size
    costs = {
        "embed_layer.": 2 * width * config.input_size,
        "self_attn.": layers * (2 * width**2 + 2 * width * key_width),
        "lm_heads.": width * sum(config.horizon_lengths) * config.input_size,
    }
    if config.use_dense:
        return {**costs, "ffn_layer.": layers * feed_forward}
    return {
        **costs,
        "ffn_layer.experts.": layers * feed_forward,  # all of a token's experts together are as wide as the shared one
        "ffn_layer.shared_expert": layers * (feed_forward + width),
        "ffn_layer.gate.": layers * width * config.num_experts,
    }


def blocks(horizons: list[int] | tuple[int, ...], wanted: int) -> list[int]:
    """Lengths of the blocks in which a forecast is made: the largest head that still fits, or the first."""
    made = []
    while wanted > 0:
        made.append(max((h for h in horizons if h <= wanted), default=min(horizons)))
        wanted -= made[-1]
    return made


def _forecast_cost(config: TimeMoeConfig, context: int, prediction: int) -> int:
    costs = token_costs(config)
    heads = costs.pop("lm_heads.")
    made = blocks(config.horizon_lengths, prediction)
    total, seen = 0, 0
    for fed in (context, *made[:-1]):
        total += fed * sum(costs.values()) + _mixing(config, fed, seen + fed)
        seen += fed
    return total + heads // sum(config.horizon_lengths) * sum(made)


def _mixing(config: TimeMoeConfig, queries: int, keys: int) -> int:
    """Products of queries with keys, and of attention with values, in all layers."""
    return 2 * config.num_hidden_layers * queries * keys * config.hidden_size


def _kept(config: TimeMoeConfig, hyper: TimeMoeHyper, *, is_heads_alone: bool) -> int:
    """Count the numbers that are kept of a step for the backward pass."""
    points = KEPT_OF_POINT * sum(config.horizon_lengths) * config.input_size
    if is_heads_alone:
        return points
    layer = KEPT_OF_WIDTH * config.hidden_size + KEPT_OF_INSIDE * config.intermediate_size
    if hyper.attention == "eager":
        layer += 2 * config.num_attention_heads * hyper.max_length
    if hyper.gradient_checkpointing:
        return points + layer + config.num_hidden_layers * config.hidden_size
    return points + config.num_hidden_layers * layer
