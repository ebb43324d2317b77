"""The command init: a commented file of options for one's own data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from data.errors import UserError
from data.files import expand, write_output
from tune.cli.console import make_console
from tune.cli.options import takes_read_options
from tune.command_text import STORAGE, command_text

DEFAULT = "foretune.yaml"
HIDDEN = ("config", "help", "dry_run", "data")
WIDTH = 34  # of a line before its comment


@takes_read_options
def init(
    data: Annotated[str, typer.Argument(help="File, folder, or the name of a bundled dataset.")],
    *,
    reading: Mapping[str, object],
    to: Annotated[Path, typer.Option(help="The file to write; - is standard output.")] = Path(DEFAULT),
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
) -> None:
    """Look at your data, and write a commented file of options for a sweep over them."""
    from data.samples.bundled import SAMPLES
    from tune.planning.budget import look_at_machine
    from tune.planning.suggest import suggest
    from tune.records.spec import DataSource

    path = SAMPLES.get(data, expand(data))
    if not path.exists():
        raise UserError(f"there is no file, folder or bundled dataset {data!r}; check the path")
    to = to if to == Path("-") else expand(to).absolute()
    if to != Path("-") and to.exists() and not force:
        raise UserError(f"{to} is there already; --force writes over it, --to names another")
    panel = DataSource.checked(**reading, path=str(path.resolve())).read()
    found = suggest(panel, has_gpu=bool(look_at_machine().gpus))
    lines = [
        f"# {panel.name}: {len(panel)} series, {len(panel.values)} rows, frequency {panel.freq or 'unknown'}, "
        f"{int(panel.lengths.min())} rows and more each",
        *(f"# {note}" for note in panel.notes),
        "#",
        f"# foretune sweep --config {DEFAULT if to == Path('-') else to.name} --dry-run   says what would be done",
        "# What is typed on the command line comes before what is here.",
        "",
        _line("data", data if data in SAMPLES else str(path.resolve()), ""),
        *(_line(name, _yaml(value), "") for name, value in reading.items()),
        *(_line(name, value, found.reasons[name]) for name, value in found.options.items()),
        "",
        "# All else that can be set; take the first # off:",
        *_others({*found.options, *reading}),
    ]
    write_output(to, "\n".join(lines) + "\n")
    if to != Path("-"):
        console = make_console()
        console.print(f"options: {to}", soft_wrap=True)
        go_on = command_text("sweep", "--config", to.name if to.parent == Path.cwd() else to, storage=STORAGE)
        console.print(f"next: {go_on} --dry-run", soft_wrap=True)


def _line(name: str, value: object, comment: str) -> str:
    text = f"{name}: {value}"
    return f"{text.ljust(WIDTH)}  # {comment}" if comment else text


def _yaml(value: object) -> str:
    return f"[{', '.join(map(str, value))}]" if isinstance(value, tuple) else str(value)


def _others(known: set[str]) -> list[str]:
    """List the other options of a sweep with their help, commented out."""
    from tune.cli.group import command_of
    from tune.cli.sweeps import sweep

    lines = []
    for param in command_of("sweep", sweep).params:
        name = _long_name(param)
        if name not in known and name not in HIDDEN:
            lines.append(_line(f"# {name}", "", str(getattr(param, "help", "") or "")))
    return lines


def _long_name(param: Any) -> str:
    """Return an option as a file has it: start_from for --start-from."""
    longest: str = max(param.opts, key=len)
    return longest.lstrip("-").replace("-", "_")
