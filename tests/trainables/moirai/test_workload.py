"""What is counted of a Moirai against what PyTorch counts of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from data.panel import Panel
from data.task.task import ForecastTask, TaskSpec
from trainables.moirai.hyper import MoiraiHyper
from trainables.moirai.trainable import STRATEGIES, Moirai

BATCH = 8


@pytest.fixture(scope="module")
def task() -> ForecastTask:
    values = np.sin(np.arange(2000) / 4).astype(np.float32)
    panel = Panel.from_series("waves", {"a": values}, freq="h")
    return ForecastTask(panel, TaskSpec(context_length=250, prediction_length=70, train_stride=50))


@pytest.mark.parametrize("patch_size", [8, 32])
@pytest.mark.parametrize("strategy", list(STRATEGIES))
def test_the_workload_is_what_pytorch_counts(task: ForecastTask, strategy: str, patch_size: int) -> None:
    hyper = MoiraiHyper(
        lr=1e-5, epochs=1, batch_size=BATCH, pretrained="moirai-tiny", strategy=strategy, patch_size=patch_size
    )
    work = Moirai.workload(hyper, task)
    model = Moirai()
    module = model.build(hyper, task)
    batch = task.gather("train", torch.device("cpu")).batch(torch.arange(BATCH))
    if strategy == "head_only":  # trained on kept states
        with torch.no_grad():
            batch = replace(batch, features=model.prediction_states(batch))
    own = {p.untyped_storage().data_ptr() for p in module.parameters()}
    saved: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    with FlopCounterMode(display=False) as training:
        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            loss = model.loss(batch).mean()
        kept = sum(size for pointer, size in saved.items() if pointer not in own)
        loss.backward()
    with FlopCounterMode(display=False) as evaluation, torch.no_grad():
        model.validate(batch)
    assert work.train_flops * BATCH == pytest.approx(training.get_total_flops(), rel=0.02)
    assert work.eval_flops * BATCH == pytest.approx(evaluation.get_total_flops(), rel=0.01)
    assert work.trainable == sum(p.numel() for p in module.parameters() if p.requires_grad)
    assert work.weight_bytes == 4 * sum(p.numel() for p in module.parameters())
    assert work.parameters == model.module.checkpoint_parameters
    assert work.activation_bytes * BATCH == pytest.approx(kept, rel=0.6)  # the estimate is for whole gigabytes
