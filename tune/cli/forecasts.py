"""The commands that ask a checkpoint: evaluate and predict."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from data.errors import UserError
from data.files import expand
from tune.cli.console import make_console
from tune.cli.options import DATA, Data, option, takes_read_options
from tune.format import count_text

if TYPE_CHECKING:
    from trainables.trial.evaluation import ProgressCallback
    from tune.forecasts.many import Block
    from tune.forecasts.request import ForecastRequest


MODEL, OUTPUT = "Model", "Output"
MOST_DRAWN = 12  # forecasts in a picture


Checkpoint = Annotated[
    str,
    typer.Argument(
        help="An exported folder, a folder with a config.json, a bundled model, or a Hub id; HF_ENDPOINT may name a "
        "mirror of the Hub."
    ),
]
Checkpoints = Annotated[
    list[str],
    typer.Argument(
        metavar="CHECKPOINT...",
        help="One or several, for the same windows: exported folders, folders with a config.json, bundled models, or "
        "Hub ids.",
    ),
]
ContextLength = Annotated[int | None, option("Rows the model sees.", DATA)]
PredictionLength = Annotated[int | None, option("Rows it forecasts.", DATA)]
Norm = Annotated[
    str | None,
    option("What a context is normalised by: context, series or none; else as in training, or context.", MODEL),
]
Gpus = Annotated[int | None, option("0 for the CPU; else a GPU where there is one.", MODEL)]
Trust = Annotated[
    str | None, option("Run this file or module, which the checkpoint's model is of: look at it first.", MODEL)
]
Json = Annotated[bool, option("Print one JSON object, and nothing else.", OUTPUT, "--json")]


@takes_read_options
def evaluate(
    checkpoints: Checkpoints,
    data: Data = None,
    split: Annotated[
        str | None,
        option("ratio, ett, date:TRAIN_END,VAL_END, or rows:N: targets begin at row N of each series.", DATA),
    ] = None,
    part: Annotated[str, option("Whose windows: val or test.", DATA)] = "val",
    context_length: ContextLength = None,
    prediction_length: PredictionLength = None,
    stride: Annotated[int | None, option("Rows between windows; else the prediction length.", DATA)] = None,
    scale: Annotated[str | None, option("none, or standard: by the train rows alone.", DATA)] = None,
    *,
    reading: Mapping[str, object],
    norm: Norm = None,
    batch_size: Annotated[
        int | None, option("Windows a forward pass; halved when memory runs out. Drawn samples depend on it.", MODEL)
    ] = None,
    gpus: Gpus = None,
    trust: Trust = None,
    top_k: Annotated[int, option("How many of the worst series.", OUTPUT)] = 5,
    csv: Annotated[Path | None, option("Write the errors of each series here; - is standard output.", OUTPUT)] = None,
    save_forecasts: Annotated[
        Path | None, option("Write every forecast here, a line a point: .csv, .parquet, .jsonl or .json.", OUTPUT)
    ] = None,
    plot: Annotated[
        Path | None, option("Draw errors by horizon step, time and series here: .png, .svg or .pdf.", OUTPUT)
    ] = None,
    json_: Json = False,
) -> None:
    """Measure a checkpoint: MAE, MSE and RMSE in the units of the data, by horizon step and by series.

    An exported checkpoint knows its data and lengths: alone, it gives the leaderboard's figures again. Several are
    compared on the windows of the first export among them, or of the flags, and with the naive forecast of these.
    """
    silence_libraries()
    from tune.cli.tables.forecasts import print_evaluations
    from tune.forecasts.evaluation import check_csv
    from tune.forecasts.outputs import check_outputs
    from tune.forecasts.request import ForecastRequest
    from tune.forecasts.saved import saving
    from tune.forecasts.side_by_side import evaluate_side_by_side

    request = ForecastRequest(
        checkpoint=checkpoints[0],
        trust=trust,
        data=data,
        reading=reading,
        context_length=context_length,
        prediction_length=prediction_length,
        stride=stride,
        split=split,
        scale=scale,
        norm=norm,
        gpus=gpus,
    )
    if top_k < 0:
        raise UserError(f"--top-k must be 0 or more, got {top_k}")
    to_stdout = csv == Path("-")
    if to_stdout and json_:
        raise UserError("--csv - and --json both write to standard output; give --csv a file")
    csv = csv if csv is None or to_stdout else expand(csv).absolute()
    save_forecasts, plot = _targets({"--save-forecasts": save_forecasts, "--plot": plot})
    if csv is not None:
        check_csv(csv)
    check_outputs({"--csv": csv, "--save-forecasts": save_forecasts, "--plot": plot}, request, checkpoints)
    with (
        _progress() as progress,
        nullcontext() if save_forecasts is None else saving(save_forecasts, has_several=len(checkpoints) > 1) as sink,
    ):
        found = evaluate_side_by_side(
            request,
            checkpoints,
            part=part,  # type: ignore[arg-type]
            batch_size=batch_size,
            progress=progress,
            sink=sink,
        )
    if csv is not None:
        found.write_csv(csv)
    if plot is not None:
        from tune.forecasts.evaluation_plot import plot_evaluation

        plot_evaluation(found, plot)
    if to_stdout:
        return
    if json_:
        _print_json(found.to_dict(worst=top_k))
        return
    print_evaluations(make_console(), found, worst=top_k)
    for name, path in (("errors of each series", csv), ("forecasts", save_forecasts), ("picture", plot)):
        if path is not None:
            make_console().print(f"{name}: {path}", soft_wrap=True)


@takes_read_options
def predict(
    checkpoint: Checkpoint,
    series: Annotated[
        list[str] | None,
        option("The series; again for more. Needed if the data has several; with --to, else all.", DATA),
    ] = None,
    at: Annotated[
        list[str] | None,
        option("Time, or row number, of the first point; else right after the last row. Again for more.", DATA),
    ] = None,
    data: Data = None,
    context_length: ContextLength = None,
    prediction_length: PredictionLength = None,
    *,
    reading: Mapping[str, object],
    norm: Norm = None,
    gpus: Gpus = None,
    trust: Trust = None,
    quantiles: Annotated[
        str | None, option("Levels from 0.1 to 0.9: 0.1,0.5,0.9, of a model that forecasts a distribution.", OUTPUT)
    ] = None,
    to: Annotated[
        Path | None, option("Write all forecasts here, a line a point: .csv, .parquet, .jsonl or .json.", OUTPUT)
    ] = None,
    plot: Annotated[Path | None, option("Draw the first twelve forecasts here: .png, .svg or .pdf.", OUTPUT)] = None,
    clip_nonneg: Annotated[bool, option("Raise negative values to 0.", OUTPUT, "--clip-nonneg")] = False,
    round_: Annotated[bool, option("Round to whole numbers.", OUTPUT, "--round")] = False,
    json_: Json = False,
) -> None:
    """Forecast series from the rows before a time, and write, print or draw what comes."""
    silence_libraries()
    from tune.cli.tables.forecasts import print_prediction
    from tune.forecasts.prediction import predict
    from tune.forecasts.quantiles import parse_levels
    from tune.forecasts.request import ForecastRequest

    levels = parse_levels(quantiles) if quantiles is not None else ()
    request = ForecastRequest(
        checkpoint=checkpoint,
        trust=trust,
        data=data,
        reading=reading,
        context_length=context_length,
        prediction_length=prediction_length,
        norm=norm,
        gpus=gpus,
    )
    if to is not None or plot is not None:
        shown = _Shown(clip_nonneg=clip_nonneg, round_=round_, as_json=json_)
        _predict_many(request, series or [], at or [], levels, to, plot, shown)
        return
    for flag, values in (("--series", series), ("--at", at)):
        if values and len(values) > 1:
            raise UserError(f"{flag} is given once, got {len(values)}; with --to FILE or --plot FILE it can be again")
    one, moment = (values[0] if values else None for values in (series, at))
    with _progress():
        prediction = predict(request, series=one, at=moment, clip_nonneg=clip_nonneg, round_=round_, levels=levels)
    if not json_:
        print_prediction(make_console(), prediction)
        return
    for note in prediction.assignment.data.notes:  # its JSON has no place for them
        sys.stderr.write(f"note: {note}\n")
    _print_json(prediction.to_dict())


@dataclass(frozen=True)
class _Shown:
    """How values are shown."""

    clip_nonneg: bool
    round_: bool
    as_json: bool


def _predict_many(
    request: ForecastRequest,
    series: list[str],
    at: list[str],
    levels: tuple[float, ...],
    to: Path | None,
    plot: Path | None,
    shown: _Shown,
) -> None:
    """Forecast all series, or those named, and write or draw them."""
    from tune.forecasts.files import Tables, writer
    from tune.forecasts.many import adjusted, plan_forecasts
    from tune.forecasts.outputs import check_outputs

    if shown.as_json:
        raise UserError("--json prints one forecast; --to FILE.jsonl writes all")
    to, plot = _targets({"--to": to, "--plot": plot})
    check_outputs({"--to": to, "--plot": plot}, request, [request.checkpoint])
    kept: list[Block] = []
    empty, console = 0, make_console()
    with _progress() as progress:
        plan = plan_forecasts(request, series=series, at=at, levels=levels)
        tables = Tables(plan)
        with nullcontext(None) if to is None else writer(to) as add:
            for block in plan.blocks(progress):
                block = adjusted(block, clip_nonneg=shown.clip_nonneg, round_=shown.round_)
                empty += block.empty
                if add is not None:
                    add(tables.of(block))
                if sum(len(each.series) for each in kept) < MOST_DRAWN:
                    kept.append(block)
                if to is None and sum(len(each.series) for each in kept) >= MOST_DRAWN:
                    break
    for note in plan.notes:
        console.print(f"note: {note}", style="yellow", soft_wrap=True)
    if empty:
        text = f"note: {count_text(empty, 'forecast')} without values: nothing is observed in the context"
        console.print(text, style="yellow", soft_wrap=True)
    steps = plan.assignment.spec.prediction_length
    if to is not None:
        console.print(f"{count_text(plan.windows, 'forecast')} of {steps} points: {to}", soft_wrap=True)
    if plot is not None:
        from tune.forecasts.plot import plot_forecasts

        drawn = plot_forecasts(plan, kept, plot)
        console.print(f"picture of {count_text(drawn, 'forecast')}: {plot}", soft_wrap=True)


def _targets(typed: Mapping[str, Path | None]) -> list[Path | None]:
    """Make the files that flags name absolute; a mistake in one is reported before any work."""
    from tune.forecasts.files import PICTURES, SUFFIXES, check_target

    found: list[Path | None] = []
    for flag, path in typed.items():
        found.append(None if path is None else expand(path).absolute())
        if found[-1] is not None:
            check_target(flag, found[-1], PICTURES if flag == "--plot" else SUFFIXES)
    return found


def silence_libraries() -> None:
    """What the Hub's client warns of, we report ourselves."""
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")
    for name in ("huggingface_hub", "filelock"):
        logging.getLogger(name).setLevel(logging.ERROR)


def _print_json(value: Mapping[str, object]) -> None:
    sys.stdout.write(json.dumps(value, indent=1, allow_nan=False) + "\n")


@contextmanager
def _progress() -> Iterator[ProgressCallback]:
    """Draw a bar on stderr until the answer is there, if stderr is a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("reading and loading", total=None)
        yield lambda seen, total: progress.update(task, description="forecasting", completed=seen, total=total)
