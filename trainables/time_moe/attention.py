"""Which implementation of attention a trial computes with, and why not flash attention."""

from __future__ import annotations

import torch
from transformers.utils import is_flash_attn_2_available

from trainables.device.precision import precision_on
from trainables.errors import HyperError
from trainables.time_moe.hyper import TimeMoeHyper

FLASH = "flash"
IMPLEMENTATIONS = {"eager": "eager", "sdpa": "sdpa", FLASH: "flash_attention_2"}
LEAST_CAPABILITY = (8, 0)  # of a GPU, for FlashAttention 2: https://github.com/Dao-AILab/flash-attention


def implementation_of(hyper: TimeMoeHyper) -> str:
    """Return what transformers calls the implementation; of auto flash attention where it can be, else sdpa."""
    if hyper.attention != "auto":
        return IMPLEMENTATIONS[hyper.attention]
    return IMPLEMENTATIONS["sdpa" if why_not_flash(hyper) else FLASH]


def why_not_flash(hyper: TimeMoeHyper) -> str | None:
    """Return in a few words why flash attention cannot be computed here; None where it can."""
    if not torch.cuda.is_available():
        return "no GPU"
    if (found := torch.cuda.get_device_capability()) < LEAST_CAPABILITY:
        return f"compute capability {found[0]}.{found[1]}, below 8.0"
    if not is_flash_attn_2_available():
        return "flash-attn not installed"
    if precision_on(torch.device("cuda"), hyper.precision) == "fp32":
        return "precision fp32"
    return None


def check_attention(hyper: TimeMoeHyper) -> None:
    """Reject flash attention that was asked for and cannot be: HyperError."""
    if hyper.attention == FLASH and (reason := why_not_flash(hyper)) is not None:
        raise HyperError(
            "attention flash needs the package flash-attn, a GPU of compute capability 8.0 or more, and precision bf16 "
            f"or fp16, got {reason}; use sdpa, or auto to take flash where it can be"
        )
