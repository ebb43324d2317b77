"""What the commands sweep and resume do, step by step, and what the user sees of it."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from tune.cli.console import make_console, print_facts
from tune.cli.progress import LiveProgress, PlainProgress
from tune.cli.sweep_state import SweepState
from tune.cli.tables import print_leaderboard
from tune.export.finalize import finalize
from tune.ray_backend.run import Ending, run_search
from tune.records.journal import Journal, read_records
from tune.records.leaderboard_file import LeaderboardFile
from tune.records.spec import SweepError
from tune.records.sweep_callback import SweepCallback
from tune.sweep import Sweep, check_name

if TYPE_CHECKING:
    from tune.planning.plan import SweepRequest

OK, NO_TRIAL_SUCCEEDED, INTERRUPTED = 0, 1, 130


def start_sweep(request: SweepRequest, storage: Path, *, dry_run: bool) -> int:
    """Plan a sweep, run it, finish it; return the exit status."""
    console = _console()
    if request.name is not None:
        with _storable(storage):
            check_name(storage, request.name)
    with console.status("reading the data, loading the model"):
        from tune.planning.plan import describe_plan, plan_sweep  # torch: seconds

        plan = plan_sweep(request)
        facts = describe_plan(plan)
    print_facts(console, facts)
    for note in plan.notes:
        console.print(f"note: {note}")
    if dry_run:
        return OK
    with _storable(storage):
        sweep = Sweep.create(storage, plan.spec, plan.panel)
    return _run(sweep, console)


def resume_sweep(name: str, storage: Path, *, trials: int | None, more_seconds: float | None) -> int:
    """Go on with a sweep; return the exit status."""
    console = _console()
    sweep = Sweep.open(storage, name).extended(trials=trials, more_seconds=more_seconds)
    if sweep.unfinished_trials() == 0 and not sweep.is_running:
        console.print(f"all {sweep.spec.trials} trials of {name} have ended; --trials N extends it")
        return _finish(sweep, console, "finished")
    return _run(sweep, console)


@contextmanager
def _storable(storage: Path) -> Iterator[None]:
    """Report a storage folder that cannot be written as the user's mistake."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise SweepError(f"--storage must be a folder that can hold the sweep, got {storage}: {reason}") from error


def _console() -> Console:
    """Where a sweep prints, with the libraries below it silent: what they warn of, we report."""
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")  # read when it is imported; the level below holds after that
    for name in ("huggingface_hub", "filelock", "alembic", "optuna"):
        logging.getLogger(name).setLevel(logging.ERROR)
    return make_console()


def _run(sweep: Sweep, console: Console) -> int:
    ending = run_search(sweep, lambda journal: _callbacks(sweep, journal, console))
    return _print_interrupted(sweep, console) if ending == "interrupted" else _finish(sweep, console, ending)


def _callbacks(sweep: Sweep, journal: Journal, console: Console) -> list[SweepCallback]:
    from tune.report.tensorboard import TensorBoardCallback

    budget = sweep.spec.time_budget_seconds
    state = SweepState(
        name=sweep.spec.name,
        metric=sweep.spec.metric,
        total=sweep.spec.trials,
        deadline=None if budget is None else time.monotonic() + budget - sweep.seconds_used,
        initial_name=sweep.spec.initial_name,
        searched=tuple(sweep.spec.search_space().parameters()),
    )
    progress = LiveProgress if console.is_terminal else PlainProgress
    return [
        LeaderboardFile(sweep.spec, journal),
        TensorBoardCallback(journal, sweep.spec.search_space()),
        progress(console, journal, state),
    ]


def _print_interrupted(sweep: Sweep, console: Console) -> int:
    print_leaderboard(console, sweep.leaderboard())
    left = sweep.unfinished_trials()
    console.print(f"interrupted with {left} trials to go; go on with: foretune resume {sweep.spec.name}")
    return INTERRUPTED


def _finish(sweep: Sweep, console: Console, ending: Ending) -> int:
    with console.status("scoring the best on the test part, exporting the winner"):
        board = finalize(sweep)
    print_leaderboard(console, board)
    if board.best is None:
        for record in read_records(sweep.folder):
            if record.error:
                console.print(f"{record.trial_id} failed: {record.error.strip().splitlines()[-1]}")
                break
        return NO_TRIAL_SUCCEEDED
    name = sweep.spec.name
    if ending == "time budget":
        console.print(f"the time budget is used up; more: foretune resume {name} --time-budget 1h")
    if board.beats_initial:
        console.print(f"best checkpoint: {sweep.folder.best}", soft_wrap=True)
    console.print(f"report: {sweep.folder.report}", soft_wrap=True)
    _print_next_commands(sweep, console, exported=board.beats_initial)
    return OK


def _print_next_commands(sweep: Sweep, console: Console, *, exported: bool) -> None:
    name = sweep.spec.name
    commands = [f"foretune tensorboard {name}", f"foretune resume {name} --trials {sweep.spec.trials * 2}"]
    if recommended := sweep.spec.search_space().recommended_space:
        commands.append(f"foretune sweep {recommended} --data YOUR_DATA --time-budget 2h --name night1")
    elif exported:
        commands.append(f"foretune evaluate {sweep.folder.best} --csv per_series.csv")
    console.print("\nnext:", style="bold")
    for command in commands:
        console.print(f"  {command}", soft_wrap=True)
