"""What a frozen part computes for every window: once a sweep, kept in a file, mapped by every trial that shares it."""

from __future__ import annotations

import hashlib
import logging
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock

from data.windows import Batch, WindowGather
from trainables.base import ForecastTrainable
from trainables.evaluation import autocast
from trainables.memory import MicroBatch

logger = logging.getLogger(__name__)


class FrozenFeatures:
    """The features of all windows of one part, (n_windows, ...) float32, in a memory-mapped file."""

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
    first = micro_batch.attempt(lambda _: _features_of(model, windows, torch.arange(1, device=device), precision))
    shape = (len(windows), *first.shape[1:])
    needed = int(np.prod(shape)) * 4
    free = shutil.disk_usage(path.parent).free
    if needed > 0.5 * free:
        logger.warning("frozen features would take %.1f GB of %.1f GB free: not kept", needed / 1e9, free / 1e9)
        return False
    unfinished = path.with_suffix(".tmp")
    kept = np.lib.format.open_memmap(unfinished, mode="w+", dtype=np.float32, shape=shape)
    done = 0
    while done < len(windows):
        ids = torch.arange(done, min(done + micro_batch.size, len(windows)), device=device)
        values = micro_batch.attempt(
            lambda size, ids=ids: torch.cat(  # type: ignore[misc]
                [_features_of(model, windows, part, precision) for part in ids.split(size)]
            )
        )
        kept[done : done + len(ids)] = values.numpy()
        done += len(ids)
    kept.flush()
    del kept
    unfinished.replace(path)
    return True


def _features_of(model: ForecastTrainable, windows: WindowGather, ids: torch.Tensor, precision: str) -> torch.Tensor:
    with autocast(ids.device, precision):
        return model.features(windows.batch(ids)).float().cpu()
