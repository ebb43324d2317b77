"""What the commands' options share: how they are declared, and those that several commands have."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from data.errors import UserError, near_names
from data.files import expand
from tune.command_text import STORAGE

if TYPE_CHECKING:
    from tune.records.spec import Units

DATA, READING, SEARCH, MACHINE = "Data and task", "Reading files", "Search", "Machine"


def option(help_text: str, panel: str, *names: str, **more: Any) -> Any:
    """Declare an option in a panel of `--help`."""
    return typer.Option(*names, help=help_text, rich_help_panel=panel, **more)


def folder(param: typer.CallbackParam, path: Path | None) -> Path | None:
    """Make a folder that an option names absolute; reject one that is, or lies in, a file."""
    if path is None:
        return None
    path = expand(path).absolute()
    there = next(parent for parent in (path, *path.parents) if parent.exists())
    if not there.is_dir():
        raise UserError(f"--{param.name} must be a folder, got {path}, and {there} is a file; give another")
    return path


Data = Annotated[str | None, option("File, folder, or the name of a bundled dataset.", DATA)]
Storage = Annotated[Path, typer.Option("--storage", help="Folder of the sweeps.", callback=folder)]


def known_units(typed: str | None) -> Units | None:
    """Return what --units names; UserError for what it cannot be."""
    from tune.records.spec import Units  # pydantic

    if typed is None or typed in get_args(Units):
        return typed  # type: ignore[return-value]
    raise UserError(f"--units must be scaled or data, got {typed!r}{near_names(typed, get_args(Units))}")


def sweep_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """List the sweeps whose names begin so, for the shell."""
    from tune.storage import sweep_folders

    storage = Path(str(ctx.params.get("storage") or STORAGE))
    return [found.name for found in sweep_folders(storage) if found.name.startswith(incomplete)]


def trial_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """List a sweep's trials whose ids, or names of their own, begin so, for the shell."""
    from tune.records.sweep_folder import SweepFolder
    from tune.records.trial_record import TrialId

    folder = SweepFolder(Path(str(ctx.params.get("storage") or STORAGE)) / str(ctx.params.get("name") or "."))
    ids = [trial.trial_id for trial in folder.trials()]
    named = [found.nicknames[1] for i in ids if (found := TrialId.parse(i)) is not None and found.name]
    return [each for each in (*ids, *named) if each.startswith(incomplete)]


def space_names(incomplete: str) -> list[str]:
    """List the shipped spaces whose names begin so, for the shell."""
    from search_spaces.library import shipped_names

    return [name for name in shipped_names() if name.startswith(incomplete)]


MaxGpuTemp = Annotated[
    float | None, option("Let trials wait while the GPU is hotter, in degrees Celsius: 85.", MACHINE)
]
MaxGpuPower = Annotated[float | None, option("Say when the GPU draws more watts; limits nothing.", MACHINE)]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print the verdict, the best checkpoint and errors alone.")]
LogTo = Annotated[
    Path | None,
    typer.Option("--log-file", help="A file that gets every line with its time, beside the sweep's own log.txt."),
]
UnitsOfErrors = Annotated[
    str | None,
    typer.Option(
        "--units",
        help="MAE, MSE and RMSE scaled as the models see them, or of the data, over all points of all series; csv and "
        "json have both.",
    ),
]
Name = Annotated[str, typer.Argument(help="A sweep's name.", autocompletion=sweep_names)]
Space = Annotated[
    str, typer.Argument(help="A shipped search space, or a YAML file of your own.", autocompletion=space_names)
]


# The fields of `data.read_options.ReadOptions`, in the order of --help; lists are typed with commas.
_LISTS = ("columns", "id_columns", "na")
_READ_OPTIONS: dict[str, Any] = {
    "format": option("wide-csv, long-csv, parquet, jsonl, xlsx or tsf; else recognised.", READING),
    "columns": option("Columns to take, separated by commas; of a long file, ids.", READING),
    "time_column": option("The column that holds the time.", READING),
    "id_columns": option("The columns that name a series of a long file: store,item.", READING),
    "date_format": option("How dates are written, as for strptime: %d/%m/%Y %H:%M.", READING),
    "timezone": option("The zone of local times: Europe/Berlin.", READING),
    "freq": option("The step of the series: h, 15min, D, B, MS.", READING),
    "resample": option("Bring rows to that step by their mean, sum, last or max.", READING),
    "max_rows_per_file": option("Of each series of a file, the last so many rows: the most recent.", READING),
    "decimal": option("The decimal mark: . or ,", READING),
    "encoding": option("Of text, where it is neither UTF-8 nor recognised: gbk, latin-1.", READING),
    "na": option("Words and numbers that mean a missing value, separated by commas: --na=-999,off.", READING),
}


def takes_read_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of how files are read; its parameter `reading` holds those that were typed."""
    own = inspect.signature(command, eval_str=True).parameters.values()
    keyword = inspect.Parameter.KEYWORD_ONLY
    read = [
        inspect.Parameter(name, keyword, default=None, annotation=Annotated[str | None, declared])
        for name, declared in _READ_OPTIONS.items()
    ]
    parameters = [each for p in own for each in (read if p.name == "reading" else [p.replace(kind=keyword)])]

    @functools.wraps(command)
    def with_reading(**values: Any) -> None:
        typed = {name: values.pop(name) for name in _READ_OPTIONS}
        command(**values, reading=_read_options(typed))

    with_reading.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    with_reading.__annotations__ = {p.name: p.annotation for p in parameters}
    return with_reading


def _read_options(typed: dict[str, str | None]) -> dict[str, object]:
    """Return what was typed, by field; lists split at their commas."""
    given = {name: text for name, text in typed.items() if text is not None}
    return {
        name: tuple(part.strip() for part in text.split(",")) if name in _LISTS else text
        for name, text in given.items()
    }
