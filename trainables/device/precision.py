"""The precision that a trial computes in."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TypeVar

import torch

from trainables.errors import HyperError
from trainables.hyper import Hyper

HyperT = TypeVar("HyperT", bound=Hyper)


def resolved(hyper: HyperT, device: torch.device) -> HyperT:
    """Replace precision auto by bf16 where the device computes in it, else by fp32."""
    return hyper.model_copy(update={"precision": precision_on(device, hyper.precision)})


def precision_on(device: torch.device, precision: str) -> str:
    """Return the precision that auto is on a device."""
    if precision != "auto":
        return precision
    return "bf16" if device.type == "cuda" and has_bf16() else "fp32"


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """Compute matrix products in half precision for bf16 and fp16; fp32 changes nothing."""
    precision = precision_on(device, precision)
    if precision == "fp32":
        return nullcontext()
    return torch.autocast(device.type, dtype={"bf16": torch.bfloat16, "fp16": torch.float16}[precision])


def use_tensor_cores(device: torch.device) -> None:
    """Let a GPU compute float32 products by its tensor cores (TF32), 10 bits of a number's 23; nothing on a CPU."""
    if device.type == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = True
        torch.backends.cudnn.allow_tf32 = True


def check_precision(precision: str, device: torch.device) -> None:
    """Reject a precision that the device does not have; HyperError."""
    if precision == "fp32" or (device.type == "cuda" and (precision == "fp16" or has_bf16())):
        return
    raise HyperError(f"precision {precision} needs a GPU that has it, and this trial runs on {device.type}; use fp32")


def has_bf16() -> bool:
    """Whether the GPU computes in bf16 itself."""
    return bool(torch.cuda.is_bf16_supported(including_emulation=False))
