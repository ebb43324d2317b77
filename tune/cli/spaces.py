"""`foretune spaces`: search spaces listed, shown and checked."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from search_spaces.library import list_spaces, load_space
from search_spaces.space import SearchSpace
from tune.cli.console import make_console, print_facts
from tune.cli.group import LightGroup
from tune.format import domain_text, number

spaces_app = typer.Typer(cls=LightGroup, help="List, show and check search spaces.", invoke_without_command=True)


@spaces_app.callback()
def spaces(context: typer.Context) -> None:
    """List the shipped search spaces."""
    if context.invoked_subcommand is None:
        print_spaces(make_console(), list_spaces())


@spaces_app.command("show")
def show_space(name: Annotated[str, typer.Argument(help="A shipped space or a YAML file.")]) -> None:
    """Show what a space fixes, searches and tries first."""
    print_facts(make_console(), space_facts(load_space(name)))


@spaces_app.command("check")
def check_space(file: Annotated[str, typer.Argument(help="A YAML file.")]) -> None:
    """Check a space of your own against the model it is for; all mistakes at once."""
    from tune.planning.space_check import load_fitting_space

    _, _, space = load_fitting_space(file, {})
    searched = len(space.parameters())
    message = f"{file}: a space for {space.trainable}, {searched} parameter(s) searched, no mistakes"
    make_console().print(message, soft_wrap=True)


@spaces_app.command("schema")
def print_schema(
    config: Annotated[bool, typer.Option("--config", help="Of a file of options, such as foretune.yaml.")] = False,
) -> None:
    """Print the JSON Schema of a space's file, for an editor that completes and checks it."""
    if config:
        from tune.cli.config_file import config_schema

        schema = config_schema()
    else:
        from tune.planning.space_schema import space_schema

        schema = space_schema()
    sys.stdout.write(json.dumps(schema, indent=2) + "\n")


def print_spaces(console: Console, spaces: list[SearchSpace]) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("space", "trainable", "trials", "what it is"):
        table.add_column(name)
    for space in spaces:
        table.add_row(space.name, space.trainable, str(space.trials), space.description)
    console.print(table)


def space_facts(space: SearchSpace) -> dict[str, str]:
    facts = {"space": space.name, "what it is": space.description, "trainable": space.trainable}
    facts |= {f"fixed {key}": number(value) for key, value in space.fixed.items()}
    facts |= {f"searched {key}": domain_text(domain) for key, domain in space.parameters().items()}
    facts |= {
        f"first {i}": ", ".join(f"{k} {number(v)}" for k, v in point.items())  # its name among them
        for i, point in enumerate(space.initial_points, start=1)
    }
    return facts | {"trials": str(space.trials)}
