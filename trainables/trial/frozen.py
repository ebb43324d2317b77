"""What a frozen part computes for every window: once a sweep, kept in a file, mapped by every trial that shares it."""

from __future__ import annotations

import logging
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from torch import nn

from data.task.windows import Batch, WindowGather
from trainables.base import FrozenPart
from trainables.device.memory import MicroBatch
from trainables.device.precision import autocast
from trainables.trial.feature_progress import FeatureProgress
from trainables.trial.folders import SharedFolder, digest

logger = logging.getLogger(__name__)

NO_TOKEN = -1
PROGRESS_SECONDS = 0.5  # between two reports of progress


class FrozenFeatures:
    """The features of all windows of one part, (n_windows, ...), in a memory-mapped file.

    Float32, or int32 for whole numbers such as tokens, (n_windows, longest), with -1 after the end of shorter ones.
    """

    def __init__(self, values: np.ndarray, device: torch.device) -> None:
        self._values = torch.from_numpy(values)
        self._device = device

    def attach(self, batch: Batch) -> Batch:
        """Return the batch with its windows' features, on its device."""
        ids = batch.ids.cpu()
        return replace(batch, features=self._values[ids].to(self._device, non_blocking=True))

    @classmethod
    def obtain(
        cls,
        shared: SharedFolder,
        key: str,
        part: FrozenPart,
        module: nn.Module,
        windows: WindowGather,
        *,
        micro_batch: MicroBatch,
        precision: str,
    ) -> FrozenFeatures | None:
        """Map the features of a module's frozen part, computing them if no trial has; None if the disk has no room.

        key: names everything that the features depend on: weights, part, task, precision.
        """
        shared.features.mkdir(parents=True, exist_ok=True)
        path = shared.features / f"{digest(key)}.npy"
        device = next(module.parameters()).device
        with FileLock(path.with_suffix(".lock")):
            if not _is_whole(path, len(windows)):
                module.eval()
                progress = _Progress(shared.features_progress, part.title, len(windows))
                if not _compute(path, part, windows, micro_batch, precision, progress):
                    return None
        # copy-on-write: torch wants a writable array, and nobody writes
        return cls(np.load(path, mmap_mode="c"), device)


def _is_whole(path: Path, rows: int) -> bool:
    """Whether a file holds the features of so many windows; a damaged one is computed again."""
    try:
        return len(np.load(path, mmap_mode="r")) == rows
    except (OSError, ValueError, EOFError, TypeError):
        return False


@torch.no_grad()
def _compute(
    path: Path,
    frozen: FrozenPart,
    windows: WindowGather,
    micro_batch: MicroBatch,
    precision: str,
    progress: _Progress,
) -> bool:
    file: _FeatureFile | None = None
    done = 0
    while done < len(windows):
        ids = torch.arange(done, min(done + micro_batch.size, len(windows)), device=windows.device)
        values = micro_batch.attempt(
            lambda size, ids=ids: [  # type: ignore[misc]
                _features_of(frozen, windows, block, precision) for block in ids.split(size)
            ]
        )
        if file is None:
            if not _has_room(path.parent, len(windows), values[0]):
                return False
            file = _FeatureFile(path.with_suffix(".tmp"), len(windows), values[0])
        for block in values:
            file.write(done, block)
            done += len(block)
        progress.report(done)
    assert file is not None  # a part has a window
    file.finish(path)
    progress.close()
    return True


class _Progress:
    """Writes how far the work is, not too often."""

    def __init__(self, file: Path, title: str, total: int) -> None:
        self.file, self.title, self.total = file, title, total
        self.started = time.monotonic()
        self._written = 0.0

    def report(self, done: int) -> None:
        now = time.monotonic()
        if now - self._written >= PROGRESS_SECONDS:
            self._written = now
            FeatureProgress(self.title, done, self.total, now - self.started).write(self.file)

    def close(self) -> None:
        self.file.unlink(missing_ok=True)


def _has_room(folder: Path, n_windows: int, block: torch.Tensor) -> bool:
    needed = n_windows * block[0].numel() * block.element_size()
    free = shutil.disk_usage(folder).free
    if needed > 0.5 * free:
        logger.warning("frozen features would take %.1f GB of %.1f GB free: not kept", needed / 1e9, free / 1e9)
    return needed <= 0.5 * free


class _FeatureFile:
    """An array on the disk, written block after block; whole numbers make it wider as longer ones come."""

    def __init__(self, path: Path, n_windows: int, first: torch.Tensor) -> None:
        self.path = path
        self.whole = not first.is_floating_point()
        self.dtype = np.int32 if self.whole else np.float32
        self.values = self._make((n_windows, *first.shape[1:]))

    def write(self, place: int, block: torch.Tensor) -> None:
        if self.whole and block.shape[1] > self.values.shape[1]:
            self._widen(block.shape[1])
        rows = self.values[place : place + len(block)]
        rows[:, : block.shape[1]] = block.numpy()

    def finish(self, path: Path) -> None:
        self.values.flush()
        del self.values
        self.path.replace(path)

    def _make(self, shape: tuple[int, ...]) -> np.memmap[Any, Any]:
        values = np.lib.format.open_memmap(self.path, mode="w+", dtype=self.dtype, shape=shape)
        if self.whole:
            values[:] = NO_TOKEN
        return values

    def _widen(self, width: int) -> None:
        narrow, old = self.values, self.path
        self.path = old.with_suffix(f".{width}.tmp")
        self.values = self._make((len(narrow), width))
        self.values[:, : narrow.shape[1]] = narrow
        del narrow
        old.unlink()


def _features_of(frozen: FrozenPart, windows: WindowGather, ids: torch.Tensor, precision: str) -> torch.Tensor:
    with autocast(ids.device, precision):
        features = frozen.compute(windows.batch(ids)).cpu()
    return features.float() if features.is_floating_point() else features.int()
