"""Running out of memory is no end: the micro-batch is halved and the work done again."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import psutil
import torch

from data.files import replace_text
from trainables.errors import HyperError

logger = logging.getLogger(__name__)
T = TypeVar("T")

HOST_ALLOCATOR = "can't allocate memory"


class MicroBatch:
    """The number of windows that go through the model at once; it shrinks when memory runs out, of a GPU or the host.

    fitted: a file with the size that fitted before, which is then the most, and which a smaller one is written to.
    """

    def __init__(self, size: int, fitted: Path | None = None) -> None:
        self.size, self._fitted = size, fitted
        if fitted is not None and (before := _read_size(fitted)) is not None:
            self.size = min(size, before)

    def attempt(self, work: Callable[[int], T]) -> T:
        """Return work(size), halving size after each out-of-memory error; HyperError if one window does not fit."""
        while True:
            try:
                return work(self.size)
            except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                if self.size == 1:
                    raise HyperError(_nothing_fits(error)) from error
            self.size = max(1, self.size // 2)
            logger.warning("out of memory: micro-batch is now %d, the effective batch stays", self.size)
            if self._fitted is not None:
                self._fitted.parent.mkdir(parents=True, exist_ok=True)
                replace_text(self._fitted, str(self.size))
            if torch.cuda.is_available():
                torch.cuda.empty_cache()


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether memory ran out; PyTorch's allocator of the host says so in a RuntimeError's text alone."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or HOST_ALLOCATOR in str(error)


def _nothing_fits(error: BaseException) -> str:
    reason = (str(error) or type(error).__name__).splitlines()[0]
    is_of_gpu = isinstance(error, torch.OutOfMemoryError)
    last = "raise --gpu-memory" if is_of_gpu else "run fewer trials at once (--max-concurrent)"
    return (
        f"one window must fit into memory, and it does not ({reason}); shorten --context-length, take a smaller model "
        f"or {last}"
    )


def _read_size(file: Path) -> int | None:
    """Return a size that was written down; None where there is none that can be read."""
    with suppress(OSError, ValueError):
        return max(1, int(file.read_text(encoding="utf-8")))
    return None


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
