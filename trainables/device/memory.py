"""Running out of memory is no end: the micro-batch is halved and the work done again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import psutil
import torch

from data.files import replace_text
from trainables.errors import HyperError

logger = logging.getLogger(__name__)
T = TypeVar("T")

REMEDY = "shorten --context-length or take a smaller model"
HOST_ALLOCATOR = "can't allocate memory"


@dataclass(frozen=True)
class FallBack:
    """What can be done when not even one window fits. apply: do it; False where it cannot be had."""

    name: str
    apply: Callable[[], bool]


class MicroBatch:
    """The number of windows that go through the model at once; it shrinks when memory runs out, of a GPU or the host.

    fitted: a file with the size that fitted before, which is then the most, and which a smaller one is written to.
    remedy: what the user can do where not even one window fits.
    """

    def __init__(self, size: int, fitted: Path | None = None, *, remedy: str = REMEDY) -> None:
        self._fitted, self._remedy = fitted, remedy
        before = None if fitted is None else _read_fitted(fitted)
        self.size, self._needed = (size, []) if before is None else (min(size, before[0]), before[1])
        self._left: list[FallBack] = []
        self.taken: list[str] = []  # the names of the fall-backs that were needed

    def offer(self, fall_backs: Sequence[FallBack]) -> None:
        """Let these be done, in their order, where not even one window fits; those at once that were needed before."""
        self._left = list(fall_backs)
        self.take(self._needed)

    def take(self, names: Sequence[str]) -> None:
        """Do what was needed before, by the fall-backs' names."""
        for fall_back in [f for f in self._left if f.name in names]:
            self._left.remove(fall_back)
            if fall_back.apply():
                self.taken.append(fall_back.name)

    def attempt(self, work: Callable[[int], T]) -> T:
        """Return work(size), halving size after each out-of-memory error, and then falling back; HyperError if one
        window does not fit for all that."""
        while True:
            try:
                return work(self.size)
            except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                if not self.need_less():
                    raise HyperError(self._nothing_fits(error)) from error
            if torch.cuda.is_available():
                torch.cuda.empty_cache()

    def need_less(self) -> bool:
        """Halve the size, or do the next thing that can be had, and write it down; False where nothing is left."""
        is_done = self._halve_or_fall_back()
        if is_done and self._fitted is not None:
            self._fitted.parent.mkdir(parents=True, exist_ok=True)
            replace_text(self._fitted, "\n".join([str(self.size), *self.taken]))
        return is_done

    def _halve_or_fall_back(self) -> bool:
        if self.size > 1:
            self.size //= 2
            logger.warning("out of memory: micro-batch is now %d, the effective batch stays", self.size)
            return True
        while self._left:
            fall_back = self._left.pop(0)
            if fall_back.apply():
                self.taken.append(fall_back.name)
                logger.warning("out of memory with one window at once: from now on with %s", fall_back.name)
                return True
        return False

    def _nothing_fits(self, error: BaseException) -> str:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        is_of_gpu = isinstance(error, torch.OutOfMemoryError)
        last = "raise --gpu-memory" if is_of_gpu else "run fewer trials at once (--max-concurrent)"
        tried = f" with {' and '.join(self.taken)}" if self.taken else ""
        return f"one window must fit into memory, and it does not{tried} ({reason}); {self._remedy}, or {last}"


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether memory ran out; PyTorch's allocator of the host says so in a RuntimeError's text alone."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or HOST_ALLOCATOR in str(error)


def _read_fitted(file: Path) -> tuple[int, list[str]] | None:
    """Return the size and the fall-backs that were written down; None where there is nothing that can be read."""
    with suppress(OSError, ValueError):
        size, *names = file.read_text(encoding="utf-8").split("\n")
        return max(1, int(size)), names
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
