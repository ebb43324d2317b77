"""What fine-tuning a Moirai costs, counted from its configuration; no weight is loaded."""

from __future__ import annotations

import math
from collections.abc import Callable

from data.task.task_spec import TaskSpec
from trainables.moirai.checkpoint import MoiraiConfig, moirai_shapes
from trainables.moirai.head import acting_rows
from trainables.moirai.mixture import Mixture
from trainables.workload import Workload

MULTIPLY_ADD, FLOAT_BYTES = 2, 4
# Numbers that a layer keeps of each token for its backward pass, in widths of the model and of its inside: inputs and
# outputs of the norms, queries, keys, values, what attention gives, gates. Counted with saved-tensor hooks.
KEPT_OF_WIDTH, KEPT_OF_HIDDEN = 15, 4
KEPT_OF_POINT = 8  # beside a number for each that the head gives
# Operations of a layer in an optimiser step (forward, backward, AdamW) and in a validation, and of all beside the
# layers; fitted to steps of 3 to 6 layers, 96 to 384 wide.
STEP_A_LAYER, STEP_BESIDE, EVAL_A_LAYER, EVAL_BESIDE = 180, 430, 40, 150
DRAW_PASSES = 80  # over each number that is drawn: gamma variates, and sorting


def moirai_workload(
    config: MoiraiConfig, spec: TaskSpec, patch_size: int, *, draws: int, trains: Callable[[str], bool]
) -> Workload:
    """Count weights, operations and memory.

    draws: of each point, for its quantiles. trains: whether the parameter of a name does.

    A frozen projection's backward pass costs as much as its forward pass, a trained one's twice as much. The last layer
    computes the prediction tokens alone. With the head alone trained, the encoder's states are kept, and only the head
    is computed.
    """
    width, inside, layers = config.d_model, config.hidden, config.num_layers
    outputs = math.ceil(spec.prediction_length / patch_size)
    inputs = math.ceil(spec.context_length / patch_size)
    tokens = inputs + outputs
    dims = Mixture.of(config.distr_output).arguments()
    rows = sum(len(acting_rows(dim, config.widest, patch_size)) for dim in dims.values())

    attention, feed_forward = 4 * width**2, 3 * width * inside
    mixing = 2 * tokens * width * (tokens * (layers - 1) + outputs)  # queries by keys, and by values
    full_layers = tokens * (layers - 1)
    of_attention = full_layers * attention + (2 * tokens + 2 * outputs) * width**2 + mixing
    of_feed_forward = (full_layers + outputs) * feed_forward
    of_embedding, of_head = inputs * patch_size * width, outputs * rows * width
    parts = {
        "in_proj.weight": of_embedding,
        "encoder.layers.0.self_attn.q_proj.weight": of_attention,
        "encoder.layers.0.ffn.fc1.weight": of_feed_forward,
        "param_proj.proj.weights_logits.weight": of_head,
    }
    is_head_alone = not any(trains(name) for name in list(parts)[:-1])
    forward = of_head if is_head_alone else sum(parts.values())
    backward = sum((2 if trains(name) else 1) * cost for name, cost in parts.items())
    if is_head_alone:
        backward = of_head
    kept = 0 if is_head_alone else (full_layers + outputs) * (KEPT_OF_WIDTH * width + KEPT_OF_HIDDEN * inside)
    own = own_parameters(config, patch_size)
    return Workload(
        parameters=sum(math.prod(shape) for shape in moirai_shapes(config).values()),
        trainable=sum(count for name, count in own.items() if trains(name)),
        weight_bytes=FLOAT_BYTES * sum(own.values()),
        train_flops=MULTIPLY_ADD * (forward + backward),
        eval_flops=MULTIPLY_ADD * forward,
        step_flops=0,
        step_operations=STEP_BESIDE + (0 if is_head_alone else STEP_A_LAYER * layers),
        eval_operations=EVAL_BESIDE + (0 if is_head_alone else EVAL_A_LAYER * layers),
        eval_numbers=DRAW_PASSES * draws * spec.prediction_length,
        activation_bytes=FLOAT_BYTES * (kept + outputs * (width + rows + KEPT_OF_POINT * patch_size)),
    )


def own_parameters(config: MoiraiConfig, patch_size: int) -> dict[str, int]:
    """Count the weights that one patch size uses, by name."""
    counts = {}
    dims = {f"param_proj.proj.{path}": dim for path, dim in Mixture.of(config.distr_output).arguments().items()}
    for name, shape in moirai_shapes(config).items():
        owner, _, kind = name.rpartition(".")
        if "var_attn_bias" in name:
            continue
        if owner == "in_proj":
            counts[name] = config.d_model * (patch_size if kind == "weight" else 1)
        elif owner in dims and kind == "weight":
            counts[name] = len(acting_rows(dims[owner], config.widest, patch_size)) * config.d_model
        elif owner in dims:
            counts[name] = dims[owner] * patch_size
        else:
            counts[name] = math.prod(shape)
    return counts
