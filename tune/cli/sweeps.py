"""The commands sweep and resume: arguments in; what they do is in sweep_steps."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from data.errors import UserError
from tune.cli.config_file import from_config
from tune.cli.options import (
    DATA,
    MACHINE,
    SEARCH,
    Data,
    LogTo,
    MaxGpuPower,
    MaxGpuTemp,
    Name,
    Quiet,
    Space,
    Storage,
    UnitsOfErrors,
    folder,
    known_units,
    option,
    takes_read_options,
)
from tune.command_text import STORAGE


@takes_read_options
def sweep(
    space: Space = "quickstart",
    data: Data = None,
    max_files: Annotated[int | None, option("Of a folder, the first so many files.", DATA)] = None,
    split: Annotated[str | None, option("ratio (or time), series, ett, or date:TRAIN_END,VAL_END.", DATA)] = None,
    max_windows: Annotated[int | None, option("Draw so many training windows at most.", DATA)] = None,
    max_eval_windows: Annotated[int | None, option("And so many of validation, and of test.", DATA)] = None,
    context_length: Annotated[int | None, option("Rows a model sees.", DATA)] = None,
    prediction_length: Annotated[int | None, option("Rows it forecasts.", DATA)] = None,
    train_stride: Annotated[int | None, option("Rows between training windows.", DATA)] = None,
    eval_stride: Annotated[int | None, option("Rows between validation and test windows.", DATA)] = None,
    scale: Annotated[str | None, option("none, or standard: by the train rows alone.", DATA)] = None,
    *,
    reading: Mapping[str, object],
    trials: Annotated[int | None, option("How many trials.", SEARCH)] = None,
    time_budget: Annotated[str | None, option("Stop the search after this long: 2h, 90m.", SEARCH)] = None,
    searcher: Annotated[
        str | None, option("gp, tpe (of a space with conditions), cmaes, random or grid.", SEARCH)
    ] = None,
    scheduler: Annotated[str | None, option("asha, median or none.", SEARCH)] = None,
    grace_period: Annotated[int | None, option("Epochs before a trial may be stopped.", SEARCH)] = None,
    reduction_factor: Annotated[float | None, option("ASHA keeps one in this many.", SEARCH)] = None,
    metric: Annotated[
        str | None,
        option("What to rank by: val_loss, val_mae, val_mse, val_rmse, val_mase, val_wql or val_smape.", SEARCH),
    ] = None,
    confidence: Annotated[
        float | None, option("How sure the verdict must be that a trial is better: 0.9.", SEARCH)
    ] = None,
    futility: Annotated[
        bool | None,
        option(
            "End the search when nothing comes near the initial model; the default.", SEARCH, "--futility/--no-futility"
        ),
    ] = None,
    stop_when_flat: Annotated[
        bool | None,
        option(
            "End the search when a third of the trials brought nothing.", SEARCH, "--stop-when-flat/--no-stop-when-flat"
        ),
    ] = None,
    repeats: Annotated[
        int | None, option("Train the best three again with so many other seeds, and go by their mean.", SEARCH)
    ] = None,
    evals_per_epoch: Annotated[int | None, option("Validations an epoch.", SEARCH)] = None,
    set_: Annotated[
        list[str] | None, option("KEY=VALUE or KEY=log:1e-6:1e-4; again for more.", SEARCH, "--set")
    ] = None,
    start_from: Annotated[
        list[str] | None, option("An earlier sweep whose best is tried first; again for more.", SEARCH)
    ] = None,
    units: Annotated[
        str | None,
        option("Of MAE, MSE and RMSE in leaderboards: scaled, or data, over all points of all series.", SEARCH),
    ] = None,
    seed: Annotated[int | None, option("Seed of everything.", SEARCH)] = None,
    max_steps: Annotated[
        int | None, option("End each trial after so many optimiser steps in all, to see that everything runs.", SEARCH)
    ] = None,
    log_every: Annotated[
        int | None, option("Training loss by step in TensorBoard, a point every so many steps; 0 for none.", SEARCH)
    ] = None,
    max_concurrent: Annotated[
        str | None, option("Trials at once: a number, or auto for as many as fit and pay; default: 1 a GPU.", MACHINE)
    ] = None,
    gpus: Annotated[int | None, option("GPUs to use; 0 for the CPU.", MACHINE)] = None,
    gpu_memory: Annotated[str | None, option("Memory to use of each GPU: 8GB.", MACHINE)] = None,
    max_gpu_temp: MaxGpuTemp = None,
    max_gpu_power: MaxGpuPower = None,
    keep: Annotated[
        int | None, option("Trials whose weights stay on the disk, the best; default 5, 0 for all.", MACHINE)
    ] = None,
    then: Annotated[
        list[str] | None, typer.Option(help="A space to search after it, from its best; again for more.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="The sweep's name.")] = None,
    storage: Storage = STORAGE,
    config: Annotated[
        Path | None,
        typer.Option(help="A YAML file of options; foretune init writes one.", callback=from_config, is_eager=True),
    ] = None,
    quiet: Quiet = False,
    log_file: LogTo = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
) -> None:
    """Search for the best fine-tune; without arguments, a small one on bundled data that needs no network.

    Published weights come from the Hugging Face Hub, or from the mirror that HF_ENDPOINT names.
    """
    from tune.planning.request import SweepRequest, check_requests

    request = SweepRequest(
        space=space,
        data=data,
        reading=reading,
        max_files=max_files,
        task={
            "split": split,
            "max_windows": max_windows,
            "max_eval_windows": max_eval_windows,
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
            confidence=confidence,
            futility=futility,
            stop_when_flat=stop_when_flat,
            repeats=repeats,
            seed=seed,
            units=units,
            max_steps=max_steps,
            log_every=log_every,
            max_concurrent=max_concurrent,
            gpus=gpus,
            gpu_memory=gpu_memory,
            max_gpu_temp=max_gpu_temp,
            max_gpu_power=max_gpu_power,
            keep=keep,
        ),
        name=name,
        start_from=tuple(dict.fromkeys(start_from or ())),
        then=tuple(then or ()),
    )
    checked = check_requests(request, storage)  # before what takes longer to import
    from tune.cli.session_console import Output
    from tune.cli.sweep_steps import start_sweep

    raise typer.Exit(start_sweep(checked, storage, dry_run=dry_run, output=Output.of(quiet, log_file)))


def resume(
    name: Name,
    trials: Annotated[int | None, typer.Option(help="Extend the sweep to this many trials.")] = None,
    time_budget: Annotated[str | None, typer.Option(help="Add this to what is left of its time: 1h.")] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Run trials that failed again.")] = False,
    futility: Annotated[
        bool | None,
        option(
            "End the search when nothing comes near the initial model, or go on.", SEARCH, "--futility/--no-futility"
        ),
    ] = None,
    stop_when_flat: Annotated[
        bool | None,
        option(
            "End the search when a third of the trials brought nothing, or go on.",
            SEARCH,
            "--stop-when-flat/--no-stop-when-flat",
        ),
    ] = None,
    max_concurrent: Annotated[int | None, option("Trials at once, from now on.", MACHINE)] = None,
    gpus: Annotated[int | None, option("GPUs to use from now on; 0 for the CPU.", MACHINE)] = None,
    gpu_memory: Annotated[str | None, option("Memory to use of each GPU from now on: 8GB.", MACHINE)] = None,
    max_gpu_temp: MaxGpuTemp = None,
    max_gpu_power: MaxGpuPower = None,
    quiet: Quiet = False,
    log_file: LogTo = None,
    storage: Storage = STORAGE,
) -> None:
    """Go on with a sweep that was stopped, killed or finished; nothing is run twice."""
    from tune.cli.session_console import Output
    from tune.cli.sweep_steps import Resumption, resume_sweep
    from tune.planning.budget import parse_duration, parse_memory, parse_number_at_once

    changes = Resumption(
        trials=trials,
        more_seconds=None if time_budget is None else parse_duration(time_budget),
        max_concurrent=None if max_concurrent is None else parse_number_at_once(str(max_concurrent)),
        gpus=gpus,
        gpu_memory_bytes=None if gpu_memory is None else parse_memory(gpu_memory),
        max_gpu_temp=max_gpu_temp,
        max_gpu_power=max_gpu_power,
        retry_failed=retry_failed,
        futility=futility,
        stop_when_flat=stop_when_flat,
    )
    raise typer.Exit(resume_sweep(name, storage, changes, Output.of(quiet, log_file)))


def repeat(
    name: Name,
    top: Annotated[int, typer.Option(help="How many of the best configurations.")] = 3,
    seeds: Annotated[int, typer.Option(help="How often each is trained again, with a seed of its own.")] = 3,
    storage: Storage = STORAGE,
) -> None:
    """Train a sweep's best again with other seeds, and decide by their means.

    Trials of the search that were left open stay so.
    """
    from tune.cli.sweep_steps import repeat_best

    raise typer.Exit(repeat_best(name, storage, top=top, seeds=seeds))


def finish(name: Name, storage: Storage = STORAGE) -> None:
    """Score a stopped sweep's best on the test part and export the winner, without searching on."""
    from tune.cli.sweep_steps import finish_sweep

    raise typer.Exit(finish_sweep(name, storage))


def report(
    name: Name,
    png: Annotated[
        Path | None, typer.Option(help="Also write its pictures into this folder, for a paper.", callback=folder)
    ] = None,
    svg: Annotated[Path | None, typer.Option(help="The same as SVG.", callback=folder)] = None,
    units: UnitsOfErrors = None,
    storage: Storage = STORAGE,
) -> None:
    """Write report.html and leaderboard.csv of what a sweep has found so far, also while it runs."""
    from tune.cli.sweep_steps import report_sweep

    pictures = {format: target for format, target in (("png", png), ("svg", svg)) if target is not None}
    raise typer.Exit(report_sweep(name, storage, pictures, known_units(units)))


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
