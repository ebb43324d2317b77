"""A search from Python: the command line in a process of its own, watched from this one.

Ray, its signals and a worker that dies stay out of a notebook's process; Ctrl+C, or a notebook's stop button, ends the
search at its last checkpoints.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from data.errors import UserError
from tune.api.frames import Data, data_path
from tune.api.sweep import Sweep
from tune.cli.console import make_console
from tune.cli.live.progress import Progress, view_of
from tune.cli.live.watching import Follower
from tune.command_text import STORAGE, own_command, own_environment
from tune.records.journal import Journal
from tune.sweep import Sweep as SweepOnDisk

INTERRUPTED, NOTHING_TRAINED = 130, 1
LOOK_SECONDS, ENDING_SECONDS = 0.5, 120
HINT = "Interrupting ends the search at its last checkpoints; Sweep.resume() goes on."


class SearchError(UserError):
    """A search that cannot be run as it was asked for; the message is the command line's."""


def search(
    data: Data | None = None,
    space: str | Path = "quickstart",
    *,
    name: str | None = None,
    storage: str | Path = STORAGE,
    settings: Mapping[str, object] | None = None,
    show: bool = True,
    **options: object,
) -> Sweep:
    """Search for the best fine-tune, and return the sweep, also one that was interrupted.

    data: a wide or long DataFrame, a path, a bundled name; None for what the space names. settings: hyperparameters to
    fix or to search otherwise, as --set has them: {"lr": 1e-5, "epochs": "int:2:10"}. options: those of
    `foretune sweep`, such as trials=20, context_length=512, time_budget="2h", id_columns=["store"]; a list is given as
    values with commas, but for start_from and then. show: draw what happens.
    Raises SearchError for what the command line rejects.
    """
    storage = Path(storage)
    name = name or f"{Path(space).stem}-{datetime.now():%Y%m%d-%H%M%S}"
    words = ["sweep", str(space), "--name", name]
    if data is not None:
        words += ["--data", data_path(data, storage)]
    for key, value in (settings or {}).items():
        words += ["--set", f"{key}={value}"]
    run_command(words, name, storage, options, show=show)
    return Sweep(name, storage)


def run_command(words: Sequence[str], name: str, storage: Path, options: Mapping[str, object], *, show: bool) -> None:
    """Run a command that makes or continues a sweep, and show it; SearchError where the command rejects it."""
    command = own_command(*words, "--storage", storage, *_flags(options))
    with TemporaryFile() as output:
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=os.name == "posix",  # a Ctrl+C in this terminal is for this process, which passes it on
            env=own_environment(),
        )
        try:
            _follow(process, (storage / name).absolute(), show)
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=ENDING_SECONDS)
        finally:
            if process.poll() is None:
                process.kill()
        if process.returncode not in (0, NOTHING_TRAINED, INTERRUPTED):
            raise SearchError(_last_words(output))


def _follow(process: subprocess.Popen[bytes], folder: Path, show: bool) -> None:
    """Show a sweep from when its folder is there until its process has ended."""
    follower: Follower | None = None
    view: Progress | None = None
    try:
        while process.poll() is None:
            time.sleep(LOOK_SECONDS)
            if follower is not None:
                follower.look()
            elif show and (folder / "sweep.json").is_file():
                follower, view = _view_of(folder)
        if follower is not None:
            follower.look()
    finally:
        if view is not None:
            view.close()


def _view_of(folder: Path) -> tuple[Follower, Progress]:
    sweep = SweepOnDisk.open(folder.parent, folder.name)
    journal = Journal(sweep.folder)
    view = view_of(sweep, journal, make_console(), hint=HINT)
    return Follower(sweep, journal, view), view


def _flags(options: Mapping[str, object]) -> list[str]:
    """Turn trials=20, futility=False, start_from=["a", "b"] into the words of a command."""
    words: list[str] = []
    for name, value in options.items():
        flag = name.replace("_", "-")
        if value is None:
            continue
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        elif isinstance(value, list | tuple) and name in ("start_from", "then"):
            for each in value:
                words += [f"--{flag}", str(each)]
        else:
            text = ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
            words += [f"--{flag}={text}"]
    return words


def _last_words(output: IO[bytes]) -> str:
    """Return the message that a command ended with."""
    output.seek(0)
    text = output.read().decode(errors="replace").strip()
    _, found, message = text.rpartition("foretune: ")
    return message if found else (text.splitlines() or ["the search ended without a word"])[-1]
