"""Commands as messages name them: ready to be typed again."""

from __future__ import annotations

import shlex
from pathlib import Path

STORAGE = Path("ray_results")  # where sweeps lie unless --storage says otherwise


def command_text(command: str, *words: object, storage: Path) -> str:
    """Return a command as the user can type it: words quoted, and --storage where it is not the default."""
    elsewhere = () if storage.absolute() == STORAGE.absolute() else ("--storage", storage)
    return " ".join(["foretune", command, *(shlex.quote(str(word)) for word in (*words, *elsewhere))])
