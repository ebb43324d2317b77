"""The command line: which commands there are, and how a mistake or Ctrl+C ends."""

from __future__ import annotations

import atexit
import errno
import logging
import os
import sys
from contextlib import suppress
from typing import Any, NoReturn

import typer

from data.errors import UserError, without_controls
from data.files import NO_ROOM
from tune.cli.group import LazyCommand, LazyGroup

MISTAKE, INTERRUPTED = 2, 130
COMPLETION = "_FORETUNE_COMPLETE"  # in the environment; by Typer's rule for the program's name
OF_THE_DISK = (*NO_ROOM, errno.EROFS, errno.EIO)

COMMANDS = {
    "init": LazyCommand(
        "tune.cli.setup.init:init", "Look at your data, and write a commented file of options for a sweep over them."
    ),
    "sweep": LazyCommand(
        "tune.cli.sweeps:sweep",
        "Search for the best fine-tune; without arguments, a small one on bundled data that needs no network.",
    ),
    "resume": LazyCommand(
        "tune.cli.sweeps:resume", "Go on with a sweep that was stopped, killed or finished; nothing is run twice."
    ),
    "repeat": LazyCommand(
        "tune.cli.sweeps:repeat", "Train a sweep's best again with other seeds, and decide by their means."
    ),
    "finish": LazyCommand(
        "tune.cli.sweeps:finish",
        "Score a stopped sweep's best on the test part and export the winner, without searching on.",
    ),
    "report": LazyCommand(
        "tune.cli.sweeps:report",
        "Write report.html and leaderboard.csv of what a sweep has found so far, also while it runs.",
    ),
    "status": LazyCommand(
        "tune.cli.results:status", "List the sweeps: how far each is, and how it compares with zero-shot."
    ),
    "watch": LazyCommand(
        "tune.cli.watching:watch", "Show a sweep that runs elsewhere as its own terminal does, until it ends."
    ),
    "leaderboard": LazyCommand("tune.cli.results:leaderboard", "Rank a sweep's trials beside zero-shot."),
    "log": LazyCommand(
        "tune.cli.watching:log",
        "Show a trial epoch by epoch: training beside validation, its rate, its gradients, what it took.",
    ),
    "compare": LazyCommand(
        "tune.cli.results:compare", "Rank sweeps over the same series and windows by a measure that compares models."
    ),
    "tensorboard": LazyCommand(
        "tune.cli.results:tensorboard", "Compare a sweep's trials in TensorBoard, on this machine only."
    ),
    "dashboard": LazyCommand(
        "tune.cli.results:dashboard", "Show a sweep's study in optuna-dashboard, on this machine only."
    ),
    "export": LazyCommand(
        "tune.cli.results:export", "Write a trial's best epoch as a checkpoint in the model's own format."
    ),
    "evaluate": LazyCommand(
        "tune.cli.forecasts:evaluate",
        "Measure a checkpoint: MAE, MSE and RMSE in the units of the data, by horizon step and by series.",
    ),
    "predict": LazyCommand(
        "tune.cli.forecasts:predict",
        "Forecast series from the rows before a time, and write, print or draw what comes.",
    ),
    "serve": LazyCommand(
        "tune.cli.serving:serve", "Answer requests for forecasts over HTTP with a checkpoint, on this machine only."
    ),
    "completion": LazyCommand(
        "tune.cli.setup.completion:completion",
        "Print what makes a shell complete commands, options, sweeps and spaces.",
    ),
    "doctor": LazyCommand(
        "tune.cli.setup.doctor:doctor",
        "Look at this machine: Python, GPU, memory, disk, Ray, the Hub; say what is wrong, and what puts it right.",
    ),
    "spaces": LazyCommand("tune.cli.spaces:spaces_app", "List, show and check search spaces."),
    "data": LazyCommand("tune.cli.data:data_app", "Make series out of other records, and samples to try it on."),
}


class _StopError(Exception):
    """Ctrl+C outside a search, which ends in its own way."""


class _Commands(LazyGroup):
    """Lets Ctrl+C through to `main`: Typer would make a silent exit of it."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise _StopError from error


app = _Commands(
    "foretune",
    COMMANDS,
    help="Find the best fine-tune of a time-series foundation model on one GPU, never worse than zero-shot.",
)


def run() -> NoReturn:
    """Run the command line and end the process, without taking down torch and pandas piece by piece: over a second."""
    try:
        main()
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        atexit._run_exitfuncs()
        logging.shutdown()
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):  # nobody reads it any more
                stream.flush()
        os._exit(status)
    raise AssertionError("main ends with SystemExit")


def main() -> None:
    """Run the command line; a user's mistake is one message on stderr and exit 2."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    if sys.argv[1:] == ["--version"]:
        from importlib.metadata import version

        sys.stdout.write(f"foretune {version('foretune')}\n")
        sys.exit(0)
    if COMPLETION in os.environ:  # the shell asks what could come next
        from typer._completion_classes import completion_init

        completion_init()
    try:
        sys.exit(app(sys.argv[1:] or ["--help"], prog_name="foretune", standalone_mode=False))
    except UserError as error:
        _print_message(str(error), colour="red")
        sys.exit(MISTAKE)
    except typer.TyperException as error:
        _print_message(_usage(error), colour="red")
        sys.exit(MISTAKE)
    except BrokenPipeError:  # whoever read us, such as head, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes it once more at its end
        sys.exit(MISTAKE)
    except OSError as error:
        if error.filename is None and error.errno not in OF_THE_DISK:
            raise
        _print_message(_system_error(error), colour="red")
        sys.exit(MISTAKE)
    except _StopError:
        _print_message("stopped; what was on record stays: foretune status")
        sys.exit(INTERRUPTED)


def _print_message(message: str, *, colour: str | None = None) -> None:
    """Print on stderr, with control characters written out; in colour on a terminal alone."""
    in_colour = True if os.environ.get("FORCE_COLOR") else False if os.environ.get("NO_COLOR") else None
    typer.secho(f"foretune: {without_controls(message)}", fg=colour, err=True, color=in_colour)


def _system_error(error: OSError) -> str:
    """Say what the system did not let us do, and to which file."""
    where = error.filename2 or error.filename
    reason = error.strerror or str(error)
    place = "" if where is None else f"{where}: "
    return f"{place}{reason}; check the folder, its permissions and the room on its disk, and try again"


def _usage(error: typer.TyperException) -> str:
    """Say what is wrong with the command line itself, and where to look."""
    message, cause, param = error.format_message(), error.__cause__, getattr(error, "param", None)
    if cause is not None and param is not None:
        from pydantic import ValidationError

        from tune.validation_messages import validation_messages

        if isinstance(cause, ValidationError):
            message = f"{param.opts[0]} {', '.join(validation_messages(cause).values())}"
    if setting := _setting_of(getattr(error, "option_name", "")):
        return f"{message.partition(' (')[0].rstrip('.')}: it is searched; fix it with --set {setting}=VALUE"
    context = getattr(error, "ctx", None)
    where = f"{context.command_path} --help" if context is not None else "foretune --help"
    return f"{message.rstrip('.')}{'' if message.endswith('?') else ';'} see {where}"


def _setting_of(option: str) -> str | None:
    """Return the parameter of a space that an option which is none is meant for: lr for --learning-rate."""
    from search_spaces.parameter_names import COMMON_NAMES

    name = option.lstrip("-").replace("-", "_")
    name = COMMON_NAMES.get(name, name)
    return name if name in COMMON_NAMES.values() else None
