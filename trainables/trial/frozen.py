"""What a frozen part computes for every window: once a sweep, kept in a file, mapped by every trial that shares it."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock

from data.files import replace_text
from data.task.windows import Batch, WindowGather
from trainables.base import ForecastTrainable
from trainables.trial.evaluation import autocast
from trainables.trial.memory import MicroBatch

logger = logging.getLogger(__name__)

NO_TOKEN = -1
FEATURES = "features"  # the shared folder's
PROGRESS_FILE = "progress.json"
TOLD_EVERY_SECONDS = 0.5


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
        folder: Path,
        key: str,
        model: ForecastTrainable,
        windows: WindowGather,
        *,
        micro_batch: MicroBatch,
        precision: str,
    ) -> FrozenFeatures | None:
        """Map the features named `key`, computing them if no trial has; None if the disk has no room for them.

        key: names everything that the features depend on: weights, part, task, precision.
        """
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.npy"
        device = next(model.module.parameters()).device
        with FileLock(path.with_suffix(".lock")):
            if not path.exists() and not _compute(path, model, windows, micro_batch, precision):
                return None
        # copy-on-write: torch wants a writable array, and nobody writes
        return cls(np.load(path, mmap_mode="c"), device)


@torch.no_grad()
def _compute(
    path: Path,
    model: ForecastTrainable,
    windows: WindowGather,
    micro_batch: MicroBatch,
    precision: str,
) -> bool:
    device = next(model.module.parameters()).device
    model.module.eval()
    file: _FeatureFile | None = None
    done = 0
    progress = _Progress(path.parent / PROGRESS_FILE, model.features_name, len(windows))
    while done < len(windows):
        ids = torch.arange(done, min(done + micro_batch.size, len(windows)), device=device)
        values = micro_batch.attempt(
            lambda size, ids=ids: [  # type: ignore[misc]
                _features_of(model, windows, part, precision) for part in ids.split(size)
            ]
        )
        if file is None:
            if not _has_room(path.parent, len(windows), values[0]):
                return False
            file = _FeatureFile(path.with_suffix(".tmp"), len(windows), values[0])
        for part in values:
            file.write(done, part)
            done += len(part)
        progress.tell(done)
    assert file is not None  # a part has a window
    file.finish(path)
    progress.close()
    return True


class _Progress:
    """Tells who watches how far the work is, in a small file beside the features."""

    def __init__(self, file: Path, what: str, total: int) -> None:
        self.file, self.what, self.total = file, what, total
        self.started = time.time()
        self._told = 0.0

    def tell(self, done: int) -> None:
        if time.monotonic() - self._told < TOLD_EVERY_SECONDS:
            return
        self._told = time.monotonic()
        facts = {"what": self.what, "done": done, "total": self.total, "seconds": time.time() - self.started}
        replace_text(self.file, json.dumps(facts))

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


def _features_of(model: ForecastTrainable, windows: WindowGather, ids: torch.Tensor, precision: str) -> torch.Tensor:
    with autocast(ids.device, precision):
        features = model.features(windows.batch(ids)).cpu()
    return features.float() if features.is_floating_point() else features.int()
