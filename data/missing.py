"""What replaces a missing value where a model needs a number."""

from __future__ import annotations

import torch


def fill_forward(values: torch.Tensor) -> torch.Tensor:
    """Give every missing point its last observed value, 0 where there is none before it; (batch, steps)."""
    observed = ~values.isnan()
    steps = torch.arange(values.shape[1], device=values.device).expand_as(values)
    last = torch.where(observed, steps, -1).cummax(dim=1).values
    filled = values.nan_to_num().gather(1, last.clamp_min(0))
    return torch.where(last >= 0, filled, 0.0)


def fill_gaps(values: torch.Tensor) -> torch.Tensor:
    """Give every missing point its last observed value, or the first where there is none before it; (batch, steps)."""
    place = (~values.isnan()).long().argmax(dim=1, keepdim=True)  # of the first observed value
    first = values.nan_to_num().gather(1, place)
    leading = torch.arange(values.shape[1], device=values.device) < place
    return fill_forward(torch.where(leading, first, values))
