"""What a frozen part computes for every window: once a sweep, kept in a file, mapped by every trial that shares it."""

from __future__ import annotations

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
from torch import nn

from data.errors import DamagedFileError
from data.files import read_object, replace_text
from data.task.windows import Batch, WindowGather
from trainables.base import FrozenPart
from trainables.device.memory import MicroBatch
from trainables.device.precision import autocast
from trainables.trial.folders import SharedFolder, digest
from trainables.trial.progress import FeatureProgress

logger = logging.getLogger(__name__)

NO_TOKEN = -1
PROGRESS_SECONDS = 0.5  # between two reports of progress
NOTED_SECONDS = 5.0  # of work that a kill costs


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
    file = _FeatureFile.begun(path, len(windows))
    done = 0 if file is None else file.done
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
            file = _FeatureFile.new(path, len(windows), values[0])
        for block in values:
            file.add(block)
        done = file.done
        progress.report(done)
    assert file is not None  # a part has a window
    file.finish()
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
    """An array on the disk that grows block after block; whole numbers make it wider as longer ones come.

    What is done is written down every few seconds, so that a pass of hours that was killed goes on from there.
    """

    def __init__(self, path: Path, values: np.memmap[Any, Any], file: Path, done: int = 0) -> None:
        """path: of the whole array. values: in `file` until then. done: windows that are in it."""
        self.path, self.values, self.file, self.done = path, values, file, done
        self._noted_at = time.monotonic()

    @classmethod
    def new(cls, path: Path, n_windows: int, first: torch.Tensor) -> _FeatureFile:
        """Begin one; first: a block of it."""
        dtype = np.float32 if first.is_floating_point() else np.int32
        file = path.with_suffix(".tmp")
        return cls(path, _make_array(file, dtype, (n_windows, *first.shape[1:])), file)

    @classmethod
    def begun(cls, path: Path, n_windows: int) -> _FeatureFile | None:
        """Go on with one that was interrupted; None where there is none, or it cannot be read."""
        try:
            note = read_object(_note_of(path))
            file, done = path.parent / Path(str(note["file"])).name, int(note["done"])
            np.load(file, mmap_mode="r")  # to write, one that was cut short would be filled up with zeros
            values = np.load(file, mmap_mode="r+")
        except (DamagedFileError, OSError, ValueError, EOFError, KeyError, TypeError):
            return None
        if not isinstance(values, np.memmap) or len(values) != n_windows or not 0 <= done <= n_windows:
            return None
        return cls(path, values, file, done)

    def add(self, block: torch.Tensor) -> None:
        """Add the next windows' features."""
        if self.values.dtype == np.int32 and block.shape[1] > self.values.shape[1]:
            self._widen(block.shape[1])
        rows = self.values[self.done : self.done + len(block)]
        rows[:, : block.shape[1]] = block.numpy()
        self.done += len(block)
        if time.monotonic() - self._noted_at > NOTED_SECONDS:
            self._note()

    def finish(self) -> None:
        """Make it the whole array."""
        self.values.flush()
        del self.values
        self.file.replace(self.path)
        _note_of(self.path).unlink(missing_ok=True)

    def _note(self) -> None:
        self.values.flush()
        replace_text(_note_of(self.path), json.dumps({"file": self.file.name, "done": self.done}))
        self._noted_at = time.monotonic()

    def _widen(self, width: int) -> None:
        narrow, old = self.values, self.file
        self.file = self.path.with_suffix(f".{width}.tmp")
        self.values = _make_array(self.file, narrow.dtype, (len(narrow), width))
        self.values[:, : narrow.shape[1]] = narrow
        self._note()  # of the new file, before the old one goes
        del narrow
        old.unlink()


def _note_of(path: Path) -> Path:
    """Where it is written down how far an array is."""
    return path.with_suffix(".done")


def _make_array(file: Path, dtype: Any, shape: tuple[int, ...]) -> np.memmap[Any, Any]:
    values: np.memmap[Any, Any] = np.lib.format.open_memmap(file, mode="w+", dtype=dtype, shape=shape)
    if values.dtype == np.int32:
        values[:] = NO_TOKEN
    return values


def _features_of(frozen: FrozenPart, windows: WindowGather, ids: torch.Tensor, precision: str) -> torch.Tensor:
    with autocast(ids.device, precision):
        features = frozen.compute(windows.batch(ids)).cpu()
    return features.float() if features.is_floating_point() else features.int()
