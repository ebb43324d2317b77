"""What the commands that run sweeps do, step by step, and what a person sees of it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from rich.console import Console

from search_spaces.space import load_space
from tune.finish import LeaderboardFile, finish_sweep
from tune.journal import Journal
from tune.plan import Request, check_space, describe_plan, plan_sweep
from tune.progress import LiveProgress, PlainProgress, SweepState
from tune.sweep import Ending, Sweep, check_name, run_search
from tune.views import make_console, print_facts, print_leaderboard

OK, NO_TRIAL_SUCCEEDED, INTERRUPTED = 0, 1, 130


def start_sweep(request: Request, storage: Path, *, dry_run: bool) -> int:
    """Plan a sweep, run it, finish it; return the exit status."""
    console = _console()
    if request.name is not None:
        check_name(storage, request.name)
    with console.status("reading the data, loading the model"):
        plan = plan_sweep(request)
    print_facts(console, describe_plan(plan))
    for note in (*plan.panel.notes, *plan.space.notes):
        console.print(f"note: {note}", highlight=False)
    if dry_run:
        return OK
    return _run(Sweep.create(storage, plan.spec, plan.panel), console)


def resume_sweep(name: str, storage: Path, *, trials: int | None, more_seconds: float | None) -> int:
    """Go on with a sweep; return the exit status."""
    console = _console()
    sweep = Sweep.open(storage, name).extended(trials=trials, more_seconds=more_seconds)
    if sweep.unfinished_trials() == 0 and not sweep.is_running:
        console.print(f"all {sweep.spec.trials} trials of {name} have ended; --trials N extends it", highlight=False)
        return _finish(sweep, console, "finished")
    return _run(sweep, console)


def check_space_file(file: str) -> str:
    """Check a space's syntax and its keys against its model; return what to tell."""
    space = load_space(file)
    check_space(space, Path(file))
    return f"{file}: a space for {space.trainable}, {len(space.parameters())} parameters searched, no mistakes"


def _console() -> Console:
    for name in ("huggingface_hub", "filelock", "alembic", "optuna"):
        logging.getLogger(name).setLevel(logging.ERROR)
    return make_console()


def _run(sweep: Sweep, console: Console) -> int:
    ending = run_search(sweep, lambda journal: _observers(sweep, journal, console))
    return _tell_interrupted(sweep, console) if ending == "interrupted" else _finish(sweep, console, ending)


def _observers(sweep: Sweep, journal: Journal, console: Console) -> list[Any]:
    import time

    from tune.tensorboard import TensorBoardObserver

    budget = sweep.spec.time_budget_seconds
    state = SweepState(
        name=sweep.spec.name,
        metric=sweep.spec.metric,
        total=sweep.spec.trials,
        deadline=None if budget is None else time.monotonic() + budget - sweep.seconds_used,
    )
    progress = LiveProgress if console.is_terminal else PlainProgress
    return [
        LeaderboardFile(sweep, journal),
        TensorBoardObserver(sweep.folder, sweep.spec.search_space(), journal=journal),
        progress(console, journal, state),
    ]


def _tell_interrupted(sweep: Sweep, console: Console) -> int:
    print_leaderboard(console, sweep.leaderboard())
    left = sweep.unfinished_trials()
    console.print(
        f"interrupted with {left} trials to go; go on with: foretune resume {sweep.spec.name}", highlight=False
    )
    return INTERRUPTED


def _finish(sweep: Sweep, console: Console, ending: Ending) -> int:
    with console.status("scoring the best on the test part, exporting the winner"):
        board = finish_sweep(sweep)
    print_leaderboard(console, board)
    if board.best is None:
        for record in Journal(sweep.folder).read():
            if record.error:
                console.print(f"{record.trial_id} failed: {record.error.strip().splitlines()[-1]}", highlight=False)
                break
        return NO_TRIAL_SUCCEEDED
    name = sweep.spec.name
    if ending == "time budget":
        console.print(f"the time budget is used up; more: foretune resume {name} --time-budget 1h", highlight=False)
    if board.beats_zero_shot:
        console.print(f"best checkpoint: {sweep.folder / 'best'}", highlight=False, soft_wrap=True)
    console.print(f"report: {sweep.folder / 'report.html'}", highlight=False, soft_wrap=True)
    _say_next(sweep, console)
    return OK


def _say_next(sweep: Sweep, console: Console) -> None:
    name = sweep.spec.name
    console.print("\nnext:", style="bold")
    for command in (
        f"foretune tensorboard {name}",
        f"foretune resume {name} --trials {sweep.spec.trials * 2}",
        "foretune sweep moirai-small-head-only --data your.csv --time-budget 2h --name night1",
    ):
        console.print(f"  {command}", highlight=False, soft_wrap=True)
