"""Rotary positions: pairs of a head's numbers, turned as complex ones. Source: Su et al. 2021, arXiv:2104.09864."""

from __future__ import annotations

import torch
from torch import Tensor


def rotate(heads: Tensor, factors: Tensor) -> Tensor:
    """Turn queries or keys, (batch, token, head, width), pair by pair, in float32 at least.

    factors: complex, of the pairs, (…, token, 1, width / 2).
    """
    wide = heads.to(torch.promote_types(heads.dtype, torch.float32))
    pairs = torch.view_as_complex(wide.unflatten(-1, (-1, 2)))
    turned: Tensor = torch.view_as_real(pairs * factors).flatten(-2).to(heads.dtype)
    return turned
