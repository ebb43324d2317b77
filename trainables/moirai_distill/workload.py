"""What a student costs, counted from its sizes; the teacher, who forecasts once a sweep, is not in it."""

from __future__ import annotations

import torch

from trainables.base import Workload
from trainables.moirai_distill.student import Student, StudentConfig

MULTIPLY_ADD = 2
FLOAT_BYTES = 4
HALF = {"fp32": 1.0, "bf16": 0.5, "fp16": 0.5}


def workload(config: StudentConfig, *, precision: str) -> Workload:
    """Count weights, operations and memory; a backward pass costs twice a forward pass.

    What a layer keeps for it: 34 + 5 * heads * tokens / width numbers of 16 bit a token and dimension.
    Source: Korthikanti et al. 2022, arXiv:2205.05198, equation 2.
    """
    with torch.device("meta"):
        student = Student(config)
    parameters = sum(p.numel() for p in student.parameters())
    tokens, width = config.patches, config.d_model
    a_token = student.embedding.weight.numel() + config.n_layers * width * (4 * width + 2 * config.width)
    attention = 2 * config.n_layers * tokens * tokens * width
    forward = MULTIPLY_ADD * (tokens * a_token + attention + student.head.weight.numel())
    kept = width * (34 + 5 * config.n_heads * tokens / width) * tokens * config.n_layers
    return Workload(
        parameters=parameters,
        trainable=parameters,
        weight_bytes=FLOAT_BYTES * parameters,
        train_flops=3 * forward,
        eval_flops=forward,
        step_flops=0,
        activation_bytes=round(2 * kept * HALF[precision]),
    )
