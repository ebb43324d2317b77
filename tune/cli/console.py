"""Where commands print."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from rich.console import Console
from rich.table import Table


def make_console() -> Console:
    """Return the console of stdout."""
    return Console(**console_options())


def console_options() -> dict[str, Any]:
    """Return how a console of stdout is made: every bracket and colon as it is, and wide enough for a leaderboard where
    piped.

    In a notebook without ipywidgets, which a live view needs there, it is one for lines.
    """
    console = Console()
    is_plain = console.is_jupyter and find_spec("ipywidgets") is None
    is_wide = is_plain or not console.is_terminal
    return {
        "width": 160 if is_wide else None,
        "markup": False,
        "highlight": False,
        "emoji": False,
        "force_jupyter": False if is_plain else None,
        "force_terminal": False if is_plain else None,  # a kernel sets FORCE_COLOR, which Rich takes for a terminal
    }


def print_facts(console: Console, facts: Mapping[str, str]) -> None:
    """Print two columns: names, and what they are."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, value in facts.items():
        table.add_row(name, value)
    console.print(table)
