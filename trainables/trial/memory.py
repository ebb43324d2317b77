"""Running out of memory is no end: the micro-batch is halved and the work done again."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

import psutil
import torch

from trainables.errors import HyperError

logger = logging.getLogger(__name__)
T = TypeVar("T")


class MicroBatch:
    """The number of windows that go through the model at once; it shrinks when memory runs out."""

    def __init__(self, size: int) -> None:
        self.size = size

    def attempt(self, work: Callable[[int], T]) -> T:
        """Return work(size), halving size after each out-of-memory error; HyperError if one window does not fit."""
        while True:
            try:
                return work(self.size)
            except torch.OutOfMemoryError as error:
                if self.size == 1:
                    raise HyperError(
                        f"one window must fit into memory, and it does not ({str(error).splitlines()[0]}); "
                        "shorten --context-length, take a smaller model or raise --gpu-memory"
                    ) from error
            self.size = max(1, self.size // 2)
            logger.warning("out of memory: micro-batch is now %d, the effective batch stays", self.size)
            if torch.cuda.is_available():
                torch.cuda.empty_cache()


def peak_memory_bytes(device: torch.device) -> int:
    """Peak memory allocated on a GPU since the last reset, or this process's resident memory on a CPU, in bytes."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    return int(psutil.Process().memory_info().rss)


def reset_peak_memory(device: torch.device) -> None:
    """Start a trial's peak afresh."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def cap_gpu_memory(device: torch.device, limit_bytes: int | None) -> None:
    """Let this process allocate at most limit_bytes of the GPU; asking for more is then out of memory."""
    if device.type != "cuda" or limit_bytes is None:
        return
    total = torch.cuda.get_device_properties(device).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, limit_bytes / total), device)
