"""What the commands sweep and resume do, step by step, and what the user sees of it."""

from __future__ import annotations

import itertools
import logging
import os
import shlex
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import psutil

from data.samples.bundled import SAMPLES
from trainables.timeline import Activity, Timeline
from tune.cli.console import print_facts
from tune.cli.live.progress import Lines, LiveProgress, LogFile, view_of
from tune.cli.live.sweep_state import state_of
from tune.cli.session_console import Output, SessionConsole, session_console
from tune.cli.tables.sweeps import print_leaderboard
from tune.command_text import command_text
from tune.export.finalize import finalize
from tune.export.live_page import LivePage
from tune.export.summary import write_paper_pictures, write_summary
from tune.format import count_text, memory
from tune.leaderboard.leaderboard_file import LeaderboardFile
from tune.planning.request import CheckedRequest, SweepRequest, check_request
from tune.ray_backend.run import resources_of, run_search
from tune.ray_backend.session import begin_ray, wait_for_begun_ray
from tune.records.journal import Journal, read_records
from tune.records.retention import Retention
from tune.records.search_time import Ending, SearchTime
from tune.records.spec import SweepError, Units
from tune.records.sweep_callback import SweepCallback
from tune.registry import own_modules
from tune.report.leaderboard_text import verdict_sentence
from tune.sweep import Sweep

if TYPE_CHECKING:
    from tune.planning.plan import Plan

OK, NO_TRIAL_SUCCEEDED, INTERRUPTED = 0, 1, 130
ALL = Output()
RESTARTED = "FORETUNE_RAY_RESTARTED"  # set in the environment of a process that goes on after Ray has died


def start_sweep(requests: Sequence[CheckedRequest], storage: Path, *, dry_run: bool, output: Output = ALL) -> int:
    """Plan a sweep and those that follow it, run and finish them; return the exit status."""
    if dry_run and output.quiet:
        raise SweepError("--dry-run prints what would be done, and --quiet does not; leave one of them out")
    with _console(output) as console:
        return _start(requests, storage.absolute(), console, dry_run=dry_run)


def _start(requests: Sequence[CheckedRequest], storage: Path, console: SessionConsole, *, dry_run: bool) -> int:
    earlier = [Sweep.open(storage, name) for name in requests[0].typed.start_from]
    if not dry_run and requests[0].settings.max_concurrent != "auto":  # else a plan says how many run at once
        first = requests[0]
        begin_ray(resources_of(first.budget, first.trainable))
    with console.status("reading the data, loading the model"):
        from tune.planning.plan import plan_sweep  # torch: seconds
        from tune.planning.starting_points import EarlierSweep

        if not own_modules(requests[0].trainable):  # code of the user's may go by the working folder
            wait_for_begun_ray()
        on_record = [EarlierSweep(s.spec, s.leaderboard(), read_records(s.folder)) for s in earlier]
        plan, *later = [plan_sweep(each, on_record if each is requests[0] else ()) for each in requests]
    if not dry_run:
        _check_room(plan, storage)
    for each in [plan, *later] if dry_run else [plan]:
        _print_plan(each, console)
    if dry_run:
        return OK
    return _go_on_with_next(*_create_and_run(plan, storage, console), console)


def _print_plan(plan: Plan, console: SessionConsole) -> None:
    from tune.planning.plan import describe_plan

    print_facts(console, describe_plan(plan))
    for note in plan.notes:
        console.print(f"note: {note}")


def _check_room(plan: Plan, storage: Path) -> None:
    """Reject a sweep whose checkpoints would fill the disk; SweepError."""
    there = next(path for path in (storage, *storage.parents) if path.exists())
    needed, free = plan.estimate.disk_bytes if plan.estimate else 0, shutil.disk_usage(there).free
    if needed > free:
        raise SweepError(
            f"--storage must have room for the sweep's checkpoints, up to {memory(needed)}, and {there} has "
            f"{memory(free)} free; make room, name another folder, or keep fewer trials' weights with --keep"
        )


def _create_and_run(plan: Plan, storage: Path, console: SessionConsole) -> tuple[Sweep, int]:
    with _storable(storage):
        sweep = Sweep.create(storage, plan.spec, plan.panel)
    with sweep.held():
        return sweep, _run(sweep, console)


def _go_on_with_next(sweep: Sweep, status: int, console: SessionConsole) -> int:
    """Run the sweep that follows one that is done, from its best, and those after it; return the last exit status."""
    if status != OK or not sweep.spec.then:
        return status
    from tune.planning.plan import plan_sweep  # torch: seconds
    from tune.planning.starting_points import EarlierSweep

    row, *rest = sweep.spec.then
    request, storage = SweepRequest(**row), sweep.folder.path.parent  # type: ignore[arg-type]  # what `asdict` gave
    name = str(request.name)
    console.print(f"\nnow {name}, from the best of {sweep.spec.name}:", style="bold")
    if (storage / name).exists():
        return _go_on_with_next(*_resume(Sweep.open(storage, name), Resumption(), console), console)
    with console.status("reading the data, loading the model"):
        before = EarlierSweep(sweep.spec, sweep.leaderboard(), read_records(sweep.folder))
        plan = plan_sweep(check_request(request), [before])
    plan = replace(plan, spec=plan.spec.model_copy(update={"then": tuple(rest)}))
    _print_plan(plan, console)
    return _go_on_with_next(*_create_and_run(plan, storage, console), console)


@dataclass(frozen=True)
class Resumption:
    """What the user changes of a sweep that goes on; None leaves a thing as it is.

    more_seconds: added to what is left of the time budget. retry_failed: run trials that ended in an error again.
    """

    trials: int | None = None
    more_seconds: float | None = None
    max_concurrent: int | None = None
    gpus: int | None = None
    gpu_memory_bytes: int | None = None
    max_gpu_temp: float | None = None
    max_gpu_power: float | None = None
    retry_failed: bool = False
    futility: bool | None = None
    stop_when_flat: bool | None = None


def resume_sweep(name: str, storage: Path, changes: Resumption, output: Output = ALL) -> int:
    """Go on with a sweep; return the exit status."""
    with _console(output) as console:
        return _go_on_with_next(*_resume(Sweep.open(storage, name), changes, console), console)


def _resume(sweep: Sweep, changes: Resumption, console: SessionConsole) -> tuple[Sweep, int]:
    with sweep.held():
        sweep = sweep.extended(
            trials=changes.trials,
            more_seconds=changes.more_seconds,
            max_concurrent=changes.max_concurrent,
            gpus=changes.gpus,
            gpu_memory_bytes=changes.gpu_memory_bytes,
            max_gpu_temp=changes.max_gpu_temp,
            max_gpu_power=changes.max_gpu_power,
            futility=changes.futility,
            stop_when_flat=changes.stop_when_flat,
        )
        if changes.retry_failed:
            console.print(f"{sweep.reopen_failed()} failed trials are run again")
        if sweep.unfinished_trials() == 0:
            console.print(f"all {sweep.spec.trials} trials of {sweep.spec.name} have ended; --trials N extends it")
            return sweep, _finish(sweep, console, Ending.FINISHED)
        if sweep.time_is_used_up:
            return sweep, _finish(sweep, console, Ending.TIME_BUDGET)
        if (over := sweep.early_end()) is not None:
            return sweep, _finish(sweep, console, over.ending)
        _prepare(sweep, console)
        return sweep, _run(sweep, console)


def repeat_best(name: str, storage: Path, *, top: int, seeds: int) -> int:
    """Train the best again with other seeds, decide again; return the exit status."""
    sweep = Sweep.open(storage, name)
    with _console() as console, sweep.held():
        sweep = sweep.with_repeats(top=top, seeds=seeds)
        if not sweep.spec.repetition.left(read_records(sweep.folder)):
            console.print(f"the best of {name} have been repeated {count_text(seeds, 'time')}; --seeds N repeats on")
            return _finish(sweep, console, Ending.FINISHED)
        _prepare(sweep, console)
        return _run(sweep, console, repeats_alone=True)


def finish_sweep(name: str, storage: Path) -> int:
    """Score, export and report what a sweep has found so far; return the exit status."""
    sweep = Sweep.open(storage, name)
    with _console() as console, sweep.held():
        return _finish(sweep, console, SearchTime.read(sweep.folder).ended or Ending.INTERRUPTED)


def report_sweep(name: str, storage: Path, pictures: Mapping[str, Path], units: Units | None = None) -> int:
    """Write the leaderboard and the report of what a sweep has found so far, also of one that runs.

    pictures: by their format, png or svg, the folder into which they are written too. units: of errors, None for those
    of the sweep.
    """
    sweep = Sweep.open(storage, name)
    board = write_summary(sweep, units)
    with _console() as console:
        console.print(f"report: {sweep.folder.report}", soft_wrap=True)
        for format, written in (write_paper_pictures(sweep, board, pictures) if pictures else {}).items():
            names = ", ".join(path.name for path in written)
            console.print(f"{format}: {pictures[format]}: {names}", soft_wrap=True)
    return OK


def _prepare(sweep: Sweep, console: SessionConsole) -> None:
    """Check that what a sweep needs is still there; raises a UserError."""
    with console.status("reading the data, loading the model"):
        from tune.registry import find_trainable  # torch: seconds

        sweep.repair_data()
        find_trainable(sweep.spec.trainable)


@contextmanager
def _storable(storage: Path) -> Iterator[None]:
    """Report a storage folder that cannot be written as the user's mistake."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise SweepError(f"--storage must be a folder that can hold the sweep, got {storage}: {reason}") from error


@contextmanager
def _console(output: Output = ALL) -> Iterator[SessionConsole]:
    """Where a sweep prints, with the libraries below it silent: what they warn of, we report."""
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")  # read when it is imported; the level below holds after that
    for name in ("huggingface_hub", "filelock", "alembic", "optuna"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with session_console(output) as console:
        yield console


def _run(sweep: Sweep, console: SessionConsole, *, repeats_alone: bool = False) -> int:
    timeline, began = Timeline(sweep.folder.timeline), _session_begins()
    timeline.write(Activity.SESSION, began, None)
    try:
        ending = run_search(
            sweep,
            lambda journal: _callbacks(sweep, journal, console),
            lambda dead: _go_on_without(dead, sweep, console),
            repeats_alone=repeats_alone,
        )
        with timeline.of(Activity.CONCLUSION):
            if ending is Ending.INTERRUPTED:
                return _print_interrupted(sweep, console)
            return _finish(sweep, console, ending)
    finally:
        timeline.write(Activity.SESSION, began, time.time())


_sessions_here = itertools.count()  # of this process


def _session_begins() -> float:
    """Return when a session began, in seconds since 1970: the first with its process."""
    if next(_sessions_here) or RESTARTED in os.environ:
        return time.time()
    return psutil.Process().create_time()


def _go_on_without(dead: str, sweep: Sweep, console: SessionConsole) -> NoReturn:
    """Become `foretune resume`, once: this process's own part of Ray cannot be ended any more. Else exit."""
    name, storage = sweep.spec.name, sweep.folder.path.parent
    if RESTARTED in os.environ or os.name != "posix":
        console.result(
            f"Ray has died ({dead}); go on with: {command_text('resume', name, storage=storage)}", soft_wrap=True
        )
        sys.stdout.flush()
        os._exit(INTERRUPTED)
    console.print(f"Ray has died ({dead}); starting it again, and going on")
    sys.stdout.flush()
    os.environ[RESTARTED] = "1"
    program = sys.orig_argv[: len(sys.orig_argv) - len(sys.argv) + 1]
    os.execv(sys.executable, [*program, "resume", name, "--storage", str(storage), *console.output.flags()])


def _callbacks(sweep: Sweep, journal: Journal, console: SessionConsole) -> list[SweepCallback]:
    from tune.report.tensorboard.callback import TensorBoardCallback
    from tune.report.tensorboard.step_curves import StepCurves

    by_step = [StepCurves(journal, sweep.spec.search_space())] if sweep.spec.log_every else []
    return [
        *by_step,
        Retention(journal, sweep.spec.keep or None),
        LeaderboardFile(sweep.spec, journal),
        TensorBoardCallback(journal, sweep.spec.search_space()),
        LogFile(sweep.folder.log, journal, state_of(sweep)),
        *_views(sweep, journal, console),
        LivePage(sweep.folder),
    ]


def _views(sweep: Sweep, journal: Journal, console: SessionConsole) -> list[SweepCallback]:
    """Show what happens on the console, and write it into the user's log file: beside a live view by itself."""
    view = view_of(sweep, journal, console)
    is_live = isinstance(view, LiveProgress)
    write = console.write_line if is_live else None
    return [view] if write is None else [view, Lines(write, journal, state_of(sweep))]


def _print_interrupted(sweep: Sweep, console: SessionConsole) -> int:
    board = write_summary(sweep)
    print_leaderboard(console, board, sweep.advice(board))
    console.print(f"report: {sweep.folder.report}", soft_wrap=True)
    left, name, storage = sweep.unfinished_trials(), sweep.spec.name, sweep.folder.path.parent
    console.result(
        f"interrupted with {left} trials to go; go on with: {command_text('resume', name, storage=storage)}, "
        f"or score and export what is there: {command_text('finish', name, storage=storage)}",
        soft_wrap=True,
    )
    return INTERRUPTED


def _finish(sweep: Sweep, console: SessionConsole, ending: Ending) -> int:
    with console.status("scoring the best on the test part, exporting the winner"):
        board = finalize(sweep)
    print_leaderboard(console, board, sweep.advice(board))
    console.repeat_if_quiet(verdict_sentence(board))
    name, storage = sweep.spec.name, sweep.folder.path.parent
    if ending is Ending.TIME_BUDGET:
        more = command_text("resume", name, "--time-budget", "1h", storage=storage)
        console.print(f"the time budget is used up; more: {more}", soft_wrap=True)
    if (over := sweep.early_end()) is not None:
        flag = "--no-futility" if over.ending is Ending.FUTILE else "--no-stop-when-flat"
        on = command_text("resume", name, flag, storage=storage)
        console.print(f"the search ended early: {over.text}; go on all the same: {on}", soft_wrap=True)
    if board.best is None:
        for record in read_records(sweep.folder):
            if record.error:
                console.result(f"{record.trial_id} failed: {record.error.strip().splitlines()[-1]}")
                break
        return NO_TRIAL_SUCCEEDED
    if exported := sweep.folder.best.is_dir():
        console.result(f"best checkpoint: {sweep.folder.best}", soft_wrap=True)
    console.print(f"report: {sweep.folder.report}", soft_wrap=True)
    _print_next_commands(sweep, console, exported=exported)
    return OK


def _print_next_commands(sweep: Sweep, console: SessionConsole, *, exported: bool) -> None:
    name, storage = sweep.spec.name, sweep.folder.path.parent
    commands = [
        command_text("tensorboard", name, storage=storage),
        command_text("resume", name, "--trials", sweep.spec.trials * 2, storage=storage),
    ]
    if recommended := sweep.spec.search_space().recommended_space:
        on_bundled_data = Path(sweep.spec.data.path) in [path.resolve() for path in SAMPLES.values()]
        data = "YOUR_DATA" if on_bundled_data else sweep.spec.data.path
        night = ("--data", data, "--time-budget", "2h", "--repeats", "3", "--name", "night1")
        commands.append(command_text("sweep", recommended, *night, storage=storage))
    elif exported:
        from tune.registry import is_registered  # torch: seconds

        trust = () if is_registered(sweep.spec.trainable) else ("--trust", sweep.spec.trainable)
        commands.append(shlex.join(["foretune", "evaluate", str(sweep.folder.best), *trust, "--csv", "per_series.csv"]))
    console.print("\nnext:", style="bold")
    for command in commands:
        console.print(f"  {command}", soft_wrap=True)
