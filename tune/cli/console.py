"""Where commands print."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec

from rich.console import Console
from rich.table import Table


def make_console() -> Console:
    """Return the console of stdout: every bracket and colon as it is, and wide enough for a leaderboard where piped.

    In a notebook without ipywidgets, which a live view needs there, it is one for lines.
    """
    width = None if Console().is_terminal else 160
    jupyter = None if find_spec("ipywidgets") else False
    return Console(width=width, markup=False, highlight=False, emoji=False, force_jupyter=jupyter)


def print_facts(console: Console, facts: Mapping[str, str]) -> None:
    """Print two columns: names, and what they are."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, value in facts.items():
        table.add_row(name, value)
    console.print(table)
