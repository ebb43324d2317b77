"""The commands that look into a sweep, also while it runs: watch, log."""

from __future__ import annotations

import json
import sys
import time
from typing import Annotated

import typer

from data.errors import UserError, near_names
from tune.cli.console import make_console
from tune.cli.options import Name, Storage, trial_names
from tune.command_text import STORAGE, command_text
from tune.records.journal import Journal, read_record
from tune.records.trial_record import full_id
from tune.sweep import Sweep

HINT = "Ctrl+C leaves this view; the sweep goes on."


def watch(name: Name, storage: Storage = STORAGE) -> None:
    """Show a sweep that runs elsewhere as its own terminal does, until it ends."""
    from tune.cli.live.progress import view_of
    from tune.cli.live.watching import LOOK_SECONDS, Follower
    from tune.cli.tables.sweeps import print_leaderboard

    sweep, console = Sweep.open(storage, name), make_console()
    journal = Journal(sweep.folder)
    view = view_of(sweep, journal, console, hint=HINT)
    try:
        follower = Follower(sweep, journal, view)
        follower.look()
        while follower.is_running:
            time.sleep(LOOK_SECONDS)
            follower.look()
    except KeyboardInterrupt:
        view.close()
        console.print("left; the sweep goes on")
        return
    finally:
        view.close()
    board = sweep.leaderboard()
    print_leaderboard(console, board, sweep.advice(board))
    if (left := sweep.unfinished_trials()) > 0:
        on = command_text("resume", name, storage=storage)
        console.print(f"{name} does not run, with {left} trials to go; go on with: {on}", soft_wrap=True)


def log(
    name: Name,
    trial: Annotated[str | None, typer.Argument(help="A trial; else the best.", autocompletion=trial_names)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For other programs.")] = False,
    storage: Storage = STORAGE,
) -> None:
    """Show a trial epoch by epoch: training beside validation, its rate, its gradients, what it took."""
    from tune.cli.tables.epochs import print_epochs

    sweep = Sweep.open(storage, name)
    there = [folder.trial_id for folder in sweep.folder.trials()]
    if trial is None:
        best = sweep.leaderboard().best
        if best is None:
            others = f"name one: {', '.join(there)}" if there else "it has no other either"
            raise UserError(f"{name} has no trial that has trained for an epoch yet; {others}")
        trial = best.run.trial_id
    trial = full_id(trial, there)
    if trial not in there:
        raise UserError(f"{name} has no trial {trial!r}{near_names(trial, there) or '; see foretune leaderboard'}")
    record = read_record(sweep.folder.trial(trial))
    if as_json:
        sys.stdout.write(json.dumps([report.to_row() for report in record.reports], indent=1) + "\n")
    else:
        print_epochs(make_console(), record, sweep.spec.metric)
