"""The optimiser that every model trains with: AdamW, in one pass over the weights."""

from __future__ import annotations

import subprocess
import sys

import torch
from torch import nn

from tests.paths import REPOSITORY
from trainables.hyper import Hyper
from trainables.parameters import AdamW


def test_five_steps_are_those_of_pytorchs_plain_adamw() -> None:
    """Loop over tensors, one operation at a time, as PyTorch's documentation writes it."""
    torch.manual_seed(0)
    ours, plain = (nn.Sequential(nn.Linear(7, 5), nn.Linear(5, 3)) for _ in range(2))
    plain.load_state_dict(ours.state_dict())
    hyper = Hyper(lr=1e-2, epochs=1, batch_size=1, weight_decay=0.1)
    weights = [p for p in plain.parameters() if p.ndim > 1]
    biases = [p for p in plain.parameters() if p.ndim == 1]
    optimizers = (
        AdamW(betas=(0.9, 0.98), eps=1e-6).over(ours, hyper),
        torch.optim.AdamW(
            [{"params": weights, "weight_decay": 0.1}, {"params": biases, "weight_decay": 0.0}],
            lr=1e-2,
            betas=(0.9, 0.98),
            eps=1e-6,
            foreach=False,
            fused=False,
        ),
    )
    for step in range(5):
        inputs = torch.randn(4, 7, generator=torch.Generator().manual_seed(step))
        for module, optimizer in zip((ours, plain), optimizers, strict=True):
            optimizer.zero_grad()
            module(inputs).square().mean().backward()
            optimizer.step()
    for mine, theirs in zip(ours.parameters(), plain.parameters(), strict=True):
        assert torch.allclose(mine, theirs, rtol=1e-5, atol=1e-7)


STEP = """
import sys, torch
from trainables.optimizer import FusedAdamW
layer = torch.nn.Linear(2, 2)
optimizer = FusedAdamW([{"params": list(layer.parameters())}], lr=0.1, betas=(0.9, 0.999), eps=1e-8)
for _ in range(2):
    optimizer.zero_grad()
    layer(torch.ones(1, 2)).sum().backward()
    optimizer.step()
optimizer.load_state_dict(optimizer.state_dict())
print("torch._dynamo" in sys.modules)
"""


def test_an_optimiser_step_does_without_pytorchs_compiler() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", STEP], cwd=REPOSITORY, capture_output=True, text=True, check=True, timeout=120
    )
    assert ended.stdout == "False\n"


def test_a_step_that_is_marked_as_not_finite_changes_nothing_and_is_not_counted() -> None:
    layer = nn.Linear(3, 2)
    hyper = Hyper(lr=0.1, epochs=1, batch_size=1)
    optimizer = AdamW().over(layer, hyper)
    before = [p.detach().clone() for p in layer.parameters()]
    for flag in (1.0, 0.0):
        optimizer.found_inf = torch.tensor(flag)
        optimizer.zero_grad()
        layer(torch.ones(1, 3)).sum().backward()
        optimizer.step()
        moved = [not torch.equal(p, old) for p, old in zip(layer.parameters(), before, strict=True)]
        assert moved == [flag == 0.0] * 2
    assert {int(state["step"]) for state in optimizer.state.values()} == {1}
