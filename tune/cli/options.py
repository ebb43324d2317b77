"""What the commands' options share: how they are declared, and those that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from data.errors import UserError

DATA, SEARCH, MACHINE = "Data and task", "Search", "Machine"


def option(help_text: str, panel: str, *names: str, **more: Any) -> Any:
    """Declare an option in a panel of `--help`."""
    return typer.Option(*names, help=help_text, rich_help_panel=panel, **more)


def folder(param: typer.CallbackParam, path: Path) -> Path:
    """Make a folder that an option names absolute; reject one that is, or lies in, a file."""
    path = path.expanduser().absolute()
    there = next(parent for parent in (path, *path.parents) if parent.exists())
    if not there.is_dir():
        raise UserError(f"--{param.name} must be a folder, got {path}, and {there} is a file; give another")
    return path


Data = Annotated[str | None, option("File, folder, or the name of a bundled dataset.", DATA)]
Format = Annotated[str | None, option("wide-csv, long-csv, parquet or jsonl; else recognised.", DATA)]
Columns = Annotated[str | None, option("Columns to take, separated by commas.", DATA)]
TimeColumn = Annotated[str | None, option("The column that holds the time.", DATA)]
Storage = Annotated[Path, typer.Option("--storage", help="Folder of the sweeps.", callback=folder)]
Name = Annotated[str, typer.Argument(help="A sweep's name.")]

STORAGE = Path("ray_results")
