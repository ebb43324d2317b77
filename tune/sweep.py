"""One sweep: create, open, extend, hold; and the sweeps of a storage folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout
from pydantic import ValidationError

from data.errors import DataError, UserError, near_names
from tune.command_text import command_text
from tune.leaderboard.leaderboard import Leaderboard
from tune.records.journal import read_records
from tune.records.search_time import SearchTime
from tune.records.spec import MOST_REPEATS, SweepError, SweepSettings, SweepSpec, Units, check_trials
from tune.records.sweep_folder import SweepFolder
from tune.records.trial_record import of_search
from tune.storage import check_name, sweep_folders
from tune.validation_messages import flag_messages
from tune.verdict.advice import Advice, advise

if TYPE_CHECKING:
    from data.panel import Panel
    from tune.verdict.futility import EarlyEnd


_held: set[Path] = set()  # the sweeps that this process holds


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
        return cls(folder, SweepSpec.read(folder).model_copy(update={"name": folder.name}))  # it may be a copy

    def extended(
        self, *, trials: int | None = None, more_seconds: float | None = None, **further: float | None
    ) -> Sweep:
        """The sweep with more trials, more time, repeats or another share of the machine, written to its folder.

        The caller holds it. further: fields of its settings, such as max_concurrent, gpus and repeats; None leaves them
        as they are. Raises SweepError for fewer trials than are on record, and values that cannot be.
        """
        changes: dict[str, object] = {name: value for name, value in further.items() if value is not None}
        if trials is not None:
            least = max(1, len(of_search(read_records(self.folder))))
            if trials < least:
                raise SweepError(f"--trials must be at least {least}, the trials on record, got {trials}")
            check_trials(self.spec.searcher, self.spec.search_space(), trials)
            changes["trials"] = trials
        if more_seconds is not None:
            budget = self.spec.time_budget_seconds
            changes["time_budget_seconds"] = max(budget or 0.0, self.seconds_used) + more_seconds
        if not changes:
            return self
        try:
            SweepSettings.model_validate(changes | {"trials": changes.get("trials", self.spec.trials)})
        except ValidationError as error:
            raise SweepError("\n".join(flag_messages(error))) from error
        spec = self.spec.model_copy(update=changes)
        spec.write(self.folder)
        return Sweep(self.folder, spec)

    def with_repeats(self, *, top: int, seeds: int) -> Sweep:
        """The sweep with these repeats of its best, written to its folder; the caller holds it.

        Raises SweepError for numbers out of range, or where no trial has trained yet.
        """
        for name, value in (("--top", top), ("--seeds", seeds)):
            if not 1 <= value <= MOST_REPEATS:
                raise SweepError(f"{name} must be from 1 to {MOST_REPEATS}, got {value}")
        if self.leaderboard().best is None:
            go_on = command_text("resume", self.spec.name, storage=self.folder.path.parent)
            raise SweepError(f"{self.spec.name} has no trial that has trained for an epoch; go on with: {go_on}")
        return self.extended(repeats=seeds, repeated=top)

    @property
    def seconds_used(self) -> float:
        """Seconds of search so far, over all sessions."""
        return SearchTime.read(self.folder).seconds

    @property
    def time_is_used_up(self) -> bool:
        """Whether its time budget is used up; never without one."""
        budget = self.spec.time_budget_seconds
        return budget is not None and self.seconds_used >= budget

    @property
    def is_running(self) -> bool:
        """Whether another process holds this sweep; the lock of one that was killed is free."""
        if self.folder.path in _held or not self.folder.lock.exists():
            return False  # ours, or never run; and looking at a folder must not write into it
        try:
            with FileLock(self.folder.lock, timeout=0):
                return False
        except Timeout:
            return True
        except OSError:  # another user's folder, or one that is read-only: only who may write can run it
            return _is_locked(self.folder.lock)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the sweep while something is written to it; SweepError if another process does, or it is read-only."""
        lock = FileLock(self.folder.lock, timeout=0)
        try:
            lock.acquire()
        except Timeout as error:
            raise SweepError(f"sweep {self.spec.name} is running in another process; stop that one first") from error
        except OSError as error:
            raise SweepError(
                f"sweep {self.spec.name} cannot be written to ({self.folder.path}: {error.strerror}); copy it to a "
                "folder of your own, and name that with --storage"
            ) from error
        _held.add(self.folder.path)
        try:
            yield
        finally:
            _held.discard(self.folder.path)
            lock.release()

    def panel(self) -> Panel:
        """Return the sweep's series: its own copy or, where that is damaged, the same ones from where they came.

        Raises SweepError if neither can be had.
        """
        from data.panel import Panel  # numpy: a sweep's record is read without it

        try:
            return Panel.load(self.folder.data)
        except DataError as error:
            return self._panel_again(error)

    def repair_data(self) -> None:
        """Write the sweep's copy of its series again if it is damaged. The caller holds it."""
        from data.panel import Panel

        try:
            Panel.load(self.folder.data)
        except DataError as error:
            self._panel_again(error).save(self.folder.data)

    def _panel_again(self, damage: DataError) -> Panel:
        """Read the series from where they came."""
        source = self.spec.data
        try:
            again = source.read()
        except UserError:
            again = None
        if again is None or again.content_hash != source.content_hash:
            now = "cannot be read now" if again is None else "is no longer what the sweep was run on"
            what = str(damage).rsplit("; ", 1)[0]
            raise SweepError(f"{what}, and {source.path}, where it came from, {now}; put back a copy") from damage
        return again

    def reopen_failed(self) -> int:
        """Let the trials that ended in an error be run again; return how many. The caller holds the sweep."""
        failed = [error for trial in self.folder.trials() if (error := trial.error).exists()]
        for error in failed:
            error.unlink()
        return len(failed)

    def leaderboard(self) -> Leaderboard:
        """Rank what is on record now."""
        spec = self.spec
        board = Leaderboard.read(
            self.folder, metric=spec.metric, sweep_is_running=self.is_running, initial_name=spec.initial_name
        )
        return replace(board, units=spec.units)

    def leaderboard_in(self, units: Units | None) -> Leaderboard:
        """Rank what is on record, errors in these units, or in the sweep's own; SweepError where they are not known.

        A sweep of before the errors in the units of the data were recorded has none, and its scaled ones cannot be
        converted: each series has a scale of its own.
        """
        board = self.leaderboard()
        board = board if units is None else replace(board, units=units)
        measured = [line for line in board.trials if line.rank is not None or line.best_epoch is not None]
        if board.units == "data" and measured and all(line.scores.val_data_mae is None for line in measured):
            raise SweepError(
                f"--units data needs errors in the units of the data, and {self.spec.name} is of before they were "
                "recorded; leave it out, or measure its checkpoint in them with foretune evaluate"
            )
        return board

    def advice(self, board: Leaderboard) -> list[Advice]:
        """Say what to try next, from the curves on record."""
        return advise(board, read_records(self.folder), self.spec.search_space())

    def early_end(self) -> EarlyEnd | None:
        """Say why the search is over although trials are left; None where it is not."""
        from tune.verdict.futility import early_end  # scipy, arch: seconds

        return early_end(self.folder, self.spec, read_records(self.folder))

    def unfinished_trials(self) -> int:
        """Trials of the search that are still to be started or to be brought to their end, and repeats after it."""
        records = read_records(self.folder)
        left = max(0, self.spec.trials - sum(record.is_finished for record in of_search(records)))
        repeats = self.spec.repetition
        known = len(repeats.left(records))
        return left + (max(known, self.spec.planned_trials - self.spec.trials) if left else known)


def _is_locked(path: Path) -> bool:
    """Whether a lock is held, without writing to its file; False where that cannot be seen (Windows)."""
    try:
        import fcntl
    except ImportError:
        return False
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
