"""Where a session of a sweep prints: on the terminal all of it or the results alone, and into a file of the user's."""

from __future__ import annotations

import logging
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console, NewLine
from rich.control import Control

from data.errors import UserError
from data.files import expand
from tune.cli.console import console_options

TIME = "%Y-%m-%d %H:%M:%S"
WIDE = 10_000  # columns of the file: no line is broken


@dataclass(frozen=True)
class Output:
    """What the user wants to see.

    quiet: the verdict, the best checkpoint and errors alone. log_file: absolute; gets every line, also if it is quiet.
    """

    quiet: bool = False
    log_file: Path | None = None

    @classmethod
    def of(cls, quiet: bool, log_file: Path | None) -> Output:
        """Take what was typed; the file's path becomes absolute."""
        return cls(quiet, None if log_file is None else expand(log_file).absolute())

    def flags(self) -> list[str]:
        """Return the words of a command that ask for it."""
        file = [] if self.log_file is None else ["--log-file", str(self.log_file)]
        return ["--quiet"] * self.quiet + file


class SessionConsole(Console):
    """Prints on the terminal, or results alone where it is quiet; each line goes into the log file with its time."""

    def __init__(self, output: Output, **options: Any) -> None:
        super().__init__(**options)
        self.output = output
        self.quiet = output.quiet
        self._lines = Console(width=WIDE, markup=False, highlight=False, emoji=False, no_color=True)

    @property
    def write_line(self) -> Callable[[str], None] | None:
        """What writes a line into the log file alone; None without one."""
        return None if self.output.log_file is None else self._log

    def print(self, *objects: Any, **options: Any) -> None:
        """Print as Console does, and write the same into the log file, as plain text."""
        super().print(*objects, **options)
        is_drawing = any(isinstance(each, Control | NewLine) for each in objects)  # of a live view
        if self.output.log_file is not None and not is_drawing:
            with self._lines.capture() as printed:
                self._lines.print(*objects, **{**options, "soft_wrap": False})
            self._log(printed.get())

    def repeat_if_quiet(self, text: str) -> None:
        """Show a line that was printed, and is in the log file, but was not seen."""
        if self.output.quiet:
            self.quiet = False
            super().print(text, soft_wrap=True)
            self.quiet = True

    def result(self, *objects: Any, **options: Any) -> None:
        """Print what is shown also where it is quiet."""
        self.quiet = False
        try:
            self.print(*objects, **options)
        finally:
            self.quiet = self.output.quiet

    def _log(self, text: str) -> None:
        assert self.output.log_file is not None
        lines = [line.rstrip() for line in text.splitlines()]
        with self.output.log_file.open("a", encoding="utf-8") as file:
            file.writelines(f"{datetime.now():{TIME}} {line}\n" for line in lines if line)


@contextmanager
def session_console(output: Output) -> Iterator[SessionConsole]:
    """Make the console of a session; UserError where its log file cannot be written.

    What is logged meanwhile, and the message of a UserError that ends it, are in the file too.
    """
    if output.log_file is not None:
        _check_log_file(output.log_file)
    console = SessionConsole(output, **console_options())
    handler = None if output.log_file is None else logging.FileHandler(output.log_file, encoding="utf-8", delay=True)
    if handler is not None:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", TIME))
        logging.getLogger().addHandler(handler)
    try:
        yield console
    except UserError as error:
        if (write := console.write_line) is not None:
            write(f"ERROR {error}")
        raise
    finally:
        if handler is not None:
            logging.getLogger().removeHandler(handler)
            handler.close()


def _check_log_file(path: Path) -> None:
    try:
        if path.exists() and not path.is_file() and not stat.S_ISCHR(path.stat().st_mode):
            raise UserError(f"--log-file must be a file, got {path}; name another")
        with path.open("a", encoding="utf-8"):
            pass
    except OSError as error:
        raise UserError(
            f"--log-file must be a file that can be written, got {path}: {error.strerror or error}; name another"
        ) from error
