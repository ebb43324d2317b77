"""Where commands print."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tune.cli.options import STORAGE


def make_console() -> Console:
    """Return the console of stdout: every bracket and colon as it is, and wide enough for a leaderboard where piped."""
    width = None if Console().is_terminal else 160
    return Console(width=width, markup=False, highlight=False, emoji=False)


def command_text(command: str, *words: object, storage: Path) -> str:
    """Return a command as the user can type it: words quoted, and --storage where it is not the default."""
    elsewhere = () if storage.absolute() == STORAGE.absolute() else ("--storage", storage)
    return " ".join(["foretune", command, *(shlex.quote(str(word)) for word in (*words, *elsewhere))])


def print_facts(console: Console, facts: Mapping[str, str]) -> None:
    """Print two columns: names, and what they are."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, value in facts.items():
        table.add_row(name, value)
    console.print(table)
