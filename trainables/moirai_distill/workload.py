"""What training a student costs, counted from its sizes; its teacher's forecasts are kept, and cost a trial nothing."""

from __future__ import annotations

import torch

from trainables.moirai_distill.student import Student, StudentConfig
from trainables.workload import Workload

MULTIPLY_ADD, FLOAT_BYTES = 2, 4
# Numbers that a layer keeps of each token for its backward pass, in widths of the model and of its inside.
KEPT_OF_WIDTH, KEPT_OF_INSIDE = 15, 3
# Operations of a layer in an optimiser step (forward, backward, AdamW) and in a validation, and of all beside.
STEP_A_LAYER, STEP_BESIDE, EVAL_A_LAYER, EVAL_BESIDE = 150, 300, 30, 60


def student_workload(config: StudentConfig) -> Workload:
    """Count weights, operations and memory; a backward pass costs twice its forward pass."""
    with torch.device("meta"):
        parameters = sum(p.numel() for p in Student(config).parameters())
    width, inside, tokens, layers = config.d_model, config.width, config.patches, config.n_layers
    layer = tokens * (4 * width**2 + 2 * width * inside) + 2 * tokens**2 * width
    ends = tokens * width * (config.patch_len + config.levels * config.prediction_length)
    forward = MULTIPLY_ADD * (layers * layer + ends)
    of_layer = tokens * (KEPT_OF_WIDTH * width + KEPT_OF_INSIDE * inside + 2 * config.n_heads * tokens)
    return Workload(
        parameters=parameters,
        trainable=parameters,
        weight_bytes=FLOAT_BYTES * parameters,
        train_flops=3 * forward,
        eval_flops=forward,
        step_flops=0.0,
        step_operations=STEP_BESIDE + STEP_A_LAYER * layers,
        eval_operations=EVAL_BESIDE + EVAL_A_LAYER * layers,
        activation_bytes=FLOAT_BYTES * layers * of_layer,
    )
