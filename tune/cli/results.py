"""The commands on sweeps that are on the disk: status, leaderboard, tensorboard, export."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from data.errors import UserError, near_names
from tune.cli.console import make_console
from tune.cli.options import Name, Storage, UnitsOfErrors, folder, known_units, trial_names
from tune.command_text import STORAGE, command_text
from tune.storage import sweep_folders
from tune.sweep import Sweep


def status(
    name: Annotated[str | None, typer.Argument(help="One sweep; default: all.")] = None,
    timeline: Annotated[bool, typer.Option("--timeline", help="Also show where the time of each went.")] = False,
    storage: Storage = STORAGE,
) -> None:
    """List the sweeps: how far each is, and how it compares with zero-shot."""
    from tune.cli.tables.sweeps import print_status
    from tune.cli.tables.timeline import print_timeline

    folders = sweep_folders(storage) if name is None else [Sweep.open(storage, name).folder]
    if not folders:
        make_console().print(
            f"no sweep in {storage} yet; start one: {command_text('sweep', storage=storage)}", soft_wrap=True
        )
        return
    console, sweeps, damaged = make_console(), [], []
    for sweep in folders:
        try:
            sweeps.append(Sweep.open(sweep.path.parent, sweep.name))
        except UserError as error:
            damaged.append(str(error))
    if sweeps:
        print_status(console, sweeps)
    for shown in sweeps if timeline else ():
        print_timeline(console, shown)
    for message in damaged:
        console.print(f"damaged: {message}", soft_wrap=True)


def leaderboard(
    name: Name,
    format: Annotated[str, typer.Option(help="table, csv, json or md.")] = "table",
    units: UnitsOfErrors = None,
    storage: Storage = STORAGE,
) -> None:
    """Rank a sweep's trials beside zero-shot."""
    from tune.cli.tables.sweeps import print_leaderboard
    from tune.report.leaderboard_text import leaderboard_markdown

    sweep = Sweep.open(storage, name)
    board = sweep.leaderboard_in(known_units(units))
    texts: dict[str, Callable[[], str]] = {
        "csv": board.to_csv,
        "json": lambda: board.to_json(advice=[line.to_dict() for line in sweep.advice(board)]),
        "md": lambda: leaderboard_markdown(board),
    }
    if format == "table":
        print_leaderboard(make_console(), board, sweep.advice(board))
    elif format in texts:
        sys.stdout.write(texts[format]().rstrip("\n") + "\n")
    else:
        raise UserError(f"--format must be table, csv, json or md, got {format!r}{near_names(format, texts)}")


def compare(
    names: Annotated[list[str], typer.Argument(help="Two sweeps or more, over the same series and windows.")],
    metric: Annotated[str, typer.Option(help="val_mase, val_wql or val_mae.")] = "val_mase",
    as_json: Annotated[bool, typer.Option("--json", help="For other programs.")] = False,
    storage: Storage = STORAGE,
) -> None:
    """Rank sweeps over the same series and windows by a measure that compares models."""
    from tune.cli.tables.sweeps import print_comparison
    from tune.comparing import compare_sweeps

    found = compare_sweeps([Sweep.open(storage, name) for name in names], metric)
    if as_json:
        sys.stdout.write(json.dumps(found.to_dict(), indent=1) + "\n")
    else:
        print_comparison(make_console(), found)


def tensorboard(
    name: Name,
    port: Annotated[int, typer.Option(help="Port on this machine; 0 takes a free one.")] = 6006,
    storage: Storage = STORAGE,
) -> None:
    """Compare a sweep's trials in TensorBoard, on this machine only."""
    from tune.report.tensorboard_server import serve

    serve(Sweep.open(storage, name).folder, port=port)


def dashboard(
    name: Name,
    port: Annotated[int, typer.Option(help="Port on this machine; 0 takes a free one.")] = 8080,
    storage: Storage = STORAGE,
) -> None:
    """Show a sweep's study in optuna-dashboard, on this machine only."""
    from tune.report.study_server import serve_study

    serve_study(Sweep.open(storage, name).folder, port=port)


def export(
    name: Name,
    to: Annotated[Path, typer.Option(help="A new folder.", callback=folder)],
    trial: Annotated[
        str | None,
        typer.Option(help="A trial or a blend; else what the verdict says.", autocompletion=trial_names),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Even if the verdict is against it.")] = False,
    storage: Storage = STORAGE,
) -> None:
    """Write a trial's best epoch as a checkpoint in the model's own format."""
    from tune.export.finalize import export as export_checkpoint

    target = export_checkpoint(Sweep.open(storage, name), trial_id=trial, target=to, force=force)
    make_console().print(f"exported to {target}", soft_wrap=True)
