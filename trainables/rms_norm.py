"""Root mean square normalisation as one operation, in float32 or more.

Source: Zhang and Sennrich 2019, arXiv:1910.07467.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def rms_normalise(values: Tensor, weight: Tensor, eps: float) -> Tensor:
    """Divide (…, width) by its root mean square and multiply by a weight, (width,); in float32 at least."""
    dtype = torch.promote_types(values.dtype, torch.float32)
    normalised: Tensor = _Normalise.apply(values.to(dtype), weight.to(dtype), eps)
    return normalised


class _Normalise(torch.autograd.Function):
    """Eight passes over the numbers, forward and backward; autograd makes twenty of it."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, weight: Tensor, eps: float) -> Tensor:
        norm = torch.linalg.vector_norm(values, dim=-1, keepdim=True)
        inverse = torch.rsqrt(norm.square() / values.shape[-1] + eps)
        unit = values * inverse
        ctx.save_for_backward(unit, inverse, weight)
        return unit * weight

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        unit, inverse, weight = ctx.saved_tensors
        product = gradient * unit
        of_weight = product.flatten(0, -2).sum(0) if ctx.needs_input_grad[1] else None
        if not ctx.needs_input_grad[0]:
            return None, of_weight, None
        mean = (product @ weight)[..., None] / weight.shape[0]
        return (gradient * weight).addcmul_(unit, mean, value=-1).mul_(inverse), of_weight, None
