"""Groups of commands that start fast: a command's module is imported when the command is called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand, TyperGroup

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text


@dataclass(frozen=True)
class LazyCommand:
    """A command, or a group of them, that is not imported yet.

    target: `module:attribute` of a function or a Typer application. summary: its line in the group's `--help`.
    """

    target: str
    summary: str


class LightGroup(TyperGroup):
    """A group that runs without pydantic, whose import takes as long as Typer's own, while no option needs it."""

    def get_help_option(self, ctx: Any) -> Any:
        """Return the option `--help`, not given by default: Typer has pydantic validate the value None."""
        option = super().get_help_option(ctx)
        if option is not None:
            option.default = False
        return option


class LazyGroup(LightGroup):
    """A group whose commands are imported when they are called; its `--help` lists their summaries."""

    def __init__(self, name: str, commands: Mapping[str, LazyCommand], *, help: str) -> None:
        stubs: dict[str, Any] = {key: TyperCommand(key, help=lazy.summary) for key, lazy in commands.items()}
        super().__init__(name=name, commands=stubs, help=help)
        self._lazy = dict(commands)
        self._summaries = {key: lazy.summary for key, lazy in commands.items()}

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import a command the first time it is asked for; None if there is none of this name."""
        if cmd_name in self._lazy:
            self.commands[cmd_name] = _import_command(cmd_name, self._lazy.pop(cmd_name).target)
        return super().get_command(ctx, cmd_name)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help as Typer prints a command's, without its renderer, whose import doubles the start-up time."""
        _print_help(self.get_usage(ctx), self.help or "", self._summaries)


def command_of(name: str, function: Any) -> Any:
    """Make a command of a function."""
    app = typer.Typer(add_completion=False)
    app.command(name)(function)
    return typer.main.get_command(app)


def _import_command(name: str, target: str) -> Any:
    module, _, attribute = target.partition(":")
    found = getattr(import_module(module), attribute)
    if not isinstance(found, typer.Typer):
        return command_of(name, found)
    group = typer.main.get_group(found)
    group.name = name
    return group


def _print_help(usage: str, text: str, summaries: Mapping[str, str]) -> None:
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    console = Console(highlight=False)
    line = Text(usage, style="bold")
    line.highlight_regex("^Usage: ", "not bold yellow")
    console.print(Padding(line, 1))
    console.print(Padding(Text(text), (0, 1, 1, 1)))
    types = Text("<bool>", style="bold yellow")
    types.highlight_regex("[<>]", "dim")
    shown = {"--help   ": "Show this message and exit.", "--version": "Show the version and exit."}
    options: list[list[str | Text]] = [
        [Text(name, "bold cyan"), "", "", "", types, says] for name, says in shown.items()
    ]
    _print_panel(console, "Options", options)
    width = max(map(len, summaries))
    rows: list[list[str | Text]] = [[Text(name.ljust(width), "bold cyan"), text] for name, text in summaries.items()]
    _print_panel(console, "Commands", rows)


def _print_panel(console: Console, title: str, rows: list[list[str | Text]]) -> None:
    from rich.panel import Panel
    from rich.table import Table

    table = Table(box=None, show_header=False, expand=True, pad_edge=False, padding=(0, 1))
    for index in range(len(rows[0])):
        table.add_column(no_wrap=index == 0, ratio=1 if index == len(rows[0]) - 1 else None)
    for row in rows:
        table.add_row(*row)
    console.print(Panel(table, border_style="dim", title=title, title_align="left"))
