"""PyTorch's fused AdamW, without what PyTorch imports beside it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


class FusedAdamW(torch.optim.AdamW):
    """One pass over the weights a step; a step for which `found_inf` is 1 is left out, without the host knowing.

    PyTorch's own optimisers import its compiler before their first step, which compiles nothing here: two to five
    seconds and 800 modules in the worker of a sweep's first trial.
    """

    found_inf: Tensor | None = None  # a scalar, 0 or 1, on the parameters' device

    def __init__(self, groups: Any, *, lr: float, betas: tuple[float, float], eps: float) -> None:
        _leave_compiler_out()
        super().__init__(groups, lr=lr, betas=betas, eps=eps, fused=True)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> Any:
        """Apply the gradients."""
        return _STEP(self, closure)


_STEP = inspect.unwrap(torch.optim.AdamW.step)


def _leave_compiler_out() -> None:
    """Enter, where PyTorch would keep these methods marked as not to be compiled, the methods as they are."""
    for name in ("add_param_group", "state_dict", "load_state_dict", "zero_grad"):
        method = inspect.unwrap(getattr(torch.optim.Optimizer, name))
        if not hasattr(method, "__dynamo_disable"):
            method.__dynamo_disable = method
