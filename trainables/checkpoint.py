"""Folders that are either whole or not there: a trial's checkpoints survive a kill at any moment."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

from data.files import flush_file, flush_folder

LATEST, BEST = "checkpoint", "best"  # a trial's slots: all that the next epoch needs, and the best epoch's weights


class CheckpointSlot:
    """The newest of a row of folders `<prefix>_<number>` in a trial's folder; older ones are removed.

    A folder is written under a temporary name, flushed to the disk and renamed: a kill leaves the one before.
    """

    def __init__(self, folder: Path, prefix: str) -> None:
        self.folder = folder
        self.prefix = prefix
        self._pattern = re.compile(rf"{re.escape(prefix)}_(\d+)$")

    def newest(self) -> Path | None:
        """Return the newest whole folder, or None."""
        numbered = self._numbered()
        return numbered[max(numbered)] if numbered else None

    def write(self, number: int, fill: Callable[[Path], None]) -> Path:
        """Let `fill` write into a fresh folder, make it the newest, remove the others."""
        target = self.folder / f"{self.prefix}_{number:06d}"
        unfinished = self.folder / f".{target.name}.tmp"
        for stale in (unfinished, target):
            shutil.rmtree(stale, ignore_errors=True)
        unfinished.mkdir(parents=True)
        fill(unfinished)
        for file in unfinished.iterdir():
            flush_file(file)
        unfinished.replace(target)
        flush_folder(self.folder)
        for old_number, old in self._numbered().items():
            if old_number != number:
                shutil.rmtree(old, ignore_errors=True)
        return target

    def clear(self) -> None:
        """Remove every folder of this slot."""
        for path in self._numbered().values():
            shutil.rmtree(path, ignore_errors=True)

    def _numbered(self) -> dict[int, Path]:
        if not self.folder.is_dir():
            return {}
        matches = ((self._pattern.match(p.name), p) for p in self.folder.iterdir())
        return {int(m.group(1)): p for m, p in matches if m}
