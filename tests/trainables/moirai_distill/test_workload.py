"""What is counted of a student against what PyTorch counts of it."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from trainables.moirai_distill.student import Student, StudentConfig
from trainables.moirai_distill.workload import student_workload

BATCH = 8


@pytest.mark.parametrize(
    "sizes",
    [
        {"d_model": 16, "n_layers": 1, "n_heads": 2, "patch_len": 8},
        {"d_model": 64, "n_layers": 3, "n_heads": 4, "d_ff": 100, "quantile_heads": True},
    ],
)
def test_the_workload_is_what_pytorch_counts(sizes: dict[str, int]) -> None:
    config = StudentConfig(context_length=250, prediction_length=70, **sizes)  # type: ignore[arg-type]
    work = student_workload(config)
    student = Student(config).train()
    context = torch.randn(BATCH, 250)
    with FlopCounterMode(display=False) as training:
        student(context).square().mean().backward()
    with FlopCounterMode(display=False) as evaluation, torch.no_grad():
        student(context)
    assert work.train_flops * BATCH == pytest.approx(training.get_total_flops(), rel=0.03)
    assert work.eval_flops * BATCH == pytest.approx(evaluation.get_total_flops(), rel=0.01)
    assert work.trainable == sum(p.numel() for p in student.parameters() if p.requires_grad)
    assert work.weight_bytes == 4 * work.parameters == 4 * work.trainable
