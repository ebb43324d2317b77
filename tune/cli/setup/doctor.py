"""The command doctor: what a machine has, and what is wrong with it for a sweep."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from tune.cli.console import make_console
from tune.cli.options import Storage
from tune.command_text import STORAGE

MARKS = {True: "✓", False: "✗", None: " "}


def doctor(
    quick: Annotated[bool, typer.Option("--quick", help="Without the small sweep, which takes half a minute.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Without asking for the Hub.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For a bug report.")] = False,
    storage: Storage = STORAGE,
) -> None:
    """Look at this machine: Python, GPU, memory, disk, Ray, the Hub; say what is wrong, and what puts it right."""
    from rich.table import Table

    from tune.doctor import examine

    console = make_console()
    with console.status("looking", spinner="dots"):
        findings = list(examine(storage, with_sweep=not quick, online=not offline))
    if as_json:
        sys.stdout.write(json.dumps([finding.to_dict() for finding in findings], indent=1) + "\n")
    else:
        table = Table(box=None, show_header=False, pad_edge=False)
        for _ in range(3):
            table.add_column(overflow="fold")
        for finding in findings:
            is_wrong = finding.is_good is False
            table.add_row(MARKS[finding.is_good], finding.name, finding.found, style="red" if is_wrong else None)
            if finding.remedy:
                table.add_row("", "", f"→ {finding.remedy}", style="bold" if is_wrong else "dim")
        console.print(table)
    wrong = [finding for finding in findings if finding.is_good is False]
    if not as_json:
        console.print(f"{len(wrong)} of {len(findings)} are wrong" if wrong else "all is well: foretune sweep")
    raise typer.Exit(1 if wrong else 0)
