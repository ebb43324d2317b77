"""The command line: arguments in, text out; nothing is decided here."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from data.errors import UserError

app = typer.Typer(
    name="foretune",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Find the best fine-tune of a time-series foundation model on one GPU, never worse than zero-shot.",
)
spaces_app = typer.Typer(help="List, show and check search spaces.", invoke_without_command=True)
app.add_typer(spaces_app, name="spaces")

Storage = Annotated[Path, typer.Option("--storage", help="Folder of the sweeps.", show_default=True)]
Name = Annotated[str, typer.Argument(help="A sweep's name.")]
STORAGE = Path("ray_results")
DATA, SEARCH, MACHINE = "Data and task", "Search", "Machine"
INTERRUPTED = 130


def main() -> None:
    """Run the command line; a person's mistake is one message on stderr and exit 2."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        app()
    except UserError as error:
        Console(stderr=True).print(f"foretune: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(2)
    except KeyboardInterrupt:
        Console(stderr=True).print("stopped; what was on record stays: foretune status")
        sys.exit(INTERRUPTED)


def _option(help_text: str, panel: str, *names: str, **more: Any) -> Any:
    return typer.Option(*names, help=help_text, rich_help_panel=panel, **more)


@app.command()
def sweep(
    space: Annotated[str, typer.Argument(help="A shipped search space, or a YAML file of your own.")] = "quickstart",
    data: Annotated[str | None, _option("File, folder, or the name of a bundled dataset.", DATA)] = None,
    format: Annotated[str | None, _option("wide-csv, long-csv, parquet or jsonl; else recognised.", DATA)] = None,
    columns: Annotated[str | None, _option("Columns to take, separated by commas.", DATA)] = None,
    time_column: Annotated[str | None, _option("The column that holds the time.", DATA)] = None,
    split: Annotated[str | None, _option("ratio, ett, or date:TRAIN_END,VAL_END.", DATA)] = None,
    context_length: Annotated[int | None, _option("Rows a model sees.", DATA)] = None,
    prediction_length: Annotated[int | None, _option("Rows it forecasts.", DATA)] = None,
    train_stride: Annotated[int | None, _option("Rows between training windows.", DATA)] = None,
    eval_stride: Annotated[int | None, _option("Rows between validation and test windows.", DATA)] = None,
    scale: Annotated[str | None, _option("none, or standard: by the train rows alone.", DATA)] = None,
    trials: Annotated[int | None, _option("How many trials.", SEARCH)] = None,
    time_budget: Annotated[str | None, _option("Stop the search after this long: 2h, 90m.", SEARCH)] = None,
    searcher: Annotated[str | None, _option("tpe, gp, cmaes, random or grid.", SEARCH)] = None,
    scheduler: Annotated[str | None, _option("asha, median or none.", SEARCH)] = None,
    grace_period: Annotated[int | None, _option("Epochs before a trial may be stopped.", SEARCH)] = None,
    reduction_factor: Annotated[float | None, _option("ASHA keeps one in this many.", SEARCH)] = None,
    metric: Annotated[str | None, _option("val_loss, val_mae or val_mse.", SEARCH)] = None,
    evals_per_epoch: Annotated[int | None, _option("Validations an epoch.", SEARCH)] = None,
    set_: Annotated[
        list[str] | None, _option("KEY=VALUE or KEY=log:1e-6:1e-4; again for more.", SEARCH, "--set")
    ] = None,
    seed: Annotated[int | None, _option("Seed of everything.", SEARCH)] = None,
    max_concurrent: Annotated[str | None, _option("Trials at once: auto or a number.", MACHINE)] = None,
    gpus: Annotated[int | None, _option("GPUs to use; 0 for the CPU.", MACHINE)] = None,
    gpu_memory: Annotated[str | None, _option("Memory to use of each GPU: 8GB.", MACHINE)] = None,
    name: Annotated[str | None, typer.Option(help="The sweep's name.")] = None,
    storage: Storage = STORAGE,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
) -> None:
    """Search for the best fine-tune; without arguments, a small one on bundled data that needs no network."""
    from tune.commands import start_sweep
    from tune.plan import Request

    request = Request(
        space=space,
        data=data,
        format=format,
        columns=tuple(c.strip() for c in columns.split(",")) if columns else None,
        time_column=time_column,
        task={
            "split": split,
            "context_length": context_length,
            "prediction_length": prediction_length,
            "train_stride": train_stride,
            "eval_stride": eval_stride,
            "scale": scale,
        },
        settings=_settings(set_ or [], evals_per_epoch),
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
    raise typer.Exit(start_sweep(request, storage.absolute(), dry_run=dry_run))


def _settings(pairs: list[str], evals_per_epoch: int | None) -> dict[str, str]:
    wrong = [pair for pair in pairs if "=" not in pair or pair.startswith("=")]
    if wrong:
        raise UserError(f"--set takes KEY=VALUE, got {', '.join(map(repr, wrong))}; like --set lr=1e-5")
    settings = dict(pair.split("=", 1) for pair in pairs)
    return settings if evals_per_epoch is None else {**settings, "evals_per_epoch": str(evals_per_epoch)}


def _sweep_values(
    *, time_budget: str | None, max_concurrent: str | None, gpu_memory: str | None, **plain: Any
) -> dict[str, Any]:
    from tune.budget import parse_concurrency, parse_duration, parse_memory

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
    from tune.budget import parse_duration
    from tune.commands import resume_sweep

    more = None if time_budget is None else parse_duration(time_budget)
    raise typer.Exit(resume_sweep(name, storage.absolute(), trials=trials, more_seconds=more))


@app.command()
def status(storage: Storage = STORAGE) -> None:
    """List the sweeps: how far each is, and how it stands against zero-shot."""
    from tune.sweep import Sweep, sweep_folders
    from tune.views import make_console, print_status

    folders = sweep_folders(storage.absolute())
    if not folders:
        Console().print(f"no sweep in {storage} yet; start one: foretune sweep")
        return
    print_status(make_console(), [Sweep.open(folder.parent, folder.name) for folder in folders])


@app.command()
def leaderboard(
    name: Name,
    format: Annotated[str, typer.Option(help="table, csv, json or md.")] = "table",
    storage: Storage = STORAGE,
) -> None:
    """Rank a sweep's trials beside zero-shot."""
    from tune.sweep import Sweep
    from tune.views import leaderboard_markdown, make_console, print_leaderboard

    board = Sweep.open(storage.absolute(), name).leaderboard()
    texts = {"csv": board.to_csv, "json": board.to_json, "md": lambda: leaderboard_markdown(board)}
    if format == "table":
        print_leaderboard(make_console(), board)
    elif format in texts:
        sys.stdout.write(texts[format]().rstrip("\n") + "\n")
    else:
        raise UserError(f"--format must be table, csv, json or md, got {format!r}")


@app.command()
def tensorboard(
    name: Name,
    port: Annotated[int, typer.Option(help="Port on this machine; 0 takes a free one.")] = 6006,
    storage: Storage = STORAGE,
) -> None:
    """Compare a sweep's trials in TensorBoard, on this machine only."""
    from tune.sweep import Sweep
    from tune.tensorboard import serve

    serve(Sweep.open(storage.absolute(), name).folder, port=port)


@app.command()
def export(
    name: Name,
    to: Annotated[Path, typer.Option(help="A new folder.")],
    trial: Annotated[str | None, typer.Option(help="Another trial than the best.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Even if it does not beat zero-shot.")] = False,
    storage: Storage = STORAGE,
) -> None:
    """Write a trial's best epoch as a checkpoint in the model's own format."""
    from tune.finish import export as export_checkpoint
    from tune.sweep import Sweep

    target = export_checkpoint(Sweep.open(storage.absolute(), name), trial_id=trial, target=to, force=force)
    Console().print(f"exported to {target}", highlight=False)


@spaces_app.callback()
def spaces(context: typer.Context) -> None:
    """List the shipped search spaces."""
    if context.invoked_subcommand is None:
        from search_spaces.space import list_spaces
        from tune.views import make_console, print_spaces

        print_spaces(make_console(), list_spaces())


@spaces_app.command("show")
def show_space(name: Annotated[str, typer.Argument(help="A shipped space or a YAML file.")]) -> None:
    """Show what a space fixes, searches and tries first."""
    from search_spaces.space import load_space
    from tune.views import make_console, print_facts, space_facts

    print_facts(make_console(), space_facts(load_space(name)))


@spaces_app.command("check")
def check_space(file: Annotated[str, typer.Argument(help="A YAML file.")]) -> None:
    """Check a space of your own against the model it is for; all mistakes at once."""
    from tune.commands import check_space_file

    Console().print(check_space_file(file), highlight=False)
