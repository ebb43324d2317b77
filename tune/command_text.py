"""Commands as messages name them: ready to be typed again."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

STORAGE = Path("ray_results")  # where sweeps lie unless --storage says otherwise


def command_text(command: str, *words: object, storage: Path) -> str:
    """Return a command as the user can type it: words quoted, and --storage where it is not the default."""
    elsewhere = () if storage.absolute() == STORAGE.absolute() else ("--storage", storage)
    return " ".join(["foretune", command, *(shlex.quote(str(word)) for word in (*words, *elsewhere))])


def own_command(*words: object) -> list[str]:
    """Return what runs a command in a process of its own; not by the working folder, whose `data` may be another."""
    return [sys.executable, "-P", "-m", "tune", *map(str, words)]


def own_environment() -> dict[str, str]:
    """Return the environment for `own_command`, in which this package is found where it is not installed too."""
    root = str(Path(__file__).resolve().parents[1])
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))}
