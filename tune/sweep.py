"""One sweep: create, open, extend, hold; and the sweeps of a storage folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from data.errors import near_names
from tune.records.journal import read_records
from tune.records.leaderboard import Leaderboard
from tune.records.spec import SweepError, SweepSpec, check_trials
from tune.records.sweep_folder import SweepFolder

if TYPE_CHECKING:
    from data.panel import Panel


@dataclass(frozen=True)
class Sweep:
    """A sweep's folder and what defines it."""

    folder: SweepFolder
    spec: SweepSpec

    @classmethod
    def create(cls, storage: Path, spec: SweepSpec, panel: Panel) -> Sweep:
        """Make the sweep's folder, whole or not at all; SweepError if the name is taken."""
        folder = SweepFolder(check_name(storage, spec.name))
        unfinished = SweepFolder(storage / f".{spec.name}.tmp")
        shutil.rmtree(unfinished.path, ignore_errors=True)
        unfinished.path.mkdir(parents=True)
        try:
            panel.save(unfinished.data)
            spec.write(unfinished)
            unfinished.path.rename(folder.path)
        except BaseException:
            shutil.rmtree(unfinished.path, ignore_errors=True)
            raise
        return cls(folder, spec)

    @classmethod
    def open(cls, storage: Path, name: str) -> Sweep:
        """Find a sweep by name; SweepError with near names if there is none."""
        folder = SweepFolder((storage / name).absolute())
        if not folder.spec.is_file():
            known = [sweep.name for sweep in sweep_folders(storage)]
            there = f"there are {', '.join(known)}" if known else "there is none yet"
            raise SweepError(f"no sweep named {name!r} in {storage}; {there}{near_names(name, known)}")
        return cls(folder, SweepSpec.read(folder))

    def extended(self, *, trials: int | None, more_seconds: float | None) -> Sweep:
        """The sweep with more trials or more time, written to its folder; SweepError for fewer trials than it has."""
        changes: dict[str, object] = {}
        if trials is not None:
            least = max(1, len(self.folder.trials()))
            if trials < least:
                raise SweepError(f"--trials must be at least {least}, the trials on record, got {trials}")
            check_trials(self.spec.searcher, self.spec.search_space(), trials)
            changes["trials"] = trials
        if more_seconds is not None:
            changes["time_budget_seconds"] = self.seconds_used + more_seconds
        if not changes:
            return self
        spec = self.spec.model_copy(update=changes)
        spec.write(self.folder)
        return Sweep(self.folder, spec)

    @property
    def seconds_used(self) -> float:
        """Seconds of search so far, over all sessions."""
        path = self.folder.clock
        return float(json.loads(path.read_text(encoding="utf-8"))["seconds"]) if path.exists() else 0.0

    @property
    def is_running(self) -> bool:
        """Whether a process holds this sweep; the lock of one that was killed is free."""
        if not self.folder.lock.exists():
            return False  # never run; and looking at a folder must not write into it
        try:
            with FileLock(self.folder.lock, timeout=0):
                return False
        except Timeout:
            return True

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the sweep while it runs; SweepError if another process does."""
        try:
            with FileLock(self.folder.lock, timeout=0):
                yield
        except Timeout as error:
            raise SweepError(f"sweep {self.spec.name} is running in another process; stop that one first") from error

    def leaderboard(self) -> Leaderboard:
        """Rank what is on record now."""
        spec = self.spec
        return Leaderboard.read(
            self.folder, metric=spec.metric, sweep_is_running=self.is_running, initial_name=spec.initial_name
        )

    def unfinished_trials(self) -> int:
        """Trials that are still to be started or to be brought to their end."""
        finished = sum(record.is_finished for record in read_records(self.folder))
        return max(0, self.spec.trials - finished)


def check_name(storage: Path, name: str) -> Path:
    """Return the folder for a new sweep; SweepError if the name is taken or no folder can have it."""
    if not name or name != Path(name).name or name.startswith(".") or any(c in name for c in '<>:"|?*\\'):
        raise SweepError(f"--name must be a plain folder name, got {name!r}")
    folder = (storage / name).absolute()
    if folder.exists():
        raise SweepError(
            f"--name {name} is already used ({folder}); choose another, or go on with: foretune resume {name}"
        )
    return folder


def sweep_folders(storage: Path) -> list[SweepFolder]:
    """The sweeps of a storage folder, oldest first."""
    found = [SweepFolder(path.parent) for path in storage.glob("*/sweep.json")] if storage.is_dir() else []
    return sorted(found, key=lambda folder: folder.spec.stat().st_ctime)
