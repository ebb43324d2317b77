"""The optimiser that every model trains with: AdamW, in one pass over the weights."""

from __future__ import annotations

import torch
from torch import nn

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
