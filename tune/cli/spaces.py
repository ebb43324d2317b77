"""`foretune spaces`: search spaces listed, shown and checked."""

from __future__ import annotations

from typing import Annotated

import typer

spaces_app = typer.Typer(help="List, show and check search spaces.", invoke_without_command=True)


@spaces_app.callback()
def spaces(context: typer.Context) -> None:
    """List the shipped search spaces."""
    if context.invoked_subcommand is None:
        from search_spaces.library import list_spaces
        from tune.cli.tables import make_console, print_spaces

        print_spaces(make_console(), list_spaces())


@spaces_app.command("show")
def show_space(name: Annotated[str, typer.Argument(help="A shipped space or a YAML file.")]) -> None:
    """Show what a space fixes, searches and tries first."""
    from search_spaces.library import load_space
    from tune.cli.tables import make_console, print_facts, space_facts

    print_facts(make_console(), space_facts(load_space(name)))


@spaces_app.command("check")
def check_space(file: Annotated[str, typer.Argument(help="A YAML file.")]) -> None:
    """Check a space of your own against the model it is for; all mistakes at once."""
    from tune.cli.sweeps import check_space_file
    from tune.cli.tables import make_console

    make_console().print(check_space_file(file), soft_wrap=True)
