"""The command line: arguments in, text out; nothing is decided here."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text
from typer.core import TyperGroup

from data.errors import UserError, near_names
from tune.cli.data import data_app
from tune.cli.forecasts import evaluate, predict
from tune.cli.options import DATA, Columns, Data, Format, TimeColumn, folder, option
from tune.cli.spaces import spaces_app

MISTAKE, INTERRUPTED = 2, 130


class _StopError(Exception):
    """Ctrl+C outside a search, which ends in its own way."""


class _Commands(TyperGroup):
    """Lets Ctrl+C through to `main`: Typer would make a silent exit of it."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise _StopError from error


app = typer.Typer(
    name="foretune",
    cls=_Commands,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Find the best fine-tune of a time-series foundation model on one GPU, never worse than zero-shot.",
)
app.add_typer(spaces_app, name="spaces")
app.add_typer(data_app, name="data")


Storage = Annotated[
    Path,
    typer.Option("--storage", help="Folder of the sweeps.", callback=folder),
]
Name = Annotated[str, typer.Argument(help="A sweep's name.")]
STORAGE = Path("ray_results")
SEARCH, MACHINE = "Search", "Machine"


def main() -> None:
    """Run the command line; a person's mistake is one message on stderr and exit 2."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        sys.exit(app(sys.argv[1:] or ["--help"], prog_name="foretune", standalone_mode=False))
    except UserError as error:
        _tell(str(error), style="red")
        sys.exit(MISTAKE)
    except typer.TyperException as error:
        _tell(_usage(error), style="red")
        sys.exit(MISTAKE)
    except _StopError:
        _tell("stopped; what was on record stays: foretune status")
        sys.exit(INTERRUPTED)


def _tell(message: str, *, style: str = "") -> None:
    """Write to stderr, unwrapped and with every bracket as it is."""
    Console(stderr=True).print(Text(f"foretune: {message}", style=style), soft_wrap=True)


def _usage(error: typer.TyperException) -> str:
    """Say what is wrong with the command line itself, and where to look."""
    message, cause, param = error.format_message(), error.__cause__, getattr(error, "param", None)
    if cause is not None and param is not None:
        from pydantic import ValidationError

        from tune.validation_messages import refusals

        if isinstance(cause, ValidationError):
            message = f"{param.opts[0]} {', '.join(refusals(cause).values())}"
    context = getattr(error, "ctx", None)
    where = f"{context.command_path} --help" if context is not None else "foretune --help"
    return f"{message.rstrip('.')}{'' if message.endswith('?') else ';'} see {where}"


@app.command()
def sweep(
    space: Annotated[str, typer.Argument(help="A shipped search space, or a YAML file of your own.")] = "quickstart",
    data: Data = None,
    format: Format = None,
    columns: Columns = None,
    time_column: TimeColumn = None,
    max_files: Annotated[int | None, option("Of a folder, the first so many files.", DATA)] = None,
    split: Annotated[str | None, option("ratio (or time), series, ett, or date:TRAIN_END,VAL_END.", DATA)] = None,
    max_windows: Annotated[int | None, option("Draw so many training windows at most.", DATA)] = None,
    context_length: Annotated[int | None, option("Rows a model sees.", DATA)] = None,
    prediction_length: Annotated[int | None, option("Rows it forecasts.", DATA)] = None,
    train_stride: Annotated[int | None, option("Rows between training windows.", DATA)] = None,
    eval_stride: Annotated[int | None, option("Rows between validation and test windows.", DATA)] = None,
    scale: Annotated[str | None, option("none, or standard: by the train rows alone.", DATA)] = None,
    trials: Annotated[int | None, option("How many trials.", SEARCH)] = None,
    time_budget: Annotated[str | None, option("Stop the search after this long: 2h, 90m.", SEARCH)] = None,
    searcher: Annotated[str | None, option("tpe, gp, cmaes, random or grid.", SEARCH)] = None,
    scheduler: Annotated[str | None, option("asha, median or none.", SEARCH)] = None,
    grace_period: Annotated[int | None, option("Epochs before a trial may be stopped.", SEARCH)] = None,
    reduction_factor: Annotated[float | None, option("ASHA keeps one in this many.", SEARCH)] = None,
    metric: Annotated[str | None, option("val_loss, val_mae or val_mse.", SEARCH)] = None,
    evals_per_epoch: Annotated[int | None, option("Validations an epoch.", SEARCH)] = None,
    set_: Annotated[
        list[str] | None, option("KEY=VALUE or KEY=log:1e-6:1e-4; again for more.", SEARCH, "--set")
    ] = None,
    seed: Annotated[int | None, option("Seed of everything.", SEARCH)] = None,
    max_concurrent: Annotated[str | None, option("Trials at once: auto or a number.", MACHINE)] = None,
    gpus: Annotated[int | None, option("GPUs to use; 0 for the CPU.", MACHINE)] = None,
    gpu_memory: Annotated[str | None, option("Memory to use of each GPU: 8GB.", MACHINE)] = None,
    name: Annotated[str | None, typer.Option(help="The sweep's name.")] = None,
    storage: Storage = STORAGE,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
) -> None:
    """Search for the best fine-tune; without arguments, a small one on bundled data that needs no network."""
    from tune.cli.sweeps import start_sweep
    from tune.planning.plan import SweepRequest

    request = SweepRequest(
        space=space,
        data=data,
        format=format,
        columns=None if columns is None else tuple(c.strip() for c in columns.split(",")),
        time_column=time_column,
        max_files=max_files,
        task={
            "split": split,
            "max_windows": max_windows,
            "context_length": context_length,
            "prediction_length": prediction_length,
            "train_stride": train_stride,
            "eval_stride": eval_stride,
            "scale": scale,
        },
        set=_settings(set_ or []),
        evals_per_epoch=evals_per_epoch,
        sweep=_sweep_values(
            trials=trials,
            time_budget=time_budget,
            searcher=searcher,
            scheduler=scheduler,
            grace_period=grace_period,
            reduction_factor=reduction_factor,
            metric=metric,
            seed=seed,
            max_concurrent=max_concurrent,
            gpus=gpus,
            gpu_memory=gpu_memory,
        ),
        name=name,
    )
    raise typer.Exit(start_sweep(request, storage, dry_run=dry_run))


def _settings(pairs: list[str]) -> dict[str, str]:
    wrong = [pair for pair in pairs if "=" not in pair or pair.startswith("=")]
    if wrong:
        raise UserError(f"--set takes KEY=VALUE, got {', '.join(map(repr, wrong))}; like --set lr=1e-5")
    settings: dict[str, str] = {}
    for key, value in (pair.split("=", 1) for pair in pairs):
        if settings.setdefault(key.strip(), value) != value:
            raise UserError(f"--set takes each key once, got {key}={settings[key.strip()]} and {key}={value}; keep one")
    return settings


def _sweep_values(
    *, time_budget: str | None, max_concurrent: str | None, gpu_memory: str | None, **plain: Any
) -> dict[str, Any]:
    from tune.planning.budget import parse_concurrency, parse_duration, parse_memory

    return {
        **plain,
        "time_budget_seconds": None if time_budget is None else parse_duration(time_budget),
        "max_concurrent": None if max_concurrent is None else parse_concurrency(max_concurrent),
        "gpu_memory_bytes": None if gpu_memory is None else parse_memory(gpu_memory),
    }


@app.command()
def resume(
    name: Name,
    trials: Annotated[int | None, typer.Option(help="Extend the sweep to this many trials.")] = None,
    time_budget: Annotated[str | None, typer.Option(help="Give it this much more time.")] = None,
    storage: Storage = STORAGE,
) -> None:
    """Go on with a sweep that was stopped, killed or finished; nothing is run twice."""
    from tune.cli.sweeps import resume_sweep
    from tune.planning.budget import parse_duration

    more = None if time_budget is None else parse_duration(time_budget)
    raise typer.Exit(resume_sweep(name, storage, trials=trials, more_seconds=more))


@app.command()
def status(storage: Storage = STORAGE) -> None:
    """List the sweeps: how far each is, and how it stands against zero-shot."""
    from tune.cli.tables import make_console, print_status
    from tune.sweep import Sweep, sweep_folders

    folders = sweep_folders(storage)
    if not folders:
        make_console().print(f"no sweep in {storage} yet; start one: foretune sweep", soft_wrap=True)
        return
    print_status(make_console(), [Sweep.open(folder.path.parent, folder.name) for folder in folders])


@app.command()
def leaderboard(
    name: Name,
    format: Annotated[str, typer.Option(help="table, csv, json or md.")] = "table",
    storage: Storage = STORAGE,
) -> None:
    """Rank a sweep's trials beside zero-shot."""
    from tune.cli.tables import leaderboard_markdown, make_console, print_leaderboard
    from tune.sweep import Sweep

    board = Sweep.open(storage, name).leaderboard()
    texts: dict[str, Callable[[], str]] = {
        "csv": board.to_csv,
        "json": board.to_json,
        "md": lambda: leaderboard_markdown(board),
    }
    if format == "table":
        print_leaderboard(make_console(), board)
    elif format in texts:
        sys.stdout.write(texts[format]().rstrip("\n") + "\n")
    else:
        raise UserError(f"--format must be table, csv, json or md, got {format!r}{near_names(format, texts)}")


@app.command()
def tensorboard(
    name: Name,
    port: Annotated[int, typer.Option(help="Port on this machine; 0 takes a free one.")] = 6006,
    storage: Storage = STORAGE,
) -> None:
    """Compare a sweep's trials in TensorBoard, on this machine only."""
    from tune.report.tensorboard_server import serve
    from tune.sweep import Sweep

    serve(Sweep.open(storage, name).folder, port=port)


@app.command()
def export(
    name: Name,
    to: Annotated[Path, typer.Option(help="A new folder.", callback=folder)],
    trial: Annotated[str | None, typer.Option(help="Another trial than the best.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Even if it does not beat zero-shot.")] = False,
    storage: Storage = STORAGE,
) -> None:
    """Write a trial's best epoch as a checkpoint in the model's own format."""
    from tune.cli.tables import make_console
    from tune.export.finalize import export as export_checkpoint
    from tune.sweep import Sweep

    target = export_checkpoint(Sweep.open(storage, name), trial_id=trial, target=to, force=force)
    make_console().print(f"exported to {target}", soft_wrap=True)


app.command()(evaluate)
app.command()(predict)
