"""Folders that are either whole or not there: a trial's checkpoints survive a kill at any moment."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from data.files import flush_file, flush_folder, is_out_of_room, no_room


class CheckpointSlot:
    """The newest of a row of folders `<prefix>_<number>` in a trial's folder; older ones are removed.

    A folder is written under a temporary name, flushed to the disk and renamed: a kill leaves the one before.
    keep: how many of the newest stay.
    """

    def __init__(self, folder: Path, prefix: str, *, keep: int = 1) -> None:
        self.folder = folder
        self.prefix = prefix
        self.keep = keep
        self._pattern = re.compile(rf"{re.escape(prefix)}_(\d+)$")

    def folders(self) -> list[Path]:
        """Return the whole folders, the newest first."""
        numbered = self._numbered()
        return [numbered[number] for number in sorted(numbered, reverse=True)]

    def newest(self) -> Path | None:
        """Return the newest whole folder, or None."""
        return next(iter(self.folders()), None)

    def write(self, number: int, fill: Callable[[Path], None]) -> Path:
        """Let `fill` write into a fresh folder, make it the newest, remove the old ones."""
        for stale in self.folder.glob(f".{self.prefix}_*"):
            shutil.rmtree(stale, ignore_errors=True)
        target = self.folder / f"{self.prefix}_{number:06d}"
        unfinished = self.folder / f".{target.name}.tmp"
        unfinished.mkdir(parents=True)
        try:
            fill(unfinished)
            for file in unfinished.iterdir():
                flush_file(file)
            flush_folder(unfinished)
        except Exception as error:
            is_full = is_out_of_room(error, self.folder)
            shutil.rmtree(unfinished, ignore_errors=True)  # its bytes are needed to write down what happened
            if is_full:
                raise no_room(target) from error
            raise
        for there_number, there in self._numbered().items():
            if there_number >= number:  # of a future that is done anew
                _remove(there)
        unfinished.replace(target)
        flush_folder(self.folder)
        self.prune(self.keep)
        return target

    def prune(self, keep: int) -> None:
        """Remove all but so many of the newest folders."""
        for old in self.folders()[keep:]:
            _remove(old)

    def clear(self) -> None:
        """Remove every folder of this slot."""
        self.prune(0)

    def _numbered(self) -> dict[int, Path]:
        if not self.folder.is_dir():
            return {}
        matches = ((self._pattern.match(p.name), p) for p in self.folder.iterdir())
        return {int(m.group(1)): p for m, p in matches if m}


def _remove(folder: Path) -> None:
    """Remove a folder; a kill in the middle leaves nothing that looks whole."""
    doomed = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(doomed, ignore_errors=True)
    with suppress(OSError):  # on Windows, while somebody reads it
        folder.replace(doomed)
    shutil.rmtree(doomed, ignore_errors=True)
