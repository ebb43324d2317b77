"""The precision that a trial computes in."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

from trainables.errors import HyperError


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """Compute matrix products in half precision for bf16 and fp16; fp32 changes nothing."""
    if precision == "fp32":
        return nullcontext()
    return torch.autocast(device.type, dtype={"bf16": torch.bfloat16, "fp16": torch.float16}[precision])


def check_precision(precision: str, device: torch.device) -> None:
    """Reject a precision that the device does not have; HyperError."""
    if precision == "fp32" or (device.type == "cuda" and (precision == "fp16" or has_bf16())):
        return
    raise HyperError(f"precision {precision} needs a GPU that has it, and this trial runs on {device.type}; use fp32")


def has_bf16() -> bool:
    """Whether the GPU computes in bf16 itself."""
    return bool(torch.cuda.is_bf16_supported(including_emulation=False))
