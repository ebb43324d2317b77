"""The folder of the sweeps: which are there, and whether a new one can be."""

from __future__ import annotations

import os
from pathlib import Path

from pathvalidate import ValidationError, validate_filename

from tune.command_text import command_text
from tune.records.spec import SweepError
from tune.records.sweep_folder import SweepFolder

LONGEST_NAME = 200  # bytes; files beside a sweep's folder are called like it, and a little longer


def check_name(storage: Path, name: str) -> Path:
    """Return the folder for a new sweep; SweepError if the name is taken or no folder can have it."""
    try:
        validate_filename(name, platform="universal", max_len=LONGEST_NAME)
    except ValidationError as error:
        reason = error.description or error.reason.description
        raise SweepError(f"--name must be a plain folder name, got {name!r:.80}: {reason}") from error
    if name.startswith((".", "-")):
        raise SweepError(f"--name must be a plain folder name, got {name!r}: it begins with {name[0]}")
    folder = (storage / name).absolute()
    if folder.exists():
        go_on = command_text("resume", name, storage=storage)
        raise SweepError(f"--name {name} is already used ({folder}); choose another, or go on with: {go_on}")
    return folder


def check_storage(storage: Path) -> None:
    """Reject a storage folder that could not be written, before anything is made; SweepError."""
    there = next(path for path in (storage.absolute(), *storage.absolute().parents) if path.exists())
    if not os.access(there, os.W_OK | os.X_OK):
        raise SweepError(
            f"--storage must be a folder that can hold the sweep, got {storage}: permission denied in {there}"
        )


def sweep_folders(storage: Path) -> list[SweepFolder]:
    """The sweeps of a storage folder, oldest first."""
    found = [SweepFolder(path.parent) for path in storage.glob("*/sweep.json")] if storage.is_dir() else []
    return sorted(found, key=lambda folder: folder.spec.stat().st_ctime)
